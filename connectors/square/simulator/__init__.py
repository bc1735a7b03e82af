"""A stateful simulator of the remote API, served over HTTP."""

from connectors.square.simulator.server import SquareSimulator

__all__ = ["SquareSimulator"]
