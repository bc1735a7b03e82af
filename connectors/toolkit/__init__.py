"""Tools that connectors share: cursors, pages, tokens, rate limits, warranty status."""
