"""Amazon sellers over the Selling Partner API."""

from connectors.amazon.connector import Amazon

__all__ = ["Amazon"]
