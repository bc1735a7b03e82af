"""Orders placed at the hub itself: by an own shop, a B2B desk or an order management system.

The hub is their channel: `direct`, or `storefront` where a cart was checked out. They are stored,
allocated and guarded exactly as the orders of any other channel, and only these commands change
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from hub import orders
from hub.clock import micros, moment, new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, NotEnoughStock, StepNotAllowed
from hub.orders import duplicates, line_status, order_lookup
from hub.orders.order_lookup import ChannelOrderRow
from hub.storage.rows import ChannelRow, OrderLineRow
from hub.storage.sql import Transaction
from hub.sync import channels, own_channels
from hub.vocabulary import HoldReason, LineKind, Order, OrderLine, OrderState

LINES_MAX = 500
QUANTITY_MAX = 100_000  # of one line
REF_CHARS_MAX = 200
NUMBER_CHARS_MAX = 100
SKU_CHARS_MAX = 100
TITLE_CHARS_MAX = 300
CURRENCY_CHARS = 3
AMOUNT_MAX = Decimal(10) ** 15


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectLine:
    """One ordered line; `ref` names it in later edits, and is its place from 1 where left out."""

    sku: str
    quantity: int
    ref: str | None = None
    title: str = ""
    kind: LineKind = LineKind.GOODS
    unit_price: Decimal | None = None
    discount: Decimal | None = None
    tax: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectOrder:
    """The whole order, as it is to be from now on; an edit replaces everything."""

    lines: Sequence[DirectLine]
    paid: bool = True
    hold: HoldReason | None = None
    customer_ref: str | None = None
    currency: str | None = None
    total: Decimal | None = None
    shipping: Decimal | None = None
    ship_by: datetime | None = None
    deliver_by: datetime | None = None
    is_gift: bool = False


class _Ref(TypedDict):
    id: str


def place(
    work: Work, ref: str | None, number: str | None, order: DirectOrder, *, whole: bool
) -> str:
    """Place an order and allocate its units; return its id.

    `ref` is the caller's own reference, unique among direct orders. With `whole` an order that
    lacks units is refused; otherwise it waits as a back-order with a case. Raises InvalidInput for
    a malformed order or a reference that is taken, NotEnoughStock.
    """
    channel = own_channels.ensure(work.tx, own_channels.DIRECT, work.context.now)
    ref = text(ref or new_id(), "ref", REF_CHARS_MAX)
    number = text(number or ref[:NUMBER_CHARS_MAX], "number", NUMBER_CHARS_MAX)
    duplicates.lock_names(work.tx, [ref])  # two placings of one reference wait for each other
    taken = work.tx.row_as(
        _Ref,
        "SELECT id FROM sales_order WHERE channel_id = :channel AND ref = :ref",
        channel=channel["id"],
        ref=ref,
    )
    if taken is not None:
        raise InvalidInput(f"an order {ref!r} was placed already: edit it", field="ref")
    said = stated(order, ref, number, work.context.now, work.context.now)
    return _store(work, channel, said, whole=whole)


def edit(work: Work, order_id: str, order: DirectOrder, *, whole: bool) -> str:
    """Replace the content of a direct order and allocate anew; return its id.

    A line that is left out is removed. Raises UnknownReference for an unknown order, StepNotAllowed
    for one of another channel or a cancelled one, InvalidInput, NotEnoughStock.
    """
    known = _own(work.tx, order_id)
    # The clocks of two processes differ: an edit is never older than what it edits.
    now = max(work.context.now, moment(known["remote_updated_at"]))
    said = stated(order, known["ref"], known["number"], moment(known["placed_at"]), now)
    return _store(work, channels.by_id(work.tx, known["channel_id"]), said, whole=whole)


def cancel(work: Work, order_id: str) -> str:
    """Cancel a direct order and free its units; return its id.

    Units that have left already are reported as a case. Raises as `edit` does.
    """
    known = _own(work.tx, order_id)
    work.tx.run(
        "UPDATE sales_order SET state = 'cancelled', hold = NULL, remote_state = 'cancelled', "
        "remote_updated_at = :now WHERE id = :id",
        now=micros(work.context.now),
        id=order_id,
    )
    orders.settle(work.tx, work.context, known["id"])
    return known["id"]


def _own(tx: Transaction, order_id: str) -> ChannelOrderRow:
    order = order_lookup.order_of(tx, order_id)
    if order["channel_code"] not in own_channels.NAMES:
        raise StepNotAllowed(
            f"the order {order['number']} belongs to {order['channel_code']}: change it there",
            allowed=[],
        )
    if order["state"] == OrderState.CANCELLED:
        raise StepNotAllowed(f"the order {order['number']} is cancelled", allowed=[])
    return order


def _store(work: Work, channel: ChannelRow, stated: Order, *, whole: bool) -> str:
    order_id = orders.accept(work.tx, work.context, channel, stated)
    assert order_id is not None  # it is as new as the command
    if whole:
        _require_units(work.tx, order_id)
    return order_id


def _require_units(tx: Transaction, order_id: str) -> None:
    """Raise NotEnoughStock where a line lacks units; the caller's transaction undoes the order."""
    lines = tx.rows_as(
        OrderLineRow, "SELECT * FROM order_line WHERE order_id = :id ORDER BY id", id=order_id
    )
    for one in line_status.of_lines(tx, order_lookup.order_of(tx, order_id), lines):
        if one.line["product_id"] is None and one.takes_units and one.wanted:
            raise InvalidInput(f"there is no product {one.line['sku']!r}", field="lines")
        if one.lacking > 0:
            free = one.line["quantity"] - one.lacking
            raise NotEnoughStock(
                f"only {free} of {one.line['sku']} can be promised", available=free
            )


def stated(order: DirectOrder, ref: str, number: str, placed_at: datetime, now: datetime) -> Order:
    """Return an order as a channel would state it; raise InvalidInput for a malformed one."""
    if not 0 < len(order.lines) <= LINES_MAX:
        raise InvalidInput(f"an order has 1 to {LINES_MAX} lines", field="lines")
    lines = tuple(_line(line, place) for place, line in enumerate(order.lines, start=1))
    if len({line.ref for line in lines}) != len(lines):
        raise InvalidInput("each line has a reference of its own", field="lines")
    if order.currency is not None and len(order.currency) != CURRENCY_CHARS:
        raise InvalidInput("a currency is an ISO 4217 code", field="currency")
    for name, amount in (("total", order.total), ("shipping", order.shipping)):
        _amount(amount, name)
    hold = order.hold or (None if order.paid else HoldReason.PAYMENT_PENDING)
    return Order(
        ref=ref,
        number=number,
        state=OrderState.OPEN if hold is None else OrderState.PENDING,
        remote_state="placed" if hold is None else str(hold),
        hold=hold,
        lines=lines,
        placed_at=placed_at,
        updated_at=now,
        customer_ref=order.customer_ref and text(order.customer_ref, "customerRef", REF_CHARS_MAX),
        currency=order.currency,
        total=order.total,
        shipping=order.shipping,
        ship_by=order.ship_by,
        deliver_by=order.deliver_by,
        is_gift=order.is_gift,
    )


def _line(line: DirectLine, place: int) -> OrderLine:
    if not 0 < line.quantity <= QUANTITY_MAX:
        raise InvalidInput(f"a quantity is 1 to {QUANTITY_MAX}", field="quantity")
    if line.kind is LineKind.GOODS or line.sku:
        text(line.sku, "sku", SKU_CHARS_MAX)
    if len(line.title) > TITLE_CHARS_MAX:
        raise InvalidInput(f"at most {TITLE_CHARS_MAX} characters", field="title")
    for name, amount in (
        ("unitPrice", line.unit_price),
        ("discount", line.discount),
        ("tax", line.tax),
    ):
        _amount(amount, name)
    return OrderLine(
        ref=text(line.ref or str(place), "ref", REF_CHARS_MAX),
        sku=line.sku,
        quantity=line.quantity,
        title=line.title,
        kind=line.kind,
        unit_price=line.unit_price,
        discount=line.discount,
        tax=line.tax,
    )


def text(value: str, field: str, most: int) -> str:
    """Return a text without the space around it; raise InvalidInput if it is empty or long."""
    if not 0 < len(value.strip()) <= most:
        raise InvalidInput(f"1 to {most} characters", field=field)
    return value.strip()


def _amount(value: Decimal | None, field: str) -> None:
    if value is not None and not (value.is_finite() and 0 <= value < AMOUNT_MAX):
        raise InvalidInput(f"an amount is 0 to {AMOUNT_MAX}", field=field)
