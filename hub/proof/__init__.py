"""Proof for others: signed checkpoints and the certificate of one unit."""
