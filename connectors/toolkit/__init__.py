"""Helpers of connectors: cursors, pages, tokens, signatures, rate limits, warranty status."""
