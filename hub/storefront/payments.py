"""Payments: the server of a shop confirms that the buyer of a checked-out order has paid."""

from decimal import Decimal

from hub import orders
from hub.clock import micros
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.orders import order_lookup
from hub.storefront import order_status
from hub.vocabulary import HoldReason, OrderState


def confirm(work: Work, token: str, amount: Decimal | None, currency: str | None) -> str:
    """Let the order of a public token leave; return its id. A confirmed one stays as it is.

    `amount` and `currency` are what was paid: they are compared with what the order states. Raises
    UnknownReference for an unknown token, InvalidInput for another amount, StepNotAllowed for an
    order that is cancelled or held for another reason.
    """
    order_id = order_status.order_of_token(work.tx, token)
    if order_id is None:
        raise UnknownReference("no order has this token", field="token")
    order = order_lookup.order_of(work.tx, order_id)
    if order["state"] == OrderState.CANCELLED:
        raise StepNotAllowed(f"the order {order['number']} is cancelled: pay back", allowed=[])
    stated = None if order["total"] is None else Decimal(order["total"])
    if amount is not None and amount != stated:
        raise InvalidInput(f"{amount} was paid, and the order states {stated}", field="amount")
    if currency is not None and currency != order["currency"]:
        raise InvalidInput(
            f"{currency} was paid, and the order states {order['currency']}", field="currency"
        )
    if order["hold"] is None:
        return order_id
    if order["hold"] != HoldReason.PAYMENT_PENDING:
        raise StepNotAllowed(
            f"the order {order['number']} waits for another reason: {order['hold']}", allowed=[]
        )
    work.tx.run(
        "UPDATE sales_order SET state = :open, hold = NULL, remote_state = 'placed', "
        "remote_updated_at = :now WHERE id = :id",
        open=str(OrderState.OPEN),
        now=max(micros(work.context.now), order["remote_updated_at"]),
        id=order_id,
    )
    orders.settle(work.tx, work.context, order_id)
    return order_id
