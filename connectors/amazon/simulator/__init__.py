"""A stateful simulator of the remote API, served over HTTP."""

from connectors.amazon.simulator.server import AmazonTwin

__all__ = ["AmazonTwin"]
