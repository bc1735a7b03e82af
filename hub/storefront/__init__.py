"""Storefront: carts that reserve units, checkout, and what a shop may show of stock and orders."""
