"""How units come in: births, receipts, announced deliveries, stock from before."""
