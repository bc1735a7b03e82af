"""Access: API keys, and the vault in which secrets are sealed."""
