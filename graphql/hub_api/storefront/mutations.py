"""Mutations of shops: reserving for a cart, and checking it out."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.errors import NotEnoughStock as TooFew
from hub.orders import order_views
from hub.orders.direct import DirectOrder
from hub.storefront import addresses, carts, checkout, reserving, shoppers
from hub.storefront.checkout import Purchase
from hub_api.common.commands import Call, command
from hub_api.common.context import Context
from hub_api.common.problems import AnyProblem, NotEnoughStock, answer
from hub_api.orders.direct_orders import DirectOrderLineInput
from hub_api.orders.types import Order
from hub_api.storefront.types import (
    AddressInput,
    CartLineInput,
    CartLineResult,
    ContactInput,
    Reservation,
    ReservationChange,
    ReserveOutcome,
)

ReserveResult = Annotated[
    ReserveOutcome | AnyProblem | NotEnoughStock, strawberry.union("ReserveResult")
]
ReservationChangeResult = answer("ReservationChangeResult", ReservationChange)


@strawberry.type(description="An order that was checked out, and the token of its status.")
class CheckedOut:
    order: Order = strawberry.field(description="The order.")
    token: str | None = strawberry.field(
        description="Public token of the order for `orderStatus`; the hub stores its digest only."
    )
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was ordered again."
    )


CheckoutResult = Annotated[
    CheckedOut | AnyProblem | NotEnoughStock, strawberry.union("CheckoutResult")
]


@strawberry.input(description="Order of a shopper.")
class CheckoutInput:
    lines: list[DirectOrderLineInput] = strawberry.field(
        description="Lines with their prices. Without a line of goods, the order takes all that "
        "the cart has reserved.",
        default_factory=list,
    )
    paid: bool | None = strawberry.field(
        description="False: its units are promised and nothing leaves until an edit says true. "
        "Null: true, and with a publishable key false.",
        default=None,
    )
    customer_ref: str | None = strawberry.field(
        description="Pseudonym of a known customer; null: a guest, who gets one for this order.",
        default=None,
    )
    contact: ContactInput | None = strawberry.field(
        description="How to reach the buyer.", default=None
    )
    address: AddressInput | None = strawberry.field(
        description="Where it goes; null: the shop keeps the address.", default=None
    )
    currency: str | None = strawberry.field(description="ISO 4217 code.", default=None)
    total: Decimal | None = strawberry.field(
        description="Amount that the buyer pays, taxes and shipping included.", default=None
    )
    shipping: Decimal | None = strawberry.field(description="Price of the shipping.", default=None)
    deliver_by: datetime | None = strawberry.field(
        description="Instant by which it is promised to arrive.", default=None
    )
    is_gift: bool = strawberry.field(description="Whether it is a gift.", default=False)

    def plain(self, *, paid: bool) -> Purchase:
        """Return the purchase for the hub."""
        return Purchase(
            order=DirectOrder(
                lines=[line.plain() for line in self.lines],
                paid=paid,
                customer_ref=self.customer_ref,
                currency=self.currency,
                total=self.total,
                shipping=self.shipping,
                deliver_by=self.deliver_by,
                is_gift=self.is_gift,
            ),
            contact=None if self.contact is None else self.contact.plain(),
            address=None if self.address is None else self.address.plain(),
        )


@strawberry.type
class StorefrontMutation:
    """Reserving and checking out."""

    @command(
        Scope.CARTS,
        Scope.POS,
        description="Reserve units for a cart; the hub chooses them by the rule of their product "
        "and the policy of the storefront. They are the cart's until the time is over, and free "
        "for others at that very instant.",
        result=ReserveResult,
    )
    async def reserve(
        self,
        call: Call,
        cart: str,
        lines: list[CartLineInput],
        ttl_seconds: int = 900,
        partial: bool = False,
        near: list[str] | None = None,
    ) -> ReserveOutcome:
        """Reserve all lines or none of them; with `partial`, as much of each as there is."""
        caller = call.context.caller
        cart, ttl = shoppers.checked_cart(caller, cart), carts.checked_ttl(ttl_seconds)
        wanted = [line.plain() for line in lines]
        shoppers.check_size(caller, wanted, ttl_seconds)

        def do(work: Work) -> list[dict[str, Any]]:
            outcomes = reserving.reserve(work, cart, wanted, ttl, partial=partial, near=near or ())
            return [
                {
                    "sku": each.line.sku,
                    "requested": each.line.quantity,
                    "reserved": each.reserved,
                    "code": each.code,
                    "message": each.message,
                }
                for each in outcomes
            ]

        done = await _discreet(call, do)
        return ReserveOutcome(
            reservation=await _reservation(call.context, cart),
            lines=[CartLineResult.of(each) for each in done.value],
            replayed=done.replayed,
        )

    @command(
        Scope.CARTS,
        Scope.POS,
        description="Let the whole reservation of a cart end so many seconds from now.",
        result=ReservationChangeResult,
    )
    async def extend_reservation(
        self, call: Call, cart: str, ttl_seconds: int = 900
    ) -> ReservationChange:
        """Extend what is still reserved."""
        caller = call.context.caller
        cart, ttl = shoppers.checked_cart(caller, cart), carts.checked_ttl(ttl_seconds)
        shoppers.check_size(caller, (), ttl_seconds)
        return await _changed(call, cart, lambda work: carts.extend(work, cart, ttl))

    @command(
        Scope.CARTS,
        Scope.POS,
        description="Free what a cart has reserved, or only some lines of it.",
        result=ReservationChangeResult,
    )
    async def release_reservation(
        self, call: Call, cart: str, lines: list[CartLineInput] | None = None
    ) -> ReservationChange:
        """Release a reservation."""
        cart = shoppers.checked_cart(call.context.caller, cart)
        wanted = None if lines is None else [line.plain() for line in lines]
        return await _changed(call, cart, lambda work: carts.release(work, cart, wanted))

    @command(
        Scope.CARTS,
        description="Make the order of a cart on the channel `storefront`: its reserved units "
        "become those of the order. All of it is served, or nothing is done.",
        result=CheckoutResult,
        secret=True,
    )
    async def checkout(
        self,
        call: Call,
        cart: str,
        order: CheckoutInput,
        ref: str | None = None,
        number: str | None = None,
    ) -> CheckedOut:
        """Check out."""
        caller, vault = call.context.caller, call.context.vault
        cart = shoppers.checked_cart(caller, cart)
        purchase = order.plain(paid=shoppers.is_paid(caller, order.paid))
        shoppers.check_order(caller, order.customer_ref, order.total)

        def do(work: Work) -> str:
            return checkout.checkout(work, vault, cart, purchase, ref=ref, number=number)

        done = await _discreet(call, do)
        return CheckedOut(
            order=await _order(call.context, done.value),
            token=await call.context.read(lambda tx: checkout.known_token(tx, vault, done.value)),
            replayed=done.replayed,
        )

    @command(
        Scope.CARTS,
        description="Replace the address of a checked-out order before any of it has left; with "
        "the scope `carts` alone, of an order that the key checked out.",
        result=answer("ChangeDeliveryAddressResult", Order),
        secret=True,
    )
    async def change_delivery_address(
        self, call: Call, order_id: strawberry.ID, address: AddressInput
    ) -> Order:
        """Change where an order goes."""
        vault, context = call.context.vault, call.context

        def do(work: Work) -> str:
            if not context.caller.may(Scope.ORDERS):
                checkout.require_own(work.tx, order_id, context.caller.key_id)
            addresses.change(work.tx, vault, order_id, address.plain())
            return str(order_id)

        done = await call.once(context.command_context(), do)
        return await _order(context, done.value)


async def _order(context: Context, order_id: str) -> Order:
    found = await context.read(lambda tx: order_views.orders_by_id(tx, [order_id]))
    return Order.of(found[order_id])


async def _reservation(context: Context, cart: str) -> Reservation | None:
    of_caller = context.command_context()
    units = await context.read(lambda tx: carts.held(tx, of_caller, cart))
    return Reservation.of(cart, units, of_caller.now)


async def _changed(call: Call, cart: str, do: Callable[[Work], int]) -> ReservationChange:
    done = await call.once(call.context.command_context(), do)
    return ReservationChange(
        reservation=await _reservation(call.context, cart),
        units=done.value,
        replayed=done.replayed,
    )


async def _discreet(call: Call, do: Callable[[Work], Any]) -> Any:
    """Run a command; a refusal names exact numbers only to callers who may see them."""
    try:
        return await call.once(call.context.command_context(), do)
    except TooFew as refusal:
        if call.context.caller.may(Scope.QUANTITIES):
            raise
        details = {**refusal.details, "available": None}
        raise TooFew(str(refusal), **details) from None
