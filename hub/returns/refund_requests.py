"""Refund requests: money that the channel of an order is asked to pay back, once.

A person with the right to do so asks for a refund of an order, or of a return that was taken in. A
job sends it to the channel, which pays with the means that the buyer paid with. A request never
exceeds what is left of what was paid; one whose outcome is not known stops further ones of its
order, so that nothing is paid twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import TypedDict

import orjson

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.returns import receive, refunds
from hub.returns.refund_lines import RequestedLine, lines_of
from hub.storage.rows import ChannelRow, OrderLineRow, OrderRow, RefundRequestRow
from hub.storage.sql import Transaction
from hub.sync import channels, outbox
from hub.vocabulary import HoldReason, Refund, RefundLine
from hub.vocabulary.currencies import decimals_of

TOPIC = "refund"
REASON_CHARS_MAX = 200
LINES_MAX = 500
DIGITS_MAX = 15


class RefundState(StrEnum):
    """Outcome of a refund request."""

    REQUESTED = "requested"  # on its way to the channel
    PAID = "paid"
    REFUSED = "refused"  # the channel paid nothing
    UNKNOWN = "unknown"  # the channel may have paid: it is asked again before anything else


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLine:
    """Units of an order line to pay back; without an amount, what was paid for them."""

    line_id: str
    quantity: int
    amount: Decimal | None = None


class _ReturnedOnLine(TypedDict):
    returns: int


def request(
    work: Work,
    order_id: str,
    *,
    reason: str,
    lines: Sequence[WantedLine] = (),
    amount: Decimal | None = None,
    return_id: str | None = None,
) -> str:
    """Ask the channel of an order to pay back; return the id of the request.

    Without an amount, what was paid for the units of the lines. Raises UnknownReference for an
    unknown order or line, InvalidInput for bad amounts, numbers or texts, StepNotAllowed where the
    channel pays nothing back, the order is not paid, its amounts are not known, or more is asked
    for than is left.
    """
    tx = work.tx
    order = _locked(tx, order_id)
    channel = channels.by_id(tx, order["channel_id"])
    currency = _check_order(tx, order, channel)
    if not 0 < len(reason.strip()) <= REASON_CHARS_MAX:
        raise InvalidInput(f"a reason has 1 to {REASON_CHARS_MAX} characters", field="reason")
    chosen = _lines(tx, order, lines, currency)
    of_lines = sum((Decimal(line["amount"]) for line in chosen), Decimal())
    whole = of_lines if amount is None else amount
    _check_amount(tx, order, whole, of_lines, currency)
    request_id = new_id()
    tx.run(
        "INSERT INTO refund_request(id, order_id, return_id, state, amount, currency, lines, "
        "reason, requested_by, requested_at) VALUES(:id, :order, :return_id, 'requested', "
        ":amount, :currency, :lines, :reason, :actor, :now)",
        id=request_id,
        order=order_id,
        return_id=return_id,
        amount=f"{whole:f}",
        currency=currency,
        lines=orjson.dumps(chosen).decode(),
        reason=reason.strip(),
        actor=work.context.actor,
        now=micros(work.context.now),
    )
    fact = outbox.Fact(
        channel_id=channel["id"],
        topic=TOPIC,
        subject=f"{TOPIC}:{order_id}",  # one after the other of an order
        key=f"{TOPIC}:{request_id}",
        payload={"refund": request_id},
    )
    outbox.put(tx, [fact], work.context.now)
    return request_id


def request_of_return(
    work: Work, return_id: str, *, amount: Decimal | None = None, reason: str | None = None
) -> str:
    """Ask the channel that sold a returned unit to pay it back; return the id of the request.

    Raises as `request` does, and StepNotAllowed for a return that was not taken in, is refunded
    already, or of a unit that no channel's order sold.
    """
    row = receive.refundable(work.tx, work.context, return_id)
    sale = receive.sale_of(work.tx, row)
    if sale is None or sale.order is None or sale.line_id is None:
        raise StepNotAllowed("no order sold it: pay it back here", allowed=["recordRefund"])
    line = WantedLine(line_id=sale.line_id, quantity=1, amount=amount)
    return request(
        work,
        sale.order["id"],
        reason=reason or row["reason"],
        lines=[line],
        return_id=return_id,
    )


def to_send(tx: Transaction, request_id: str) -> Refund | None:
    """Return a refund as its channel is asked for it; None where it was paid meanwhile.

    What the order had paid back is fixed when it is sent the first time.
    """
    row = _request(tx, request_id)
    if row["state"] == RefundState.PAID:
        return None
    order = _locked(tx, row["order_id"])
    before = row["refunded_before"]
    if before is None:
        before = str(_paid_back(tx, order))
    tx.run(
        "UPDATE refund_request SET state = 'requested', refunded_before = :before, error = NULL, "
        "settled_at = NULL WHERE id = :id",
        before=before,
        id=request_id,
    )
    return Refund(
        reference=request_id,
        order_ref=order["ref"],
        amount=Decimal(row["amount"]),
        currency=row["currency"],
        refunded_before=Decimal(before),
        lines=tuple(
            RefundLine(
                order_line_ref=line["ref"],
                quantity=line["quantity"],
                amount=Decimal(line["amount"]),
            )
            for line in lines_of(row["lines"])
        ),
        reason=row["reason"],
    )


def paid(tx: Transaction, context: CommandContext, request_id: str, reference: str) -> None:
    """Record that the channel has paid: of the request, and of its return."""
    row = _request(tx, request_id)
    if row["state"] == RefundState.PAID:
        return
    tx.run(
        "UPDATE refund_request SET state = 'paid', refund_ref = :ref, error = NULL, "
        "settled_at = :now WHERE id = :id",
        ref=reference[:REASON_CHARS_MAX],
        now=micros(context.now),
        id=request_id,
    )
    if row["return_id"] is not None and not _is_marked(tx, row["order_id"], reference):
        refunds.mark_return(tx, context, row["return_id"], reference)
    order = _locked(tx, row["order_id"])
    cases.settle(tx, CaseKind.REFUND_REFUSED, request_id, order["channel_id"], context.now)


def failed(
    tx: Transaction, context: CommandContext, request_id: str, error: str, *, refused: bool
) -> None:
    """Record that the channel refused, or that nobody knows what it did, and open a case."""
    row = _request(tx, request_id)
    order = _locked(tx, row["order_id"])
    state = RefundState.REFUSED if refused else RefundState.UNKNOWN
    tx.run(
        "UPDATE refund_request SET state = :state, error = :error, settled_at = :now, "
        "refunded_before = :before WHERE id = :id",
        state=str(state),
        error=error[:500],
        before=None if refused else row["refunded_before"],
        now=micros(context.now),
        id=request_id,
    )
    what = "paid nothing back" if refused else "may have paid back"
    advice = "Ask for another refund, or pay by hand." if refused else "Replay it before another."
    finding = Finding(
        kind=CaseKind.REFUND_REFUSED,
        subject=request_id,
        channel_id=order["channel_id"],
        severity=Severity.HIGH,
        summary=f"Order {order['number']}: the channel {what} of {row['amount']} "
        f"{row['currency']}: {error[:300]} {advice}",
        details={
            "order": order["number"],
            "order_id": order["id"],
            "refund": request_id,
            "amount": row["amount"],
            "currency": row["currency"],
            "error": error[:500],
        },
    )
    cases.report(tx, finding, context.now)


def _locked(tx: Transaction, order_id: str) -> OrderRow:
    row = tx.row_as(OrderRow, "SELECT * FROM sales_order WHERE id = :id FOR UPDATE", id=order_id)
    if row is None:
        raise UnknownReference(f"there is no order {order_id!r}", field="orderId")
    return row


def _request(tx: Transaction, request_id: str) -> RefundRequestRow:
    row = tx.row_as(RefundRequestRow, "SELECT * FROM refund_request WHERE id = :id", id=request_id)
    if row is None:
        raise UnknownReference(f"there is no refund {request_id!r}", field="id")
    return row


def _requests(tx: Transaction, order_id: str) -> list[RefundRequestRow]:
    return tx.rows_as(
        RefundRequestRow,
        "SELECT * FROM refund_request WHERE order_id = :id AND state <> 'refused' ORDER BY id",
        id=order_id,
    )


def _check_order(tx: Transaction, order: OrderRow, channel: ChannelRow) -> str:
    """Refuse an order of which nothing can be paid back; return its currency."""
    if not channels.can(channel, "refund_orders"):
        text = f"{channel['name']} pays nothing back over its API: pay it back there by hand"
        raise StepNotAllowed(text, allowed=["recordRefund"])
    if order["hold"] == HoldReason.PAYMENT_PENDING:
        raise StepNotAllowed("the order is not paid", allowed=[])
    if order["currency"] is None or order["total"] is None:
        raise StepNotAllowed(
            "its channel hides what the order cost: what is left cannot be checked", allowed=[]
        )
    unsure = [row["id"] for row in _requests(tx, order["id"]) if row["state"] == "unknown"]
    if unsure:
        raise StepNotAllowed(
            f"nobody knows whether refund {unsure[0]} was paid: replay its message first",
            allowed=["replayDeadLetters"],
        )
    return order["currency"]


def _lines(
    tx: Transaction, order: OrderRow, wanted: Sequence[WantedLine], currency: str
) -> list[RequestedLine]:
    """Check the lines of a request and work out their amounts."""
    if len(wanted) > LINES_MAX or len({line.line_id for line in wanted}) != len(wanted):
        raise InvalidInput(f"name each line once, at most {LINES_MAX}", field="lines")
    known = {
        row["id"]: row
        for row in tx.rows_as(
            OrderLineRow, "SELECT * FROM order_line WHERE order_id = :id", id=order["id"]
        )
    }
    chosen: list[RequestedLine] = []
    for line in wanted:
        if line.line_id not in known:
            raise UnknownReference(f"the order has no line {line.line_id!r}", field="lines")
        chosen.append(_line(tx, order, known[line.line_id], line, currency))
    return chosen


def _line(
    tx: Transaction, order: OrderRow, row: OrderLineRow, wanted: WantedLine, currency: str
) -> RequestedLine:
    before = max(refunds.of_line(tx, row["id"]).there, _asked_of_line(tx, order["id"], row["id"]))
    left = row["quantity"] - before
    if not 1 <= wanted.quantity <= left:
        raise StepNotAllowed(
            f"of {row['sku'] or row['title']}, {max(0, left)} can still be paid back", allowed=[]
        )
    amount = wanted.amount
    if amount is None:
        amount = _paid_for(order, row, before, before + wanted.quantity, currency)
    _check_decimals(amount, currency)
    if amount < 0:
        raise InvalidInput("an amount is not below zero", field="lines")
    return RequestedLine(
        line_id=row["id"], ref=row["ref"], quantity=wanted.quantity, amount=f"{amount:f}"
    )


def _asked_of_line(tx: Transaction, order_id: str, line_id: str) -> int:
    return sum(
        line["quantity"]
        for row in _requests(tx, order_id)
        for line in lines_of(row["lines"])
        if line["line_id"] == line_id
    )


def _paid_for(order: OrderRow, line: OrderLineRow, first: int, last: int, currency: str) -> Decimal:
    """Return what was paid for the units from `first` to `last` of a line, tax included.

    Cents that do not come out even fall to some of the units, so that all of them add up.
    """
    if line["unit_price"] is None:
        raise StepNotAllowed(
            f"its channel hides what {line['sku']} cost: state the amount", allowed=["amount"]
        )
    quantity = line["quantity"]
    paid_for = Decimal(line["unit_price"]) * quantity - Decimal(line["discount"] or 0)
    if not order["tax_included"]:
        paid_for += Decimal(line["tax"] or 0)
    cent = Decimal(1).scaleb(-decimals_of(currency))
    upto, before = (
        (paid_for * units / quantity).quantize(cent, ROUND_HALF_EVEN) for units in (last, first)
    )
    return max(upto - before, Decimal())


def _check_amount(
    tx: Transaction, order: OrderRow, whole: Decimal, of_lines: Decimal, currency: str
) -> None:
    _check_decimals(whole, currency)
    if whole <= 0:
        raise InvalidInput("an amount is above zero", field="amount")
    if of_lines > whole:
        raise InvalidInput("the amounts of the lines exceed that of the refund", field="amount")
    pending = sum(
        (Decimal(row["amount"]) for row in _requests(tx, order["id"]) if row["state"] != "paid"),
        Decimal(),
    )
    left = Decimal(order["total"] or 0) - _paid_back(tx, order) - pending
    if whole > left:
        raise StepNotAllowed(
            f"{max(left, Decimal())} {currency} of the order can still be paid back", allowed=[]
        )


def _check_decimals(amount: Decimal, currency: str) -> None:
    digits = decimals_of(currency)
    if not amount.is_finite() or amount.adjusted() >= DIGITS_MAX:
        raise InvalidInput(f"an amount has at most {DIGITS_MAX} digits", field="amount")
    if amount != amount.quantize(Decimal(1).scaleb(-digits)):
        raise InvalidInput(f"an amount in {currency} has {digits} decimals", field="amount")


def _paid_back(tx: Transaction, order: OrderRow) -> Decimal:
    """Return what the order has paid back: as its channel last stated it, and by us since."""
    ours = [
        Decimal(row["refunded_before"] or 0) + Decimal(row["amount"])
        for row in _requests(tx, order["id"])
        if row["state"] == RefundState.PAID
    ]
    return max([Decimal(order["refunded"] or 0), *ours])


def _is_marked(tx: Transaction, order_id: str, reference: str) -> bool:
    """Return whether a return of the order bears the refund already, read from the channel."""
    found = tx.row_as(
        _ReturnedOnLine,
        "SELECT COUNT(*) AS returns FROM return_case WHERE order_id = :order AND refund_ref = :ref",
        order=order_id,
        ref=reference,
    )
    assert found is not None
    return found["returns"] > 0
