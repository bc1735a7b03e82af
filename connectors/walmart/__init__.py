"""Walmart Marketplace sellers in the United States."""

from connectors.walmart.connector import Walmart

__all__ = ["Walmart"]
