"""Refunds of WooCommerce orders: by line and amount, once for each of our references.

The shop pays with the gateway that the buyer paid with. Our reference stands in the reason of a
refund, which the order itself lists: a repeat finds it there. The hub keeps the stock, so that the
shop puts nothing back.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from urllib.parse import quote

from connectors.errors import Rejected, Transient
from connectors.refunds import is_marked, marked, require_currency, require_left
from connectors.remote import RemoteApi
from connectors.toolkit.amounts import amount, currency_code, listed, positive, total, written
from connectors.toolkit.json_fields import identity, records
from connectors.woocommerce.mapping import expect_object
from hub.vocabulary import Refund, RefundLine
from hub.vocabulary.currencies import decimals_of

# The shop refuses a refund, or its gateway does, with status 500.
REFUSED = "woocommerce_rest_cannot_create_order_refund"


async def refund_order(api: RemoteApi, refund: Refund) -> str:
    """Pay back, unless the order lists a refund of our reference; return the id of the refund."""
    path = f"/orders/{quote(refund.order_ref, safe='')}"
    order = expect_object(await api.json("GET", path))
    for each in records(order, "refunds"):
        if is_marked(refund, each.get("reason")):
            return identity(each, "id")
    require_currency(refund, currency_code(order, "currency"))
    paid_back = total(positive(amount(each, "total")) for each in listed(order, "refunds"))
    require_left(refund, (amount(order, "total") or Decimal()) - (paid_back or Decimal()))
    body = _body(order, refund)
    answer = expect_object(await api.json("POST", f"{path}/refunds", json=body, accept=(500,)))
    if answer.get("code") == REFUSED:
        raise Rejected(f"the shop or its payment gateway refuses: {answer.get('message')}")
    if "code" in answer:
        raise Transient(f"the shop failed with {answer['code']}")
    return identity(answer, "id")


def _body(order: Mapping[str, Any], refund: Refund) -> dict[str, Any]:
    lines = {identity(line, "id"): line for line in records(order, "line_items")}
    for line in refund.lines:
        if line.order_line_ref not in lines:
            raise Rejected(f"the order has no line {line.order_line_ref}")
    return {
        "amount": written(refund.amount, refund.currency),
        "reason": marked(refund),
        "api_refund": True,
        "api_restock": False,
        "line_items": [
            _line(lines[line.order_line_ref], line, refund.currency) for line in refund.lines
        ],
    }


def _line(line: Mapping[str, Any], paid: RefundLine, currency: str) -> dict[str, Any]:
    """Split an amount into the price and its taxes, in the proportion of the line."""
    net, taxes = amount(line, "total") or Decimal(), listed(line, "taxes")
    gross = net + (total(amount(each, "total") for each in taxes) or Decimal())
    cent = Decimal(1).scaleb(-decimals_of(currency))
    shares = [
        (
            each,
            ((amount(each, "total") or Decimal()) * paid.amount / gross).quantize(
                cent, ROUND_HALF_EVEN
            ),
        )
        for each in taxes
        if gross
    ]
    untaxed = paid.amount - sum((share for _, share in shares), Decimal())
    return {
        "id": int(paid.order_line_ref),
        "quantity": paid.quantity,
        "refund_total": written(untaxed, currency),
        "refund_tax": [
            {"id": each.get("id"), "refund_total": written(share, currency)}
            for each, share in shares
        ],
    }
