"""BigCommerce stores over REST."""

from connectors.bigcommerce.connector import BigCommerce

__all__ = ["BigCommerce"]
