"""Codes: serials, GTINs, EPCs and those of medical devices, taken apart and checked."""
