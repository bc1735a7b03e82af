"""What belongs to one unit: costs, measurements, licences, owners."""
