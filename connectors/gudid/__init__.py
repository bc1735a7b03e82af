"""The FDA's Global Unique Device Identification Database."""

from connectors.gudid.connector import Gudid

__all__ = ["Gudid"]
