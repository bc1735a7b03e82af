"""Inbound: advance ship notices and unserialized stock."""
