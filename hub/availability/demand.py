"""Demand: the SQL condition of order lines that want units.

One place, so that allocation, back-orders, early sales and oversales agree on it.
"""

# Of an order line joined with its order: it sells goods, the order is placed, and its promises have
# not ended for want of a payment.
WANTS_UNITS = (
    "order_line.kind = 'goods' AND sales_order.state IN ('open', 'pending') "
    "AND sales_order.promises_ended_at IS NULL"
)
