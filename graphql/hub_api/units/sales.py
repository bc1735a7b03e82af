"""To whom a unit was sold, every time: its sales with their orders and customers."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.fulfillment.bindings import sales_of
from hub.history.sales import Sale
from hub_api.common.context import Info


@strawberry.type(description="One time that a unit went to a customer.")
class CustomerSale:
    sold_at: datetime
    returned_at: datetime | None
    place: str | None = strawberry.field(description="The location that it left.")
    channel: str | None = strawberry.field(description="Null: a counter of our own.")
    channel_name: str | None
    order_id: strawberry.ID | None
    order_number: str | None
    line: str | None = strawberry.field(description="The channel's reference of the order's line.")
    customer_ref: str | None = strawberry.field(description="Who bought: a pseudonym.")
    staff_ref: str | None = strawberry.field(
        description="Who sold it at the counter: the channel's own reference, a pseudonym."
    )
    document_type: str | None
    document_ref: str | None

    @classmethod
    def of(cls, sale: Sale, returned_at: int | None) -> "CustomerSale":
        """Show a sale."""
        order = sale.order or {}
        return cls(
            sold_at=moment(sale.occurred_at),
            returned_at=None if returned_at is None else moment(returned_at),
            place=sale.place,
            channel=sale.channel,
            channel_name=order.get("channel_name"),
            order_id=strawberry.ID(order["id"]) if order else None,
            order_number=order.get("number"),
            line=order.get("line_ref"),
            customer_ref=order.get("customer_ref"),
            staff_ref=order.get("staff_ref"),
            document_type=sale.document_type,
            document_ref=sale.document_ref,
        )


@strawberry.type
class UnitSales:
    """What a unit says of its sales."""

    id: strawberry.ID

    @strawberry.field(
        description="All its sales, the first first, also those that it came back from.",
        metadata={"size": 2, "cost": 2},
    )
    async def sales(self, info: Info) -> list[CustomerSale]:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        found = await info.context.loaders.of(sales_of).load(self.id)
        return [CustomerSale.of(sale, returned_at) for sale, returned_at in found]
