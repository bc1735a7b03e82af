"""A stateful simulator of the remote API, served over HTTP."""

from connectors.shopify.simulator.server import ShopifySimulator

__all__ = ["ShopifySimulator"]
