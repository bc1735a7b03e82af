"""The ledger: what every unit is, where it is, and how it came to be so. SQL, and nothing else."""
