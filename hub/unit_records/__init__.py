"""What belongs to one unit: costs, measurements, licenses, owners."""
