"""Vendure shops, over the Admin GraphQL API of Vendure 3 (schema 3.5.4, run against 3.7.3)."""

from connectors.vendure.connector import Vendure

__all__ = ["Vendure"]
