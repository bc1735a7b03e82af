"""Walk through all that a connector has to tell, as the jobs do."""

from connectors import PullOrders
from hub.vocabulary import Order


async def pull_all(connector: PullOrders, cursor: str = "") -> tuple[list[Order], str]:
    """Return all orders after a cursor, page by page, and the cursor of what comes after them."""
    orders: list[Order] = []
    more = True
    while more:
        page = await connector.pull_orders(cursor)
        orders, cursor, more = [*orders, *page.items], page.cursor, page.more
    return orders, cursor
