"""Notebooks run and published as pages."""
