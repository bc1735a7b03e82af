"""A stateful simulator of the remote API, served over HTTP."""

from connectors.woocommerce.simulator.server import WooCommerceSimulator

__all__ = ["WooCommerceSimulator"]
