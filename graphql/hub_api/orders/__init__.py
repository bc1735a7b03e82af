"""Orders of channels."""
