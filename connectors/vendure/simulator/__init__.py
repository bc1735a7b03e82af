"""A stateful simulator of the remote API, served over HTTP."""

from connectors.vendure.simulator.server import VendureTwin

__all__ = ["VendureTwin"]
