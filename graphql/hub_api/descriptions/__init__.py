"""Descriptions of the schema that many places share, each written once."""

from hub_api.descriptions.describe import describe

__all__ = ["describe"]
