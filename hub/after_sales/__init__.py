"""After the sale: cover, warranty claims, repairs and replacements."""
