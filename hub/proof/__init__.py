"""Proof: conservation, signed checkpoints, and the custody certificate of one unit."""
