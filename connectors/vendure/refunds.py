"""Refunds of Vendure payments: amounts with their lines, once for each of our references.

A refund is of one payment; one that is more than a payment has left goes on with the next. Our
reference stands in the reason, where a repeat finds it. A refund that Vendure leaves pending is
paid by nobody: its payment method pays nothing back, and a person settles it.
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from connectors.errors import Rejected
from connectors.refunds import is_marked, marked, parts_of, require_currency, require_left
from connectors.toolkit.amounts import currency_code
from connectors.toolkit.json_fields import identity, records, text
from connectors.vendure import documents
from connectors.vendure.mapping import result_or_raise
from connectors.vendure.money import PRECISION, PRECISION_DEFAULT, money
from hub.vocabulary import Refund

SETTLED, FAILED = "Settled", "Failed"
Found = Mapping[str, Any]
Execute = Callable[..., Awaitable[Any]]


async def refund_order(execute: Execute, order: Found, refund: Refund) -> str:
    """Pay back what the order does not list as paid for our reference; return the refund's id."""
    require_currency(refund, currency_code(order, "currencyCode"))
    payments = records(order, "payments")
    standing = [
        each
        for payment in payments
        for each in records(payment, "refunds")
        if each["state"] != FAILED
    ]
    ours = [each for each in standing if is_marked(refund, each.get("reason"))]
    due = refund.amount - _sum(ours, "total", order)
    left = {identity(each, "id"): _left(each, order) for each in payments}
    require_left(refund, refund.amount - due + sum(left.values(), Decimal()))
    made = list(ours)
    for ref, payable in left.items():
        if (part := min(due, payable)) > 0:
            lines = refund if not made else None  # units are named once
            with parts_of(refund, made):
                made.append(await _pay(execute, ref, part, order, lines, marked(refund)))
            due -= part
    with parts_of(refund, made):
        require_left(refund, refund.amount - due)
    for each in made:
        _require_settled(each)
    return identity(made[0], "id")


async def _pay(
    execute: Execute, payment: str, part: Decimal, order: Found, named: Refund | None, reason: str
) -> Found:
    lines = [
        {"orderLineId": line.order_line_ref, "quantity": line.quantity}
        for line in (named.lines if named else ())
    ]
    units = part.scaleb(_precision(order))
    if units != units.to_integral_value():
        raise Rejected(f"{part} has more than the {_precision(order)} decimals of the server")
    wanted = {
        "paymentId": payment,
        "amount": int(units),
        "reason": reason,
        "lines": lines,
        # Deprecated beside an amount; Vendure 3.7 fails to store a refund without them.
        "shipping": 0,
        "adjustment": 0,
    }
    data = await execute(documents.REFUND, repeat=False, input=wanted)
    return result_or_raise(data["refundOrder"])


def _require_settled(refund: Found) -> None:
    if refund["state"] == SETTLED:
        return
    raise Rejected(
        f"refund {identity(refund, 'id')} is {text(refund, 'state')}: its payment method pays "
        "nothing back by itself, settle it in Vendure"
    )


def _left(payment: Found, order: Found) -> Decimal:
    if text(payment, "state") not in ("", SETTLED):
        return Decimal()
    standing = [each for each in records(payment, "refunds") if each["state"] != FAILED]
    return (money(payment, "amount", order) or Decimal()) - _sum(standing, "total", order)


def _sum(found: list[Found], name: str, order: Found) -> Decimal:
    return sum((money(each, name, order) or Decimal() for each in found), Decimal())


def _precision(order: Found) -> int:
    stated = order.get(PRECISION)
    return stated if isinstance(stated, int) else PRECISION_DEFAULT
