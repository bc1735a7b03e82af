"""Mutations for orders that are placed at the hub itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.orders import direct, order_views
from hub.orders.direct import DirectLine, DirectOrder
from hub.storefront import checkout, payments
from hub.vocabulary import HoldReason, LineKind
from hub_api.common.commands import Call, command
from hub_api.common.problems import AnyProblem, NotEnoughStock
from hub_api.orders.types import Order

DirectOrderResult = Annotated[
    Order | AnyProblem | NotEnoughStock, strawberry.union("DirectOrderResult")
]


@strawberry.input(description="One line of a direct order.")
class DirectOrderLineInput:
    sku: str = strawberry.field(description="Our SKU; empty for a line that is no goods.")
    quantity: int = strawberry.field(description="Number of pieces, at least 1.")
    ref: str | None = strawberry.field(
        description="Reference of the line for later edits; null: its place, from 1.", default=None
    )
    title: str = strawberry.field(description="Text of the line for people.", default="")
    kind: LineKind = strawberry.field(
        description="Kind of the line; only GOODS take units.", default=LineKind.GOODS
    )
    unit_price: Decimal | None = strawberry.field(
        description="Price of one unit before discounts.", default=None
    )
    discount: Decimal | None = strawberry.field(
        description="Discount of the whole line.", default=None
    )
    tax: Decimal | None = strawberry.field(description="Tax of the whole line.", default=None)

    def plain(self) -> DirectLine:
        """Return the line for the hub."""
        return DirectLine(
            sku=self.sku,
            quantity=self.quantity,
            ref=self.ref,
            title=self.title,
            kind=self.kind,
            unit_price=self.unit_price,
            discount=self.discount,
            tax=self.tax,
        )


@strawberry.input(description="A direct order as it is to be; an edit replaces everything.")
class DirectOrderInput:
    lines: list[DirectOrderLineInput] = strawberry.field(description="Its lines, 1 to 500.")
    paid: bool = strawberry.field(
        description="False: its units are promised and nothing leaves until an edit says true.",
        default=True,
    )
    hold: HoldReason | None = strawberry.field(
        description="Another reason why nothing of it may leave.", default=None
    )
    customer_ref: str | None = strawberry.field(
        description="Pseudonym of the customer; never a name or an address.", default=None
    )
    currency: str | None = strawberry.field(description="ISO 4217 code.", default=None)
    total: Decimal | None = strawberry.field(
        description="Amount that the buyer pays, taxes and shipping included.", default=None
    )
    shipping: Decimal | None = strawberry.field(description="Price of the shipping.", default=None)
    ship_by: datetime | None = strawberry.field(
        description="Instant by which it is promised to leave.", default=None
    )
    deliver_by: datetime | None = strawberry.field(
        description="Instant by which it is promised to arrive.", default=None
    )
    is_gift: bool = strawberry.field(description="Whether it is a gift.", default=False)

    def plain(self) -> DirectOrder:
        """Return the order for the hub."""
        return DirectOrder(
            lines=[line.plain() for line in self.lines],
            paid=self.paid,
            hold=self.hold,
            customer_ref=self.customer_ref,
            currency=self.currency,
            total=self.total,
            shipping=self.shipping,
            ship_by=self.ship_by,
            deliver_by=self.deliver_by,
            is_gift=self.is_gift,
        )


@strawberry.type
class DirectOrderMutation:
    """Placing, editing and cancelling orders at the hub itself."""

    @command(
        Scope.ORDERS,
        description="Place an order of an own shop, a B2B desk or an order management system. Its "
        "units are promised as for an order of any channel.",
        result=DirectOrderResult,
    )
    async def place_order(
        self,
        call: Call,
        order: DirectOrderInput,
        ref: str | None = None,
        number: str | None = None,
        whole: bool = False,
    ) -> Order:
        """Place an order."""

        def do(work: Work) -> str:
            return direct.place(work, ref, number, order.plain(), whole=whole)

        return await _done(call, do)

    @command(
        Scope.ORDERS,
        description="Replace the content of a direct order; a line that is left out is removed.",
        result=DirectOrderResult,
    )
    async def edit_order(
        self,
        call: Call,
        order_id: strawberry.ID,
        order: DirectOrderInput,
        whole: bool = False,
    ) -> Order:
        """Edit an order."""

        def do(work: Work) -> str:
            return direct.edit(work, order_id, order.plain(), whole=whole)

        return await _done(call, do)

    @command(
        Scope.ORDERS,
        Scope.CARTS,
        description="Cancel an order that was placed at the hub and free its units; units that "
        "left are reported as a case. With the scope `carts` alone, an order that the key checked "
        "out.",
        result=DirectOrderResult,
    )
    async def cancel_order(self, call: Call, order_id: strawberry.ID, reason: str) -> Order:
        """Cancel an order."""
        caller = call.context.caller

        def do(work: Work) -> str:
            if not caller.may(Scope.ORDERS):
                checkout.require_own(work.tx, order_id, caller.key_id)
            context = replace(work.context, reason=reason)
            return direct.cancel(work.within(context), order_id)

        return await _done(call, do)

    @command(
        Scope.ORDERS,
        description="Confirm that the buyer of a checked-out order has paid: its units may leave. "
        "Only a server says so, when its payment provider has told it; a confirmed order stays as "
        "it is.",
        result=DirectOrderResult,
    )
    async def confirm_payment(
        self,
        call: Call,
        token: str,
        amount: Decimal | None = None,
        currency: str | None = None,
    ) -> Order:
        """Confirm a payment, of the amount that the order states."""
        return await _done(call, lambda work: payments.confirm(work, token, amount, currency))


async def _done(call: Call, do: Callable[[Work], str]) -> Order:
    order_id = (await call.once(call.context.command_context(), do)).value
    found = await call.context.read(lambda tx: order_views.orders_by_id(tx, [order_id]))
    return Order.of(found[order_id])
