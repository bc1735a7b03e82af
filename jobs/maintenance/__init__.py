"""Scheduled care of the ledger: integrity, data quality, expired reservations."""
