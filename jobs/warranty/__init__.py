"""Warranty and device look-ups at manufacturers and registries."""
