"""Records by their ids alone."""
