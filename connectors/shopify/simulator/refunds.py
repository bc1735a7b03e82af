"""How the simulator of Shopify pays back: once for a key, and never more than is left."""

from decimal import Decimal
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo, get_directive_values

from connectors.shopify.simulator.desk import Desk

Info = GraphQLResolveInfo[Any]
View = dict[str, Any]


def pay_back(simulator: Desk, info: Info, wanted: View) -> View:
    """Refund an order as `refundCreate` does."""
    key = idempotency_key(info)
    if key in simulator.idempotent:
        return dict(simulator.idempotent[key][1])
    order = simulator.orders.get(wanted["orderId"])
    if order is None:
        return _refused("Order does not exist")
    amount = sum((Decimal(each["amount"]) for each in wanted["transactions"]), Decimal())
    paid = sum((Decimal(each.amount) for each in order.refunds), Decimal())
    if not 0 < amount <= Decimal(order.total) - paid:
        return _refused("Refund amount exceeds what is left")
    quantities: dict[str, int] = {}
    for each in wanted.get("refundLineItems") or ():
        line = next((one for one in order.lines if one.id == each["lineItemId"]), None)
        if line is None or each["quantity"] > line.current:
            return _refused("Refund line items quantity cannot refund more items than purchased")
        quantities[line.id] = each["quantity"]
    kinds = {each["restockType"] for each in wanted.get("refundLineItems") or ()}
    made = simulator.refund(
        order.id,
        quantities,
        next(iter(kinds), "NO_RESTOCK"),
        note=wanted.get("note") or "",
        amount=str(amount),
    )
    answer = {"refund": {"__typename": "Refund", "id": made}, "userErrors": []}
    simulator.idempotent[key] = (key, answer)
    return answer


def _refused(message: str) -> View:
    return {"refund": None, "userErrors": [{"field": ["input"], "message": message}]}


def idempotency_key(info: Info) -> str:
    """Return the key of the mutation's directive; without one it is refused."""
    directive = info.schema.get_directive("idempotent")
    given = directive and get_directive_values(directive, info.field_nodes[0], info.variable_values)
    if not given or not given["key"].strip():
        raise GraphQLError(
            "The @idempotent directive is required for this mutation.",
            extensions={"code": "BAD_REQUEST"},
        )
    return str(given["key"])
