"""Returns: check, decide, accept, refund once, and route returned units."""
