"""Refunds of eBay orders: amounts, recognized by what was paid back before.

eBay keeps neither a key nor a reference of ours. So what the order lists as paid back is compared
with what it was when the refund was decided: the same, and it is paid now; more by just its amount,
and it was paid; anything else is for a person. eBay pays the tax that it collects back by itself:
its amounts, in what is asked for and in what is listed, are without that tax.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from connectors.ebay.money import collected_share, paid_back, refunds_of
from connectors.errors import Rejected
from connectors.refunds import marked, require_currency, require_left
from connectors.remote import RemoteApi
from connectors.toolkit.amounts import currency_code, written
from connectors.toolkit.json_fields import identity, records, text
from hub.vocabulary import Refund
from hub.vocabulary.currencies import decimals_of

COMMENT_CHARS_MAX = 100
REASON = "OTHER_ADJUSTMENT"
Found = Mapping[str, Any]


async def refund_order(
    api: RemoteApi, path: str, order: Found, total: Decimal, refund: Refund
) -> str:
    """Pay back, unless the order lists it; return eBay's number of the refund.

    `total` is what the buyer paid, the tax that eBay collects included.
    """
    require_currency(refund, currency_code(order, "pricingSummary", "total", "currency"))
    lines = records(order, "lineItems", required=True)
    listed = refunds_of(order, lines)
    seen = paid_back(order, lines) or Decimal()
    # The tax that eBay collects is a share of each amount, rounded to the cent.
    taxed = collected_share(*lines) > 0
    slack = Decimal("0.01") * (len(listed) + 1) if taxed else Decimal()
    if listed and abs(seen - refund.refunded_before - refund.amount) <= slack:
        return text(listed[-1], "refundId") or identity(listed[-1], "refundReferenceId")
    if abs(seen - refund.refunded_before) > slack:
        raise Rejected(
            f"the order has paid back {seen}, not {refund.refunded_before}: decide it again"
        )
    require_left(refund, total - seen + slack)
    answer = await api.json_object("POST", f"{path}/issue_refund", json=_body(lines, refund))
    if answer.get("refundStatus") == "FAILED":
        raise Rejected("eBay does not pay back: the refund failed")
    return identity(answer, "refundId")


def _body(lines: Sequence[Found], refund: Refund) -> dict[str, Any]:
    by_id = {identity(line, "lineItemId"): line for line in lines}
    for line in refund.lines:
        if line.order_line_ref not in by_id:
            raise Rejected(f"the order has no line {line.order_line_ref}")
    body: dict[str, Any] = {
        "reasonForRefund": REASON,
        "comment": marked(refund, COMMENT_CHARS_MAX),
    }
    if refund.lines and not refund.of_no_line and len(lines) > 1:
        body["refundItems"] = [
            {
                "lineItemId": line.order_line_ref,
                "refundAmount": _money(
                    line.amount, collected_share(by_id[line.order_line_ref]), refund.currency
                ),
            }
            for line in refund.lines
        ]
        return body
    whole = _money(refund.amount, collected_share(*lines), refund.currency)
    return body | {"orderLevelRefundAmount": whole}


def _money(gross: Decimal, collected: Decimal, currency: str) -> dict[str, str]:
    cent = Decimal(1).scaleb(-decimals_of(currency))
    net = (gross * (1 - collected)).quantize(cent, ROUND_HALF_EVEN)
    return {"value": written(net, currency), "currency": currency}
