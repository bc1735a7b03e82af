"""Refunds of Medusa payments: amounts, once for each of our references.

A refund is of one captured payment; one that is more than a payment has left goes on with the next.
Our reference stands in the note, where a repeat finds it. Medusa names no lines of a refund.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connectors.errors import Unknown
from connectors.refunds import is_marked, marked, parts_of, require_currency, require_left
from connectors.remote import RemoteApi
from connectors.toolkit.amounts import amount, currency_code, total, written
from connectors.toolkit.json_fields import identity, object_field, records
from hub.vocabulary import Refund

_PAYMENTS = "payment_collections.payments"
FIELDS = f"id,currency_code,*{_PAYMENTS},*{_PAYMENTS}.captures,*{_PAYMENTS}.refunds"
Found = Mapping[str, Any]


async def refund_order(api: RemoteApi, refund: Refund) -> str:
    """Pay back what the order does not list as paid for our reference; return the refund's id."""
    order = await _order(api, refund.order_ref)
    require_currency(refund, currency_code(order, "currency_code"))
    payments = _payments(order)
    ours = _ours(payments, refund)
    due = refund.amount - _sum(ours)
    left = {identity(each, "id"): _left(each) for each in payments}
    require_left(refund, refund.amount - due + sum(left.values(), Decimal()))
    if due <= 0:
        return identity(ours[0], "id")
    paid = list(ours)
    for payment, payable in left.items():
        if (part := min(due, payable)) > 0:
            path = f"/admin/payments/{quote(payment, safe='')}/refund"
            # A JSON number; its text is the exact decimal, up to 15 digits.
            body = {"amount": float(written(part, refund.currency)), "note": marked(refund)}
            with parts_of(refund, paid):
                paid.append(await api.json_object("POST", path, json=body))
            due -= part
    with parts_of(refund, paid):
        require_left(refund, refund.amount - due)
    made = _ours(_payments(await _order(api, refund.order_ref)), refund)
    if not made:
        raise Unknown("the order does not list the refund yet")
    return identity(made[0], "id")


async def _order(api: RemoteApi, ref: str) -> Found:
    path, params = f"/admin/orders/{quote(ref, safe='')}", {"fields": FIELDS}
    return object_field(await api.json_object("GET", path, params=params), "order")


def _payments(order: Found) -> list[Found]:
    return [
        payment
        for collection in records(order, "payment_collections")
        for payment in records(collection, "payments")
    ]


def _ours(payments: list[Found], refund: Refund) -> list[Found]:
    refunds = (each for payment in payments for each in records(payment, "refunds"))
    return [each for each in refunds if is_marked(refund, each.get("note"))]


def _left(payment: Found) -> Decimal:
    captured = _sum(list(records(payment, "captures")))
    return captured - _sum(list(records(payment, "refunds")))


def _sum(found: list[Found]) -> Decimal:
    return total(amount(each, "amount") for each in found) or Decimal()
