"""Histories of units, as recorded and as corrected, and their state at any instant."""
