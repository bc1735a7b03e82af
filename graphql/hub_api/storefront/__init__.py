"""Storefront: availability, carts, checkout and the status of orders."""
