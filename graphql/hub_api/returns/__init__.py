"""Returns: inspection and channel returns."""
