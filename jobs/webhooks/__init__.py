"""Delivery of outgoing webhooks."""
