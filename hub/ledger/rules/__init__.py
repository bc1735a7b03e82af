"""Rules that the ledger asks before it records an action."""
