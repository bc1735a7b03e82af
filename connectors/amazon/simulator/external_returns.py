"""Amazon's External Fulfillment: returns to a location, listed by status and time of change."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

RETURNS = "/externalFulfillment/2024-09-11/returns"
PAGE_MAX = 100
Record = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class ReturnDesk:
    """The returns of one seller's locations; `returns` may be looked at."""

    def __init__(self, next_id: Callable[[], int], stamp: Callable[[], str]) -> None:
        self.returns: dict[str, Record] = {}
        self.tokens: dict[str, tuple[dict[str, str], int]] = {}
        self._next_id, self._stamp = next_id, stamp

    def take_back(self, shipment: Record, line: int, quantity: int, **more: Any) -> str:
        """Let a buyer return units of a line (its index) of a shipment; return the return's id."""
        ref, sku = f"R-{self._next_id()}", shipment["lineItems"][line]["merchantSku"]
        carrier = {"carrierName": "ATS", "trackingId": f"T{self._next_id()}"}
        self.returns[ref] = {
            "id": ref,
            "returnLocationId": shipment["locationId"],
            "merchantSku": sku,
            "returnType": "CUSTOMER",
            "status": "CREATED",
            "numberOfUnits": quantity,
            "fulfillmentLocationId": shipment["locationId"],
            "creationDateTime": self._stamp(),
            "lastUpdatedDateTime": self._stamp(),
            "returnMetadata": {
                "returnReason": "Defective",
                "rmaId": f"RMA-{self._next_id()}",
                "fulfillmentOrderId": shipment["id"],
            },
            "returnShippingInfo": {"reverseTrackingInfo": carrier},
            "marketplaceChannelDetails": {"customerOrderId": "407-7727827-8514700"},
            **more,
        }
        return ref

    def change(self, ref: str, status: str) -> None:
        """Let something happen to a return."""
        self.returns[ref] |= {"status": status, "lastUpdatedDateTime": self._stamp()}

    def table(self) -> list[tuple[str, str, Handler]]:
        """Return what is asked with a token."""
        return [("GET", RETURNS, self._list)]

    async def _list(self, request: Request) -> Response:
        asked = dict(request.query_params)
        token, size = asked.pop("nextToken", None), int(asked.get("maxResults", "10"))
        by_change = {"lastUpdatedSince", "lastUpdatedUntil"} & set(asked)
        if size > PAGE_MAX or (by_change and not {"returnLocationId", "status"} <= set(asked)):
            return _failed("Invalid input")
        start = 0
        if token is not None:
            question, start = self.tokens.get(token, ({}, 0))
            if question != asked:
                return _failed("Invalid token")
        found = [each for each in self.returns.values() if _fits(each, asked)]
        answer: Record = {"returns": found[start : start + size]}
        if len(found) > start + size:
            following = f"page-{self._next_id()}"
            self.tokens[following] = (asked, start + size)
            answer["nextToken"] = following
        return JSONResponse(answer)


def _fits(found: Record, asked: Mapping[str, str]) -> bool:
    changed, created = (
        str(found.get(name, "")) for name in ("lastUpdatedDateTime", "creationDateTime")
    )
    return bool(
        found["status"] == asked.get("status", found["status"])
        and found["returnLocationId"] == asked.get("returnLocationId", found["returnLocationId"])
        and asked.get("lastUpdatedSince", "") <= changed <= asked.get("lastUpdatedUntil", "9")
        and asked.get("createdSince", "") <= created
    )


def _failed(message: str) -> Response:
    error = {"code": "InvalidInput", "message": message}
    return JSONResponse({"errors": [error]}, status_code=400)
