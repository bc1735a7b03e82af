"""A stateful simulator of the remote API, served over HTTP."""

from connectors.walmart.simulator.server import WalmartSimulator

__all__ = ["WalmartSimulator"]
