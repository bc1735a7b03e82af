"""Lenovo eSupport, warranty API v2.5."""

from connectors.lenovo.connector import Lenovo

__all__ = ["Lenovo"]
