"""Cisco Support APIs, Serial Number to Information v2."""

from connectors.cisco.connector import Cisco

__all__ = ["Cisco"]
