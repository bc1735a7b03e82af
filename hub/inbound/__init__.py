"""Goods in: receiving, advance ship notices, and stock whose serials were not read before."""
