"""EPCIS 2.0."""

from connectors.epcis.connector import Epcis

__all__ = ["Epcis"]
