"""eBay sellers over the Sell APIs."""

from connectors.ebay.connector import Ebay

__all__ = ["Ebay"]
