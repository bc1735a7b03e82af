"""Channels: connection, push log, value mappings."""
