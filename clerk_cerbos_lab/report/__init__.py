"""Runs notebooks and publishes them as pages."""
