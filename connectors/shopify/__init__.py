"""Shopify shops and Shopify POS, over the Admin GraphQL API 2026-10."""

from connectors.shopify.connector import Shopify

__all__ = ["Shopify"]
