"""Okta: its API, its users and their groups."""
