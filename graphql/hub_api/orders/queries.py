"""Queries for orders."""

import strawberry

from hub.access.keys import Scope
from hub.errors import UnknownReference
from hub.orders import order_views
from hub.vocabulary import HoldReason, OrderState
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.orders.types import Order


@strawberry.type
class OrderQuery:
    """Reading orders."""

    @strawberry.field(description="One order by its id.")
    async def order(self, info: Info, id: strawberry.ID) -> Order:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        row = await info.context.loaders.of(order_views.orders_by_id).load(id)
        if row is None:
            raise UnknownReference(f"there is no order {id}", field="id")
        return Order.of(row)

    @strawberry.field(description="Orders, the newest first.")
    async def orders(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        channel: str | None = None,
        state: OrderState | None = None,
        number: str | None = None,
        hold: HoldReason | None = None,
    ) -> Connection[Order]:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        rows = await info.context.read(
            lambda tx: order_views.orders(
                tx,
                first=first,
                before=position(after),
                channel=channel,
                state=str(state) if state else None,
                number=number,
                hold=str(hold) if hold else None,
            )
        )
        return page(rows, first, after, Order.of)
