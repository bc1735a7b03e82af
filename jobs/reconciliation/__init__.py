"""Reconciliation of channels with the ledger."""
