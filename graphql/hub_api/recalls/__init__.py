"""Recalls, their notices and contacts."""
