"""The answer as data: axes, cube, intervals, provenance, files."""
