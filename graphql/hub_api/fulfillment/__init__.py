"""Fulfillment: picking, packing, dispatch and tasks."""
