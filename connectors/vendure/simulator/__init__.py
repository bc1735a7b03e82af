"""A stateful simulator of the remote API, served over HTTP."""

from connectors.vendure.simulator.server import VendureSimulator

__all__ = ["VendureSimulator"]
