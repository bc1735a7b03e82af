"""Orders: what was sold where, and which units serve it."""

from datetime import datetime
from decimal import Decimal

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.fulfillment import bindings
from hub.orders import order_views
from hub.orders.order_views import OrderViewRow
from hub.returns.views import returns_of_orders
from hub.storage.rows import OrderLineRow
from hub.storefront import addresses
from hub.vocabulary import HoldReason, LineKind, OrderState
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.engine.stored import each
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
    kind: LineKind = strawberry.field(description="Kind of the line; only GOODS take units.")
    unit_price: Decimal | None = strawberry.field(
        description="Price of one unit before discounts, in the order's currency."
    )
    discount: Decimal | None = strawberry.field(description="Discount of the whole line.")
    tax: Decimal | None = strawberry.field(description="Tax of the whole line.")
    withheld: int = strawberry.field(
        description="Units that a person took off the line; nothing is allocated in their place."
    )

    @classmethod
    def of(cls, row: OrderLineRow) -> "OrderLine":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            ref=row["ref"],
            sku=row["sku"],
            title=row["title"],
            quantity=row["quantity"],
            kind=LineKind(row["kind"]),
            unit_price=decimal_of(row["unit_price"]),
            discount=decimal_of(row["discount"]),
            tax=decimal_of(row["tax"]),
            withheld=row["withheld"],
        )

    @strawberry.field(
        description="The units that are promised to it or left on it.",
        metadata={"size": USUAL_SIZE},
    )
    async def units(self, info: Info) -> list[Unit]:
        rows = await info.context.loaders.of(order_views.line_units).load(self.id)
        return each(Unit.of, rows)


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


def decimal_of(value: str | None) -> Decimal | None:
    """Return an exact amount as it was stored."""
    return None if value is None else Decimal(value)


@strawberry.type(description="Amounts of an order, as far as its channel shows them.")
class OrderMoney:
    currency: str | None = strawberry.field(description="ISO 4217 code.")
    total: Decimal | None = strawberry.field(description="Taxes and shipping included.")
    discount: Decimal | None = strawberry.field(description="All discounts together.")
    tax: Decimal | None = strawberry.field(description="All taxes together.")
    shipping: Decimal | None = strawberry.field(description="Price of the shipping.")
    refunded: Decimal | None = strawberry.field(description="Amount that was paid back so far.")
    tax_included: bool | None = strawberry.field(
        description="Whether prices of lines contain their tax."
    )


@strawberry.type(description="A hold that somebody let pass.")
class HoldOverride:
    hold: HoldReason = strawberry.field(description="The hold that passed.")
    reason: str = strawberry.field(description="The reason that was given.")
    by: str = strawberry.field(description="Name of the API key.")
    at: datetime


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def _override(row: OrderViewRow) -> HoldOverride | None:
    if row["hold_override"] is None or row["hold_override_at"] is None:
        return None
    return HoldOverride(
        hold=HoldReason(row["hold_override"]),
        reason=row["hold_override_reason"] or "",
        by=row["hold_override_by"] or "",
        at=moment(row["hold_override_at"]),
    )


def _money(row: OrderViewRow) -> OrderMoney:
    return OrderMoney(
        currency=row["currency"],
        total=decimal_of(row["total"]),
        discount=decimal_of(row["discount"]),
        tax=decimal_of(row["tax"]),
        shipping=decimal_of(row["shipping"]),
        refunded=decimal_of(row["refunded"]),
        tax_included=None if row["tax_included"] is None else bool(row["tax_included"]),
    )


@strawberry.type(description="Where an order goes.")
class DeliveryAddress:
    name: str = strawberry.field(description="Name of the recipient.")
    lines: list[str] = strawberry.field(description="Street and house.")
    city: str = strawberry.field(description="Town or city.")
    country: str = strawberry.field(description="ISO 3166-1 code.")
    postal_code: str = strawberry.field(description="Postal code as its country writes it.")
    region: str = strawberry.field(description="State or province.")


@strawberry.type(description="An order of a channel.")
class Order(Node):
    id: strawberry.ID
    number: str
    ref: str = strawberry.field(description="The channel's own reference.")
    channel: str
    channel_name: str
    state: OrderState
    hold: HoldReason | None = strawberry.field(description="Why nothing of it may leave.")
    hold_override: HoldOverride | None = strawberry.field(
        description="The hold that somebody let pass; another hold stops the order again."
    )
    is_test: bool = strawberry.field(description="Made to try the shop: nobody bought anything.")
    promises_ended_at: datetime | None = strawberry.field(
        description="It was not paid in time: its units are free until it is paid."
    )
    money: OrderMoney = strawberry.field(
        description="Its amounts, as far as the channel shows them."
    )
    ship_by: datetime | None = strawberry.field(
        description="Instant by which the channel promised that it leaves."
    )
    deliver_by: datetime | None = strawberry.field(
        description="Instant by which the channel promised that it arrives."
    )
    is_gift: bool = strawberry.field(description="Whether it is a gift.")
    has_note: bool = strawberry.field(description="The buyer wrote a note; the channel shows it.")
    location_ref: str | None = strawberry.field(
        description="Where the channel wants it fulfilled, in its own reference."
    )
    remote_state: str = strawberry.field(description="The channel's own word for the order.")
    payment_state: str = strawberry.field(
        description="The channel's own word for what is paid; empty where it has none."
    )
    shipment_state: str = strawberry.field(
        description="The channel's own word for what has left; empty where it has none."
    )
    at_counter: bool
    customer_ref: str | None = strawberry.field(description="Who bought: a pseudonym.")
    staff_ref: str | None = strawberry.field(
        description="Who sold it at the counter: the channel's own reference, a pseudonym."
    )
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
    def of(cls, row: OrderViewRow) -> "Order":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            number=row["number"],
            ref=row["ref"],
            channel=row["channel_code"],
            channel_name=row["channel_name"],
            state=OrderState(row["state"]),
            hold=HoldReason(row["hold"]) if row["hold"] else None,
            hold_override=_override(row),
            is_test=bool(row["is_test"]),
            promises_ended_at=_moment(row["promises_ended_at"]),
            money=_money(row),
            ship_by=_moment(row["ship_by"]),
            deliver_by=_moment(row["deliver_by"]),
            is_gift=bool(row["is_gift"]),
            has_note=bool(row["has_note"]),
            location_ref=row["location_ref"],
            remote_state=row["remote_state"],
            payment_state=row["payment_state"],
            shipment_state=row["shipment_state"],
            at_counter=bool(row["at_counter"]),
            customer_ref=row["customer_ref"],
            staff_ref=row["staff_ref"],
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
        return each(OrderLine.of, rows)

    @strawberry.field(
        description="Every unit that it ever had, the first first: also what came back or was "
        "sold anew.",
        metadata={"size": USUAL_SIZE, "cost": 5},
    )
    async def units(self, info: Info) -> list[OrderUnit]:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        found = await info.context.loaders.of(bindings.of_orders).load(self.id)
        return each(OrderUnit.of, found)

    @strawberry.field(
        description="Where it goes, of an order that was checked out here with an address; null: "
        "its channel keeps the address, or its buyer was erased.",
        metadata={"cost": 5},
    )
    async def delivery_address(self, info: Info) -> DeliveryAddress | None:
        info.context.require(Scope.ORDERS, Scope.OPS)
        sealed = await info.context.loaders.of(addresses.of_orders).load(self.id)
        if sealed is None:
            return None
        opened = addresses.opened(info.context.vault.open(sealed))
        return DeliveryAddress(
            name=opened.name,
            lines=list(opened.lines),
            city=opened.city,
            country=opened.country,
            postal_code=opened.postal_code,
            region=opened.region,
        )

    @strawberry.field(
        description="Returns and refunds that the channel reports, oldest first.",
        metadata={"size": 2},
    )
    async def returns(self, info: Info) -> list[ChannelReturn]:
        rows = await info.context.loaders.of(returns_of_orders).load(self.id)
        return each(ChannelReturn.of, rows)
