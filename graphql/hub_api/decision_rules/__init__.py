"""Decision rules."""
