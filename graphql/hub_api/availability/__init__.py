"""Availability settings and their explanation."""
