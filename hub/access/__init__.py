"""API keys, and the vault that seals secrets."""
