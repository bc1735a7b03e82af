"""Fulfillment: picking, packing, dispatch, collection, counter sales, exchanges, transfers."""
