"""eBay's returns (Post-Order): searched by order, state or creation, one page at a time.

A return does not move the time of change of its order. The scheme of the token is IAF, not Bearer.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Handler = Callable[[Request], Awaitable[Response]]
Record = dict[str, Any]
ROOT = "/post-order/v2/return"
QUERIES = frozenset(
    {
        "creation_date_range_from",
        "creation_date_range_to",
        "limit",
        "offset",
        "order_id",
        "return_state",
    }
)


class Returns:
    """The returns of one seller, by number; `per_page` is the longest page."""

    def __init__(self, clock: Callable[[], datetime], next_id: Callable[[], int]) -> None:
        self._clock, self._next_id = clock, next_id
        self.found: dict[str, Record] = {}
        self.details: dict[str, Record] = {}
        self.per_page = 200

    def table(self) -> list[tuple[str, str, Handler]]:
        """Return what is asked with a token."""
        return [("GET", f"{ROOT}/search", self._search), ("GET", f"{ROOT}/{{id}}", self._show)]

    def open(self, order: Record, line: int, quantity: int) -> str:
        """Let a buyer ask to return units of a line (its index); return the return's number."""
        ref, sold = str(5_000_000_000 + self._next_id()), order["lineItems"][line]
        item = {
            "itemId": sold.get("legacyItemId", "1"),
            "transactionId": sold["lineItemId"],
            "returnQuantity": quantity,
        }
        self.found[ref] = {
            "returnId": ref,
            "orderId": order["orderId"],
            "buyerLoginName": "twin-buyer",
            "currentType": "MONEY_BACK",
            "state": "RETURN_REQUESTED",
            "status": "RETURN_REQUESTED",
            "creationInfo": {
                "type": "MONEY_BACK",
                "reason": "NO_LONGER_NEED_ITEM",
                "comments": {"content": "too big"},
                "creationDate": {"value": self._stamp()},
                "item": item,
            },
        }
        self.details[ref] = {}
        return ref

    def move(self, ref: str, state: str) -> None:
        """Let something happen to a return."""
        self.found[ref] |= {"state": state, "status": state}
        if state == "ITEM_DELIVERED":
            delivered = {"deliveryStatus": "DELIVERED", "actualDeliveryDate": self._date()}
            self.details[ref]["returnShipmentInfo"] = {"shipmentTracking": delivered}

    def close(self, ref: str, paid: str | None, reason: str = "SELLER_REFUNDED") -> None:
        """Close a return, with the amount that was paid back, if any."""
        self.found[ref] |= {"state": "CLOSED", "status": "CLOSED"}
        self.details[ref]["closeInfo"] = {"returnCloseReason": reason}
        if paid is not None:
            money = {"value": float(paid), "currency": "USD"}
            self.found[ref]["sellerTotalRefund"] = {"actualRefundAmount": money}
            refund = {"actualRefund": {"totalAmount": money}, "refundIssuedDate": self._date()}
            self.details[ref]["refundInfo"] = {"actualRefundDetail": refund}

    async def _search(self, request: Request) -> Response:
        asked = request.query_params
        if unknown := set(asked) - QUERIES:
            return _failed(400, f"Unknown query parameters {sorted(unknown)}")
        found = [each for each in self.found.values() if _fits(each, asked)]
        limit = min(int(asked.get("limit", "25")), self.per_page)
        if not found:
            return Response(status_code=204)
        pages = {"limit": limit, "totalEntries": len(found), "totalPages": -(-len(found) // limit)}
        return JSONResponse({"members": found[:limit], "paginationOutput": pages})

    async def _show(self, request: Request) -> Response:
        ref = request.path_params["id"]
        if ref not in self.found:
            return _failed(404, "Invalid return id")
        return JSONResponse({"detail": self.details[ref]})

    def _date(self) -> Record:
        return {"value": self._stamp()}

    def _stamp(self) -> str:
        text = self._clock().astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")


def _fits(found: Record, asked: Mapping[str, str]) -> bool:
    created = str(found["creationInfo"]["creationDate"]["value"])
    if asked.get("return_state") == "ALL_OPEN" and found["state"] == "CLOSED":
        return False
    return (
        found.get("orderId") == asked.get("order_id", found.get("orderId"))
        and asked.get("creation_date_range_from", "") <= created
        and created <= asked.get("creation_date_range_to", "9")
    )


def _failed(status: int, message: str) -> Response:
    error = {"errorId": 1600, "domain": "returnErrorDomain", "message": message}
    return JSONResponse({"errors": [error]}, status_code=status)
