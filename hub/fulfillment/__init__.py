"""The way out: picked, checked, packed, dispatched, collected, sold, exchanged, transferred."""
