"""Who asks: users from their sources, mapped to principals; pseudonyms and what may be disclosed."""
