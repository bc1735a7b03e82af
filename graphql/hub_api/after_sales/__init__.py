"""After sales: warranty claims, cover and service."""
