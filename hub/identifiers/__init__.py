"""Identifiers: serials, barcodes, EPCs and labels, parsed and checked."""
