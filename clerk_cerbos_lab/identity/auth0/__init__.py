"""Auth0: its Management API, its users, and the roles that are assigned to them."""
