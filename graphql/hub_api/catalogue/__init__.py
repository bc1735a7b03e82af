"""Catalogue: products, locations, medical devices."""
