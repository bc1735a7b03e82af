"""Inbound: commissioning, receipts, announced deliveries, unserialized stock."""
