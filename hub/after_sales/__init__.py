"""After the sale: what covers a unit, claims, repairs, another unit in its place."""
