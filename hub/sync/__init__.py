"""Sync with channels: listings and levels, outbox and inbox, and what workers share."""
