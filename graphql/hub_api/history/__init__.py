"""History: as-of views, trial balance, corrections."""
