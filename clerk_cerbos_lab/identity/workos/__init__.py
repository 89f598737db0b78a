"""WorkOS: its API, users and organization memberships, and the users of a directory."""
