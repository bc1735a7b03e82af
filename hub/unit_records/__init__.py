"""Records of single units: costs, sensor readings, licenses, ownership, custom fields."""
