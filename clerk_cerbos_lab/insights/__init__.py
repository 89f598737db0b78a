"""What can be learnt from principals, policies and decisions together."""
