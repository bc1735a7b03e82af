"""HP Inc., Product Warranty API v2."""

from connectors.hp.connector import Hp

__all__ = ["Hp"]
