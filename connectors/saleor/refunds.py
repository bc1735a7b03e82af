"""Refunds of Saleor orders: granted by line and amount, then requested of the payment app.

Our reference stands in the reason of the granted refund, where a repeat finds it: one that was
granted and not requested is requested then. Needs Saleor 3.22, and a payment app that pays back.
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from connectors.errors import Rejected
from connectors.refunds import is_marked, marked, require_currency
from connectors.saleor import documents
from connectors.saleor.mapping import first_error
from connectors.toolkit.amounts import amount, currency_code, written
from connectors.toolkit.json_fields import identity, object_field, records, text
from hub.vocabulary import Refund

# Requested: the payment app has paid, or is about to.
REQUESTED = frozenset({"PENDING", "SUCCESS"})
FAILED = "FAILURE"
# What another request of the same grant says.
DONE = frozenset({"REFUND_ALREADY_PROCESSED", "REFUND_IS_PENDING"})
Found = Mapping[str, Any]
Execute = Callable[..., Awaitable[Any]]


async def refund_order(execute: Execute, order: Found, refund: Refund) -> str:
    """Grant and request a refund, unless the order lists it; return the id of the grant."""
    granted = next(
        (
            each
            for each in records(order, "grantedRefunds")
            if is_marked(refund, each.get("reason"))
        ),
        None,
    )
    if granted is None:
        granted = await _grant(execute, order, refund)
    elif granted.get("status") in REQUESTED:
        return identity(granted, "id")
    elif granted.get("status") == FAILED:
        raise Rejected(f"the payment app does not pay back: {identity(granted, 'id')} failed")
    data = await execute(documents.REQUEST_REFUND, repeat=False, id=identity(granted, "id"))
    errors = data["transactionRequestRefundForGrantedRefund"]["errors"]
    if any(each.get("code") in DONE for each in errors):
        return identity(granted, "id")
    if refusal := first_error(errors):
        raise refusal
    return identity(granted, "id")


async def _grant(execute: Execute, order: Found, refund: Refund) -> Found:
    require_currency(refund, currency_code(order, "total", "currency"))
    wanted = {
        "amount": written(refund.amount, refund.currency),
        "reason": marked(refund),
        "lines": [{"id": line.order_line_ref, "quantity": line.quantity} for line in refund.lines],
        "transactionId": _payer(order, refund),
    }
    data = await execute(documents.GRANT_REFUND, repeat=False, id=refund.order_ref, input=wanted)
    if refusal := first_error(data["orderGrantRefundCreate"]["errors"]):
        raise refusal
    return object_field(data["orderGrantRefundCreate"], "grantedRefund")


def _payer(order: Found, refund: Refund) -> str:
    """Find the transaction that has charged so much and did not pay it back."""
    for each in records(order, "transactions"):
        left = amount(each, "chargedAmount", "amount") or Decimal()
        if left >= refund.amount and "REFUND" in (each.get("actions") or ()):
            return identity(each, "id")
    said = [f"{text(each, 'name')}" for each in records(order, "transactions")]
    raise Rejected(f"no transaction of the order can pay {refund.amount} back: {said}")
