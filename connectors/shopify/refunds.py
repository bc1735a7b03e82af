"""Refunds of Shopify orders: by line and amount, once for each of our references.

One mutation pays back with as many payments of the order as it takes. Our reference is its
idempotency key, and stands in the note of the refund. The hub keeps the stock: units that had left
are not put back by it; units that had not left are taken off the order.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from connectors.errors import NotFound, Rejected
from connectors.refunds import is_marked, marked, require_currency, require_left
from connectors.remote import RemoteApi
from connectors.shopify import documents
from connectors.shopify.mapping import execute, said
from connectors.toolkit.amounts import amount, written
from connectors.toolkit.json_fields import identity, object_field, records, text, whole
from hub.vocabulary import Refund, RefundLine

PAID = frozenset({"SALE", "CAPTURE"})
STANDING = frozenset({"SUCCESS", "PENDING", "AWAITING_RESPONSE", "UNKNOWN"})
Found = Mapping[str, Any]


async def refund_order(api: RemoteApi, location: str, refund: Refund) -> str:
    """Pay back, unless the order lists a refund of our reference; return the refund's id."""
    order = (await execute(api, documents.PAYMENTS, id=refund.order_ref))["order"]
    if order is None:
        raise NotFound(f"no order {refund.order_ref}")
    for each in records(order, "refunds"):
        if is_marked(refund, each.get("note")):
            return identity(each, "id")
    require_currency(refund, text(order, "presentmentCurrencyCode") or None)
    wanted = {
        "orderId": refund.order_ref,
        "note": marked(refund),
        "notify": False,
        "refundLineItems": list(_lines(order, location, refund)),
        "transactions": _transactions(order, refund),
    }
    data = await execute(api, documents.REFUND, input=wanted, key=refund.reference)
    if problems := data["refundCreate"]["userErrors"]:
        raise Rejected("; ".join(said(each["message"]) for each in problems))
    return identity(object_field(data["refundCreate"], "refund"), "id")


def _lines(order: Found, location: str, refund: Refund) -> Iterator[dict[str, Any]]:
    known = {identity(each, "id"): each for each in records(order["lineItems"], "nodes")}
    for line in refund.lines:
        if line.order_line_ref not in known:
            raise Rejected(f"the order has no line {line.order_line_ref}")
        yield from _units(known[line.order_line_ref], location, line)


def _units(line: Found, location: str, paid: RefundLine) -> Iterator[dict[str, Any]]:
    """Take units that left first, then those that did not, which the order wants no more."""
    left = whole(line, "currentQuantity") - whole(line, "unfulfilledQuantity")
    gone = min(paid.quantity, max(0, left))
    named = {"lineItemId": paid.order_line_ref}
    if gone:
        yield {**named, "quantity": gone, "restockType": "NO_RESTOCK"}
    if waiting := paid.quantity - gone:
        restock = {"restockType": "CANCEL", "locationId": location}
        yield {**named, "quantity": waiting, **restock}


def _transactions(order: Found, refund: Refund) -> list[dict[str, Any]]:
    """Spread the amount over the payments that have something left, the oldest first."""
    made = records(order, "transactions")
    left = {each["id"]: _left(each, made) for each in made if _is_payment(each)}
    require_left(refund, sum(left.values(), Decimal()))
    due, wanted = refund.amount, []
    for each in made:
        if (part := min(due, left.get(each["id"], Decimal()))) <= 0:
            continue
        wanted.append(
            {
                "orderId": refund.order_ref,
                "parentId": each["id"],
                "gateway": text(each, "gateway"),
                "kind": "REFUND",
                "amount": written(part, refund.currency),
            }
        )
        due -= part
    return wanted


def _is_payment(transaction: Found) -> bool:
    return transaction.get("kind") in PAID and transaction.get("status") == "SUCCESS"


def _left(payment: Found, made: list[Found]) -> Decimal:
    paid_back = [
        _amount(each)
        for each in made
        if each.get("kind") == "REFUND"
        and each.get("status") in STANDING
        and (each.get("parentTransaction") or {}).get("id") == payment["id"]
    ]
    return max(_amount(payment) - sum(paid_back, Decimal()), Decimal())


def _amount(transaction: Found) -> Decimal:
    return amount(transaction, "amountSet", "presentmentMoney", "amount") or Decimal()
