"""Clients whose goods are kept."""
