"""Dell TechDirect, warranty API v5."""

from connectors.dell.connector import Dell

__all__ = ["Dell"]
