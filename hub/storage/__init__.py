"""Storage: two databases behind one way to say SQL, the tables and their migrations."""
