"""Exception cases and their rules."""
