"""The contents of policy files, read as data without a PDP."""
