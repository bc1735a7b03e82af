"""Refunds of BigCommerce orders: by line and amount, once for each of our references.

A quote names the providers that pay back; those that a person would have to pay by are not taken.
Amount and tax are ours (`merchant_calculated_override`), so that the store pays what was decided.
Our reference stands in the reason of each item, where a repeat finds it.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from urllib.parse import quote

from connectors.errors import Rejected
from connectors.refunds import is_marked, marked, require_currency, require_left
from connectors.remote import RemoteApi
from connectors.toolkit.amounts import amount, currency_code, listed, total, written
from connectors.toolkit.json_fields import identity, nodes_of, object_field, records
from hub.vocabulary import Refund, RefundLine
from hub.vocabulary.currencies import decimals_of

Found = Mapping[str, Any]


async def refund_order(api: RemoteApi, order: Found, lines: Sequence[Found], refund: Refund) -> str:
    """Pay back, unless the store lists a refund of our reference; return the refund's id."""
    path = f"/v3/orders/{quote(refund.order_ref, safe='')}/payment_actions"
    made = nodes_of(await api.json_object("GET", f"{path}/refunds"), "data")
    for each in made:
        if any(is_marked(refund, item.get("reason")) for item in records(each, "items")):
            return _standing(each)
    currency = currency_code(order, "default_currency_code")
    require_currency(refund, currency or currency_code(order, "currency_code"))
    paid_back = total(amount(each, "total_amount") for each in made if not _is_declined(each))
    require_left(refund, (amount(order, "total_inc_tax") or Decimal()) - (paid_back or Decimal()))
    by_id = {identity(line, "id"): line for line in lines}
    body = {
        "items": _items(refund, by_id),
        "merchant_calculated_override": {
            "total_amount": _number(refund.amount, refund.currency),
            "total_tax": _number(_tax(refund, by_id), refund.currency),
        },
    }
    answer = await api.json_object(
        "POST", f"{path}/refund_quotes", json={"items": body["items"]}, repeat=True
    )
    body["payments"] = _payments(object_field(answer, "data"), refund)
    paid = await api.json_object("POST", f"{path}/refunds", json=body)
    return _standing(object_field(paid, "data"))


def _standing(refund: Found) -> str:
    if _is_declined(refund):
        said = [str(each.get("declined_message") or "") for each in records(refund, "payments")]
        raise Rejected(f"the payment provider declines: {' '.join(said)}".strip())
    return identity(refund, "id")


def _is_declined(refund: Found) -> bool:
    payments = records(refund, "payments")
    return bool(payments) and all(each.get("is_declined") is True for each in payments)


def _items(refund: Refund, by_id: Mapping[str, Found]) -> list[dict[str, Any]]:
    reason = marked(refund, 1_000)
    items: list[dict[str, Any]] = []
    for line in refund.lines:
        if line.order_line_ref not in by_id:
            raise Rejected(f"the order has no line {line.order_line_ref}")
        items.append(
            {
                "item_type": "PRODUCT",
                "item_id": int(line.order_line_ref),
                "quantity": line.quantity,
                "reason": reason,
            }
        )
    if refund.of_no_line > 0:
        items.append(
            {
                "item_type": "ORDER",
                "item_id": int(refund.order_ref),
                "amount": _number(refund.of_no_line, refund.currency),
                "reason": reason,
            }
        )
    return items


def _tax(refund: Refund, by_id: Mapping[str, Found]) -> Decimal:
    """Return the tax in the amounts of the lines, in the proportion of each line."""
    cent = Decimal(1).scaleb(-decimals_of(refund.currency))
    shares = (_tax_of(by_id[line.order_line_ref], line) for line in refund.lines)
    return sum(shares, Decimal()).quantize(cent, ROUND_HALF_EVEN)


def _tax_of(line: Found, paid: RefundLine) -> Decimal:
    gross, tax = amount(line, "total_inc_tax"), amount(line, "total_tax")
    return tax * paid.amount / gross if gross and tax else Decimal()


def _payments(quoted: Found, refund: Refund) -> list[dict[str, Any]]:
    """Choose the first way to pay all of it back that needs no person."""
    offered = quoted.get("refund_methods")
    reasons: list[str] = []
    for method in offered if isinstance(offered, list) else []:
        options = listed({"options": method}, "options")
        if any(each.get("offline") for each in options):
            reasons += [str(each.get("offline_reason") or "") for each in options]
            continue
        due, payments = refund.amount, []
        for each in options:
            # One provider pays all of it: the store's own sum differs from what was decided.
            most = due if len(options) == 1 else amount(each, "amount") or Decimal()
            if (part := min(due, most)) > 0:
                paid = {"provider_id": each.get("provider_id"), "offline": False}
                payments.append(paid | {"amount": _number(part, refund.currency)})
                due -= part
        if due == 0:
            return payments
    raise Rejected(f"no provider pays it back by itself: {'; '.join(filter(None, reasons))}")


def _number(value: Decimal, currency: str) -> float:
    """Write an amount as a JSON number; its text is the exact decimal, up to 15 digits."""
    return float(written(value, currency))
