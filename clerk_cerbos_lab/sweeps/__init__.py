"""Sweeps: every question asked, but each distinct question only once."""
