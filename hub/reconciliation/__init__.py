"""Comparing channels with the ledger, and the runs of jobs."""
