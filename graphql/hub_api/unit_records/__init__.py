"""Records of a unit: costs, licenses, owners, identifiers."""
