"""Medusa v2 shops over the Admin REST API (contract of April 2025; truths seen on 2.21.2)."""

from connectors.medusa.connector import Medusa

__all__ = ["Medusa"]
