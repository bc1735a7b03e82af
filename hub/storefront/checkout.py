"""Checkout: a cart becomes an order on the channel `storefront`.

The reserved units become the units of the order in the same transaction: at no time are they free.
The order is stored, guarded and worked on as the orders of any other channel.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

from hub import ledger, orders
from hub.access.vault import Vault
from hub.availability import incoming
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.errors import Forbidden, InvalidInput, NotEnoughStock, UnknownReference
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import direct, duplicates, line_status, order_lookup
from hub.orders.direct import DirectLine, DirectOrder
from hub.recalls import people
from hub.storage.rows import ChannelRow, OrderLineRow
from hub.storage.sql import Transaction
from hub.storefront import addresses, carts, reserving
from hub.storefront.addresses import Address
from hub.storefront.carts import CartLine, HeldUnit
from hub.sync import own_channels
from hub.vocabulary import Contact, LineKind

GUEST = "guest-"
LEFTOVER = "not checked out"
REST_TTL_SECONDS = 60  # of what is taken beside the reservation, within this very command


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a shopper orders: the order, and how to reach them.

    Without lines of goods, the order takes what the cart has reserved. A guest has no
    `order.customer_ref`: one is made for the order. Contact and address are sealed.
    """

    order: DirectOrder
    contact: Contact | None = field(default=None, repr=False)
    address: Address | None = field(default=None, repr=False)


class _Count(TypedDict):
    sku: str
    quantity: int


class _Product(TypedDict):
    id: str
    sku: str
    name: str


class _Owner(TypedDict):
    owner: str


def token_of(vault: Vault, order_id: str) -> str:
    """Return the public token of an order: 256 bits that only the hub's secret key derives."""
    return _tokens(vault, order_id)[0]


def _tokens(vault: Vault, order_id: str) -> list[str]:
    return [
        base64.urlsafe_b64encode(hmac.new(key.encode(), order_id.encode(), hashlib.sha256).digest())
        .decode()
        .rstrip("=")
        for key in vault.derive_all("order status")
    ]


def known_token(tx: Transaction, vault: Vault, order_id: str) -> str | None:
    """Return the token that was given for an order, also after the secret key was changed."""
    stored = tx.value("SELECT token_digest FROM checkout WHERE order_id = :id", id=order_id)
    return next((each for each in _tokens(vault, order_id) if digest(each) == stored), None)


def digest(token: str) -> str:
    """Return the form in which a token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def checkout(
    work: Work, vault: Vault, cart: str, purchase: Purchase, *, ref: str | None, number: str | None
) -> str:
    """Make the order of a cart; return its id. All of it is served, or nothing is done.

    What the cart reserved beyond the lines is freed. What the lines ask for beyond the reservation
    is taken from free stock, or before it arrives within the channel's limit of pre-orders. Raises
    InvalidInput, UnknownReference for a cart without a reservation, NotEnoughStock.
    """
    tx, now = work.tx, work.context.now
    channel = own_channels.ensure(tx, own_channels.STOREFRONT, now)
    ref = direct.text(ref or new_id(), "ref", direct.REF_CHARS_MAX)
    number = direct.text(number or _number(ref), "number", direct.NUMBER_CHARS_MAX)
    duplicates.lock_names(tx, [f"{own_channels.STOREFRONT}:{ref}"])
    if order_lookup.state_of(tx, channel["id"], ref) is not None:
        raise InvalidInput(f"an order {ref!r} was checked out already", field="ref")
    held = carts.locked(tx, work.context, cart)
    order = _complete(tx, purchase.order, cart, held)
    held = [*held, *_rest(work, cart, order.lines, held)]
    order = replace(order, customer_ref=order.customer_ref or f"{GUEST}{ref}"[:200])
    said = direct.stated(order, ref, number, now, now)
    order_id = orders.accept(
        tx, work.context, channel, said, bind=lambda made: _bind(work, made, number, held)
    )
    assert order_id is not None  # it is as new as the command
    _require(work, channel, order_id)
    _keep(work, vault, order_id, cart, purchase, order.customer_ref or "")
    return order_id


def require_own(tx: Transaction, order_id: str, key_id: str) -> None:
    """Raise Forbidden for an order that another API key checked out."""
    row = tx.row_as(_Owner, "SELECT owner FROM checkout WHERE order_id = :id", id=order_id)
    if row is None or row["owner"] != key_id:
        raise Forbidden("this needs a key with the scope orders", needs="orders")


def _number(ref: str) -> str:
    # The end of a time-ordered id tells two orders of one minute apart.
    return f"S-{ref[-10:].upper()}"


def _complete(
    tx: Transaction, order: DirectOrder, cart: str, held: Sequence[HeldUnit]
) -> DirectOrder:
    """Return the order with its lines of goods: as given, else what the cart has reserved."""
    if any(line.kind is LineKind.GOODS for line in order.lines):
        return order
    if not held:
        raise UnknownReference(f"nothing is reserved for the cart {cart!r}", field="cart")
    names = _products(tx, sorted({unit["sku"] for unit in held}))
    counts: dict[str, int] = {}
    for unit in held:
        counts[unit["sku"]] = counts.get(unit["sku"], 0) + 1
    goods = [
        DirectLine(sku=sku, quantity=count, title=names[sku]["name"], ref=f"goods-{place}")
        for place, (sku, count) in enumerate(counts.items(), start=1)
    ]
    return replace(order, lines=[*goods, *order.lines])


def _products(tx: Transaction, skus: Sequence[str]) -> dict[str, _Product]:
    rows = tx.rows_as(
        _Product, "SELECT id, sku, name FROM product WHERE sku IN (:skus...)", skus=list(skus)
    )
    return {row["sku"]: row for row in rows}


def _rest(
    work: Work,
    cart: str,
    lines: Sequence[DirectLine],
    held: Sequence[HeldUnit],
) -> list[HeldUnit]:
    """Reserve what the lines ask for beyond the reservation, as far as it is there."""
    wanted: dict[str, int] = {}
    for line in lines:
        if line.kind is LineKind.GOODS:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    for unit in held:
        if unit["sku"] in wanted:
            wanted[unit["sku"]] -= 1
    missing = [
        CartLine(sku=sku, quantity=min(count, carts.QUANTITY_MAX))
        for sku, count in sorted(wanted.items())
        if count > 0
    ]
    if not missing:
        return []
    ttl = carts.checked_ttl(REST_TTL_SECONDS)
    reserving.reserve(work, cart, missing, ttl, partial=True)
    known = {unit["unit_id"] for unit in held}
    return [
        unit for unit in carts.locked(work.tx, work.context, cart) if unit["unit_id"] not in known
    ]


def _bind(work: Work, order_id: str, number: str, held: Sequence[HeldUnit]) -> None:
    """Give the lines of an order the reserved units; free those that no line asks for."""
    lines = work.tx.rows_as(
        OrderLineRow, "SELECT * FROM order_line WHERE order_id = :id ORDER BY id", id=order_id
    )
    left = {product: list(units) for product, units in carts.by_product(held).items()}
    freed: list[str] = []
    for line in lines:
        if line["kind"] != LineKind.GOODS or line["product_id"] not in left:
            continue
        units = left[line["product_id"]]
        taken, left[line["product_id"]] = units[: line["quantity"]], units[line["quantity"] :]
        if taken:
            freed += _promise(work, line["id"], number, [unit["unit_id"] for unit in taken])
    freed += [unit["unit_id"] for units in left.values() for unit in units]
    if freed:
        context = replace(work.context, reason=work.context.reason or LEFTOVER)
        ledger.record(
            work.within(context), UnitCommand(action=Action.RELEASE), [Scan(each) for each in freed]
        )


def _promise(work: Work, line_id: str, number: str, unit_ids: Sequence[str]) -> list[str]:
    """Promise reserved units to a line; return those that may not leave any more (blocked)."""
    command = UnitCommand(
        action=Action.REALLOCATE,
        line=line_id,
        hold_reference=number,
        details={"channel": own_channels.STOREFRONT},
    )
    context = order_lookup.documented(work.context, number)
    verdicts = ledger.record(work.within(context), command, [Scan(each) for each in unit_ids])
    return [verdict.identifier for verdict in verdicts if not verdict.accepted]


def _require(work: Work, channel: ChannelRow, order_id: str) -> None:
    """Raise NotEnoughStock unless each line has its units, or is a pre-order within the limit."""
    tx = work.tx
    lines = tx.rows_as(
        OrderLineRow, "SELECT * FROM order_line WHERE order_id = :id ORDER BY id", id=order_id
    )
    for one in line_status.of_lines(tx, order_lookup.order_of(tx, order_id), lines):
        if one.line["product_id"] is None and one.takes_units and one.wanted:
            raise UnknownReference(f"there is no product {one.line['sku']!r}", field="lines")
        if one.lacking > 0 and not _agreed(tx, channel, one.line["product_id"] or ""):
            raise NotEnoughStock(
                f"there are not {one.line['quantity']} of {one.line['sku']}",
                available=one.line["quantity"] - one.lacking,
                skus=[one.line["sku"]],
            )


def _agreed(tx: Transaction, channel: ChannelRow, product_id: str) -> bool:
    """Return whether what orders lack of a product is within its limit of pre-orders."""
    policy = reserving.policy_of(tx, channel, product_id)
    if not policy.pre_order or policy.selling_paused:
        return False
    coming = incoming.of_products(tx, channel, policy, [product_id])[product_id]
    return coming.covers(policy.pre_order)


def _keep(
    work: Work, vault: Vault, order_id: str, cart: str, purchase: Purchase, customer: str
) -> None:
    """Store what the order has beside it: its token, its address, how to reach the buyer."""
    if purchase.contact is not None:
        people.put(work.tx, work.context, vault, customer, purchase.contact)
    address = purchase.address
    work.tx.run(
        "INSERT INTO checkout(order_id, owner, cart, token_digest, address, created_at) "
        "VALUES(:order, :owner, :cart, :token, :address, :now)",
        order=order_id,
        owner=carts.owner_of(work.context),
        cart=cart,
        token=digest(token_of(vault, order_id)),
        address=None if address is None else addresses.sealed(vault, address),
        now=micros(work.context.now),
    )
