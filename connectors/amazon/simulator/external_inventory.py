"""Amazon's External Fulfillment: quantities by location, ten requests a call, in a sequence."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

INVENTORIES = "/externalFulfillment/inventory/2024-09-11/inventories"
REQUESTS_MAX = 10
Record = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class InventoryDesk:
    """The quantities of one seller's locations; `shown` may be looked at."""

    def __init__(self) -> None:
        self.shown: dict[tuple[str, str], Record] = {}
        self.calls: list[list[Record]] = []

    def stock(self, location: str, sku: str, quantity: int, number: int = 41) -> None:
        """Put a SKU into a location, or change its quantity outside the hub."""
        last = self.shown.get((location, sku), {}).get("clientSequenceNumber", number - 1)
        self.shown[location, sku] = {"quantity": quantity, "clientSequenceNumber": last + 1}

    def table(self) -> list[tuple[str, str, Handler]]:
        """Return what is asked with a token."""
        return [("POST", INVENTORIES, self._batch)]

    async def _batch(self, request: Request) -> Response:
        asked = (await request.json())["requests"]
        self.calls.append(asked)
        if not 1 <= len(asked) <= REQUESTS_MAX:
            error = {"code": "InvalidInput", "message": "Too many requests in a batch"}
            return JSONResponse({"errors": [error]}, status_code=400)
        return JSONResponse({"responses": [self._one(each) for each in asked]}, status_code=207)

    def _one(self, asked: Record) -> Record:
        address = urlsplit(asked["uri"])
        named, body = dict(parse_qsl(address.query)), asked.get("body") or {}
        place, sku = named["locationId"], named["skuId"]
        known = self.shown.get((place, sku))
        if known is None:
            return _refused(sku, 400, "INVALID_SKU", "The requested Sku does not exist.")
        if address.path == "/inventory/update":
            if body["quantity"] < 0:
                return _refused(sku, 400, "INVALID_QUANTITY", "The quantity is negative.")
            if body["clientSequenceNumber"] <= known["clientSequenceNumber"]:
                return _refused(sku, 409, "STALE_SEQUENCE", "A later update is known.")
            known |= body
        answer = {
            "skuId": sku,
            "locationId": place,
            "sellableQuantity": known["quantity"],
            "reservedQuantity": 0,
            "clientSequenceNumber": known["clientSequenceNumber"],
            "actionableErrors": [],
        }
        return {"status": {"statusCode": 200, "reasonPhrase": "Success"}, "body": answer}


def _refused(sku: str, code: int, kind: str, message: str) -> Record:
    problem = {"errorType": kind, "errorSubType": message}
    return {
        "status": {"statusCode": code, "reasonPhrase": "Invalid Input"},
        "body": {"skuId": sku, "actionableErrors": [problem]},
    }
