"""The drivers of our own twins, one module a channel; each is found by its entry point."""
