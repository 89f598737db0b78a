"""The real Cerbos: its process, its client, and what it reports about its policies."""
