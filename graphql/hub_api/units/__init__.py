"""Units: types, look-ups, events and movements."""
