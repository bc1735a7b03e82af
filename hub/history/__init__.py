"""Histories: as recorded and as corrected, and where everything stood at an instant."""
