"""A stateful simulator of the remote API, served over HTTP."""

from connectors.ebay.simulator.server import EbaySimulator, format_time

__all__ = ["EbaySimulator", "format_time"]
