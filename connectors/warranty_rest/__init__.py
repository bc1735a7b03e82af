"""A manufacturer's warranty service over REST, described by configuration instead of code."""

from connectors.warranty_rest.connector import WarrantyRest

__all__ = ["WarrantyRest"]
