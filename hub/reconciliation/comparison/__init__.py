"""Comparisons of each scope: what both sides claim, and the causes that records prove."""
