"""Fuzzing of what parses: codes of scanners, descriptions of recalls, files, certificates."""
