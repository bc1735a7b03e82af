"""Square sellers, till and online, over the REST API 2025-08-20 (header ``Square-Version``)."""

from connectors.square.connector import Square

__all__ = ["Square"]
