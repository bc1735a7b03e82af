"""Facts: what the ledger reports to channels, one call for each."""
