"""Lightspeed Retail X-Series (once Vend) over its REST API 2.0; stock by the product API 2.1."""

from connectors.lightspeed.connector import Lightspeed

__all__ = ["Lightspeed"]
