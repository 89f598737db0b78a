"""Clerk: its API, its users, and how they become principals."""
