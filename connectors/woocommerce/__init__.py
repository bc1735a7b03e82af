"""WooCommerce shops over the REST API v3 (WooCommerce 5.8 or newer, pretty permalinks on)."""

from connectors.woocommerce.connector import WooCommerce

__all__ = ["WooCommerce"]
