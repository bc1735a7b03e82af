"""Availability: which units a channel may sell, how many it shows, and why."""
