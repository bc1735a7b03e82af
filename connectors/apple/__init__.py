"""Apple Business API."""

from connectors.apple.connector import Apple

__all__ = ["Apple"]
