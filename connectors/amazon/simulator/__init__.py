"""A stateful simulator of the remote API, served over HTTP."""

from connectors.amazon.simulator.server import AmazonSimulator

__all__ = ["AmazonSimulator"]
