"""Reconciliation: channels compared with the ledger, and the differences."""
