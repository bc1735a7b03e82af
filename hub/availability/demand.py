"""Demand: the SQL conditions of orders and lines that want units.

One place, so that allocation, back-orders, early sales and oversales agree on it.
"""

# The order is placed, and its promises have not ended for want of a payment.
WANTS_UNITS = "sales_order.state IN ('open', 'pending') AND sales_order.promises_ended_at IS NULL"
# The line sells goods that are known by serial.
IS_SERIALIZED = (
    "order_line.kind = 'goods' AND order_line.product_id IS NOT NULL AND EXISTS (SELECT 1 "
    "FROM product AS sold WHERE sold.id = order_line.product_id "
    "AND sold.tracking IN ('serial', 'serial_lot'))"
)
