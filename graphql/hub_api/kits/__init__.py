"""Kits and their parts."""
