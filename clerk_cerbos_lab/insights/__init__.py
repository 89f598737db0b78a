"""Findings from principals, policies and decisions together."""
