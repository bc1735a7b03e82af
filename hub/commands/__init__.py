"""Commands: their context (who, when, how, why), and idempotency keys."""
