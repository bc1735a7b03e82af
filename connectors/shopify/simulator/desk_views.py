"""How the simulator of Shopify shows the refunds and returns of an order."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from connectors.shopify.simulator.shop import Line, PlacedOrder, Refunded, ReturnedGoods, instant

View = dict[str, Any]
Paged = Callable[[list[View]], Callable[..., View]]


def refunds(order: PlacedOrder, paged: Paged, line_view: Callable[[Line], View]) -> list[View]:
    """Show every refund of an order."""
    lines = {line.id: line for line in order.lines}
    return [_refund(each, lines, paged, line_view) for each in order.refunds]


def returns(order: PlacedOrder, paged: Paged, line_view: Callable[[Line], View]) -> Any:
    """Show the returns of an order, page by page."""
    lines = {line.id: line for line in order.lines}
    return paged([_return(each, lines, paged, line_view) for each in order.returns])


def money(order: PlacedOrder) -> View:
    """Show what an order costs."""
    return {
        "currencyCode": order.currency,
        "taxesIncluded": False,
        "totalPrice": order.total,
        "totalDiscounts": _sum(line.discount for line in order.lines),
        "totalTax": _sum(line.tax for line in order.lines),
        "totalShippingPrice": "0.00",
        "totalRefunded": _sum(each.amount for each in order.refunds),
        "presentmentCurrencyCode": order.currency,
        "transactions": _transactions(order),
        "note": None,
    }


def _transactions(order: PlacedOrder) -> list[View]:
    """Show the sale, and each refund of it that has an amount."""
    sale = _transaction(f"{order.id}/sale", "SALE", order.total)
    return [sale] + [
        _transaction(f"{each.id}/transaction", "REFUND", each.amount, sale)
        for each in order.refunds
        if Decimal(each.amount)
    ]


def _transaction(ref: str, kind: str, amount: str, parent: View | None = None) -> View:
    return {
        "__typename": "OrderTransaction",
        "id": ref,
        "kind": kind,
        "status": "SUCCESS",
        "gateway": "shopify_payments",
        "parentTransaction": parent,
        "amountSet": {"presentmentMoney": {"amount": amount}},
    }


def price(line: Line) -> View:
    """Show what a line costs, and what it is."""
    return {
        "isGiftCard": line.is_gift_card,
        "requiresShipping": line.ships,
        "product": None if line.custom else {"id": f"{line.id}/product"},
        "originalUnitPrice": line.price,
        "discountAllocations": [{"allocatedAmount": {"amount": line.discount}}]
        if line.discount
        else [],
        "taxLines": [{"price": line.tax}] if line.tax else [],
    }


def _sum(amounts: Iterable[str | None]) -> str:
    return str(sum((Decimal(each) for each in amounts if each), Decimal("0.00")))


def _refund(
    refund: Refunded, lines: dict[str, Line], paged: Paged, line_view: Callable[[Line], View]
) -> View:
    items = [
        {
            "quantity": units,
            "restockType": refund.restock_type,
            "lineItem": line_view(lines[line_id]),
        }
        for line_id, units in refund.quantities.items()
    ]
    return {
        "__typename": "Refund",
        "id": refund.id,
        "createdAt": instant(refund.created_at),
        "note": refund.note or None,
        "return": {"id": refund.return_id, "status": "OPEN"} if refund.return_id else None,
        "refundLineItems": paged(items),
    }


def _return(
    goods: ReturnedGoods, lines: dict[str, Line], paged: Paged, line_view: Callable[[Line], View]
) -> View:
    items = [
        {
            "__typename": "ReturnLineItem",
            "id": f"{goods.id}/{line_id}",
            "quantity": units,
            "processedQuantity": goods.processed.get(line_id, 0),
            "refundedQuantity": goods.refunded.get(line_id, 0),
            "returnReasonNote": goods.reason,
            "returnReasonDefinition": {"id": "gid://shopify/Reason/1", "name": "Other"},
            "fulfillmentLineItem": {"id": line_id, "lineItem": line_view(lines[line_id])},
        }
        for line_id, units in goods.quantities.items()
    ]
    exchanges = [
        {
            "id": f"{goods.id}/x/{line_id}",
            "quantity": lines[line_id].quantity,
            "lineItems": [line_view(lines[line_id])],
        }
        for line_id in goods.exchange_lines
    ]
    return {
        "__typename": "Return",
        "id": goods.id,
        "status": goods.status,
        "returnLineItems": paged(items),
        "exchangeLineItems": paged(exchanges),
    }
