"""Returns: what is brought back is checked, decided, taken in, refunded once, and routed."""
