"""Stock counts."""
