"""Capture: reading labels and tags, failed captures."""
