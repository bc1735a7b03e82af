"""Saleor shops, over the GraphQL API (schema of Saleor 3.22; what is used is older)."""

from connectors.saleor.connector import Saleor

__all__ = ["Saleor"]
