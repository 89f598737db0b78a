"""The real Cerbos: its process, its client, what it tells."""
