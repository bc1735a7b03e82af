"""Runs of file imports."""
