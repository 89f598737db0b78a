"""Each different question asked once."""
