"""Unit histories: as recorded and as corrected, and the state at any past instant."""
