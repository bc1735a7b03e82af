"""Orders: what was sold where, and which units serve it."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.fulfillment import bindings
from hub.orders import order_views
from hub.returns.views import returns_of_orders
from hub.storage.sql import Row
from hub.vocabulary import OrderState
from hub_api.common.context import Info
from hub_api.returns.channel_returns import ChannelReturn
from hub_api.units.types import Unit

# What the cost of a question assumes of an order: so many lines, and units of a line.
USUAL_SIZE = 5


@strawberry.type(description="One line of an order.")
class OrderLine:
    id: strawberry.ID
    ref: str
    sku: str
    title: str
    quantity: int

    @strawberry.field(
        description="The units that are promised to it or left on it.",
        metadata={"size": USUAL_SIZE},
    )
    async def units(self, info: Info) -> list[Unit]:
        rows = await info.context.loaders.of(order_views.line_units).load(self.id)
        return [Unit.of(row) for row in rows]


@strawberry.type(description="A unit that an order had, or has: the link stays for good.")
class OrderUnit:
    unit_id: strawberry.ID
    line_id: strawberry.ID
    bound_at: datetime
    left_at: datetime | None = strawberry.field(description="It was shipped, sold or collected.")
    returned_at: datetime | None
    released_at: datetime | None = strawberry.field(
        description="The promise was taken back, or given to another unit."
    )

    @classmethod
    def of(cls, binding: bindings.Binding) -> "OrderUnit":
        """Show a binding."""
        return cls(
            unit_id=strawberry.ID(binding.unit_id),
            line_id=strawberry.ID(binding.line_id),
            bound_at=moment(binding.bound_at),
            left_at=_moment(binding.left_at),
            returned_at=_moment(binding.returned_at),
            released_at=_moment(binding.released_at),
        )

    @strawberry.field(description="The unit as it is now, wherever it is.")
    async def unit(self, info: Info) -> Unit:
        row = await info.context.units(self.unit_id)
        assert row is not None  # units are never deleted
        return Unit.of(row)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


@strawberry.type(description="An order of a channel.")
class Order:
    id: strawberry.ID
    number: str
    ref: str = strawberry.field(description="The channel's own reference.")
    channel: str
    channel_name: str
    state: OrderState
    remote_state: str = strawberry.field(description="In the channel's own word.")
    at_counter: bool
    customer_ref: str | None = strawberry.field(description="Who bought: a pseudonym.")
    placed_at: datetime
    recorded_at: datetime
    origin_ref: str | None = strawberry.field(
        description="Where it was imported from: another channel's reference."
    )
    same_as_id: strawberry.ID | None = strawberry.field(
        description="The order of another channel that it seems to repeat."
    )
    same_verdict: str | None = strawberry.field(
        description="suspected or same: it takes no units; different: it is served."
    )

    @classmethod
    def of(cls, row: Row) -> "Order":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            number=row["number"],
            ref=row["ref"],
            channel=row["channel_code"],
            channel_name=row["channel_name"],
            state=OrderState(row["state"]),
            remote_state=row["remote_state"],
            at_counter=bool(row["at_counter"]),
            customer_ref=row["customer_ref"],
            placed_at=moment(row["placed_at"]),
            recorded_at=moment(row["recorded_at"]),
            origin_ref=row["origin_ref"],
            same_as_id=strawberry.ID(row["same_as"]) if row["same_as"] else None,
            same_verdict=row["same_verdict"],
        )

    @strawberry.field(metadata={"size": USUAL_SIZE})
    async def lines(self, info: Info) -> list[OrderLine]:
        """Load the lines."""
        rows = await info.context.loaders.of(order_views.order_lines).load(self.id)
        return [
            OrderLine(
                id=strawberry.ID(row["id"]),
                ref=row["ref"],
                sku=row["sku"],
                title=row["title"],
                quantity=row["quantity"],
            )
            for row in rows
        ]

    @strawberry.field(
        description="Every unit that it ever had, the first first: also what came back or was "
        "sold anew.",
        metadata={"size": USUAL_SIZE, "cost": 5},
    )
    async def units(self, info: Info) -> list[OrderUnit]:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        found = await info.context.loaders.of(bindings.of_orders).load(self.id)
        return [OrderUnit.of(each) for each in found]

    @strawberry.field(
        description="Returns and refunds that the channel reports, oldest first.",
        metadata={"size": 2},
    )
    async def returns(self, info: Info) -> list[ChannelReturn]:
        rows = await info.context.loaders.of(returns_of_orders).load(self.id)
        return [ChannelReturn.of(row) for row in rows]
