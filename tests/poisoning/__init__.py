"""A hub with a row in every table, values that nobody can read, and all that reads them."""
