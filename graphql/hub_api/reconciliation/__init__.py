"""Reconciliation with channels."""
