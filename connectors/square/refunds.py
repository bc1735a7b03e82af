"""Refunds of Square payments: amounts, once for each of our references.

A refund is of one payment; one that is more than a payment has left goes on with the next. Its
idempotency key is made of our reference and the payment, and the reference stands in its reason,
which the order lists, a few seconds later. Square names no lines of such a refund.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.errors import Rejected, Unknown
from connectors.refunds import is_marked, marked, parts_of, require_currency, require_left
from connectors.remote import RemoteApi
from connectors.square.mapping import KeyReused, call, digest
from connectors.square.money import money
from connectors.square.returns import FAILED
from connectors.toolkit.amounts import currency_code, to_minor, total
from connectors.toolkit.json_fields import identity, object_field, records, text
from hub.vocabulary import Refund

REASON_CHARS_MAX = 192
KEY_CHARS_MAX = 45
Found = Mapping[str, Any]


async def refund_order(api: RemoteApi, order: Found, refund: Refund) -> str:
    """Pay back what the order does not list as paid for our reference; return the refund's id."""
    require_currency(refund, currency_code(order, "total_money", "currency"))
    standing = [each for each in records(order, "refunds") if each.get("status") not in FAILED]
    ours = [each for each in standing if is_marked(refund, each.get("reason"))]
    due = refund.amount - (total(money(each, "amount_money") for each in ours) or Decimal())
    if due <= 0:
        return identity(ours[0], "id")
    tenders = records(order, "tenders")
    left = {text(each, "id"): _left(each, standing) for each in tenders}
    payable = sum((amount for amount in left.values() if amount > 0), Decimal())
    require_left(refund, refund.amount - due + payable)
    made = [identity(each, "id") for each in ours]
    for tender in tenders:
        part = min(due, left[text(tender, "id")])
        if part > 0:
            with parts_of(refund, made):
                made.append(await _pay(api, tender, part, refund))
            due -= part
    with parts_of(refund, made):
        require_left(refund, refund.amount - due)
    return await _named(api, order, refund) or made[0]


async def _pay(api: RemoteApi, tender: Found, part: Decimal, refund: Refund) -> str:
    payment = text(tender, "payment_id") or identity(tender, "id")
    body = {
        "idempotency_key": digest(refund.reference, payment)[:KEY_CHARS_MAX],
        "payment_id": payment,
        "amount_money": {"amount": to_minor(part, refund.currency), "currency": refund.currency},
        "reason": marked(refund, REASON_CHARS_MAX),
    }
    try:
        answer = await call(api, "POST", "/v2/refunds", json=body, repeat=True)
    except KeyReused as error:
        # An earlier call paid another part of it, which the order does not list yet.
        raise Unknown(str(error)) from error
    made = object_field(answer, "refund")
    if made.get("status") in FAILED:
        raise Rejected(f"Square does not pay back: {made.get('status')}")
    return identity(made, "id")


async def _named(api: RemoteApi, order: Found, refund: Refund) -> str | None:
    """Return the id by which the order lists the refund; None where it does not yet."""
    answer = await call(api, "GET", f"/v2/orders/{identity(order, 'id')}")
    listed = records(object_field(answer, "order"), "refunds")
    return next(
        (identity(each, "id") for each in listed if is_marked(refund, each.get("reason"))), None
    )


def _left(tender: Found, standing: list[Found]) -> Decimal:
    """Return what of a payment was not paid back; 0 where it states no amount."""
    paid_back = total(
        money(each, "amount_money")
        for each in standing
        if text(each, "tender_id") == text(tender, "id")
    )
    return (money(tender, "amount_money") or Decimal()) - (paid_back or Decimal())
