"""A stateful simulator of the remote API, served over HTTP."""

from connectors.walmart.simulator.server import WalmartTwin

__all__ = ["WalmartTwin"]
