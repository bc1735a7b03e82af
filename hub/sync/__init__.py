"""Sync with channels: listings and levels, outbox and inbox, and the state that workers share."""
