"""An eBay seller: tokens that die, orders by number of page, items in bulk, signed notifications.

Bulk calls answer 207 with a status for each item, a parcel sent twice is there twice, and a token
is good for as many calls as `calls_per_token` says.
"""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.ebay.simulator.returns import Returns
from connectors.testing.simulator import Fault, Simulator, Webhook

BULK_MAX = 25
PER_PAGE_MAX = 200
REVISIONS_MAX = 250  # of one listing and day
_FILTER = re.compile(r"(lastmodifieddate|creationdate):\[([^\].]+(?:\.\d+)?Z)\.\.([^\]]*)\]")
Handler = Callable[[Request], Awaitable[Response]]
Record = dict[str, Any]


class EbaySimulator(Simulator):
    """One seller, one application. `items` and `orders` may be looked at."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.client = ("twin-client", "twin-client-secret")
        self.refresh_token = "twin-refresh-token"
        self.verification_token = "twin-verification-token-of-32-letters"
        self.items: dict[str, Record] = {}
        self.orders: dict[str, Record] = {}
        self.parcels: dict[str, list[Record]] = {}
        self.revisions: dict[str, int] = {}
        self.calls_per_token = 10_000
        self.tokens: dict[str, int] = {}
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.key_id = str(uuid.uuid4())
        self.returns = Returns(lambda: self.now(), lambda: self.next_id())
        super().__init__(self._routes(), clock)

    def settings(self, url: str, notification_url: str = "http://hub.test/hook") -> dict[str, Any]:
        """Return the settings with which the connector `ebay` reaches this simulator."""
        return {
            "base_url": url,
            "client_id": self.client[0],
            "client_secret": self.client[1],
            "refresh_token": self.refresh_token,
            "verification_token": self.verification_token,
            "notification_url": notification_url,
            "calls_per_second": 1000,
        }

    def add_item(self, sku: str, quantity: int) -> None:
        """List an inventory item."""
        self.items[sku] = {"quantity": quantity, "offer": quantity}

    def quantity(self, sku: str) -> int:
        """Return what is for sale."""
        return int(self.items[sku]["quantity"])

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self.items[sku]["quantity"] = quantity

    def place_order(
        self, quantities: Mapping[str, int], paid: str = "PAID", marketplace: str = "EBAY_US"
    ) -> str:
        """Sell something on a marketplace. Returns the order id."""
        ref = f"12-{self.next_id():05}-{self.next_id():05}"
        lines = [
            {
                "lineItemId": str(self.next_id()),
                "sku": sku,
                "title": f"A {sku}",
                "quantity": quantity,
                "legacyItemId": f"item-{sku}",
                "lineItemFulfillmentStatus": "NOT_STARTED",
                "lineItemCost": {"value": f"{quantity * 10}.00", "currency": "USD"},
                "listingMarketplaceId": marketplace,
                "purchaseMarketplaceId": marketplace,
            }
            for sku, quantity in quantities.items()
        ]
        for sku, quantity in quantities.items():
            self.items[sku]["quantity"] -= quantity
        self.orders[ref] = {
            "orderId": ref,
            "orderFulfillmentStatus": "NOT_STARTED",
            "orderPaymentStatus": paid,
            "cancelStatus": {"cancelState": "NONE_REQUESTED"},
            "buyer": {"username": "twin-buyer"},
            "creationDate": format_time(self.now()),
            "lastModifiedDate": format_time(self.now()),
            "lineItems": lines,
        }
        self.emit("ORDER_CONFIRMATION", {"order": {"orderId": ref}})
        return ref

    def change(self, ref: str, **fields: Any) -> None:
        """Let something happen to an order."""
        self.orders[ref] |= {**fields, "lastModifiedDate": format_time(self.now())}

    def refund(self, ref: str, value: str, line: int | None = None, currency: str = "USD") -> str:
        """Pay an amount of an order back, or of one of its lines; return the refund's number."""
        number, order = str(self.next_id()), self.orders[ref]
        refund = {
            "refundId": number,
            "amount": {"value": value, "currency": currency},
            "refundDate": format_time(self.now()),
        }
        if line is None:
            summary = order.setdefault("paymentSummary", {})
            summary.setdefault("refunds", []).append({**refund, "refundStatus": "REFUNDED"})
        else:
            order["lineItems"][line].setdefault("refunds", []).append(refund)
        self.change(ref, orderPaymentStatus="PARTIALLY_REFUNDED")
        return number

    def emit(self, topic: str, data: Mapping[str, Any]) -> None:
        """Announce something as eBay does: metadata, and a notification."""
        ref = str(uuid.UUID(int=self.next_id()))
        notification = {"notificationId": ref, "eventDate": format_time(self.now()), "data": data}
        event = {"metadata": {"topic": topic, "schemaVersion": "1.0"}, "notification": notification}
        self.send_webhook(topic, ref, json.dumps(event, separators=(",", ":")).encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign the raw body with ECDSA over SHA-1 and name the key."""
        made = self.key.sign(webhook.body, ec.ECDSA(hashes.SHA1()))  # noqa: S303 - eBay's choice
        given = {
            "alg": "ecdsa",
            "kid": self.key_id,
            "signature": base64.b64encode(made).decode(),
            "digest": "SHA1",
        }
        return {"x-ebay-signature": base64.b64encode(json.dumps(given).encode()).decode()}

    def challenge_response(self, code: str, address: str) -> str:
        """Say what eBay expects as the answer to its challenge."""
        text = f"{code}{self.verification_token}{address}"
        return hashlib.sha256(text.encode()).hexdigest()

    def fault_response(self, fault: Fault) -> Response:
        """Fail in eBay's words."""
        if fault is Fault.SERVER_ERROR:
            return _failed(500, 25001, "A system error has occurred.")
        return _failed(429, 2001, "The request limit has been reached.")

    def _routes(self) -> list[Route]:
        orders, inventory = "/sell/fulfillment/v1/order", "/sell/inventory/v1"
        table: list[tuple[str, str, Handler]] = [
            ("GET", orders, self._list_orders),
            ("GET", f"{orders}/{{id}}", self._order),
            ("POST", f"{orders}/{{id}}/issue_refund", self._issue_refund),
            ("GET", f"{orders}/{{id}}/shipping_fulfillment", self._list_parcels),
            ("POST", f"{orders}/{{id}}/shipping_fulfillment", self._ship),
            ("GET", f"{inventory}/inventory_item", self._list_items),
            ("POST", f"{inventory}/bulk_get_inventory_item", self._get_items),
            ("POST", f"{inventory}/bulk_update_price_quantity", self._set_items),
            ("GET", "/commerce/notification/v1/public_key/{id}", self._public_key),
            ("POST", "/post-order/v2/cancellation", self._cancel),
            *self.returns.table(),
        ]
        guarded = [Route(path, self._guard(call), methods=[verb]) for verb, path, call in table]
        return [Route("/identity/v1/oauth2/token", self._token, methods=["POST"]), *guarded]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme != ("IAF" if request.url.path.startswith("/post-order/") else "Bearer"):
                return _failed(401, 1001, f"Invalid scheme {scheme} of an access token")
            if self.tokens.get(token, 0) < 1:
                return _failed(401, 1001, "Invalid access token")
            self.tokens[token] -= 1
            return await call(request)

        return guarded

    async def _token(self, request: Request) -> Response:
        asked = dict(parse_qsl((await request.body()).decode()))
        pair = base64.b64encode(":".join(self.client).encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        if asked.get("refresh_token") != self.refresh_token or not asked.get("scope"):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        token = f"token-{self.next_id()}"
        self.tokens[token] = self.calls_per_token
        return JSONResponse({"access_token": token, "expires_in": 7200, "token_type": "User"})

    async def _list_orders(self, request: Request) -> Response:
        asked = request.query_params
        limit, offset = int(asked.get("limit", "50")), int(asked.get("offset", "0"))
        found = list(self.orders.values())
        if "filter" in asked:
            read = _FILTER.fullmatch(asked["filter"])
            if read is None or limit > PER_PAGE_MAX:
                return _failed(400, 30700, "Invalid filter")
            name = {"lastmodifieddate": "lastModifiedDate", "creationdate": "creationDate"}
            found = [each for each in found if read[2] <= each[name[read[1]]] <= read[3]]
        found.sort(key=lambda each: str(each["creationDate"]), reverse=True)
        answer: Record = {"total": len(found), "limit": limit, "offset": offset}
        if shown := found[offset : offset + limit]:
            answer["orders"] = shown
        return JSONResponse(answer)

    async def _order(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        return _failed(404, 32100, "Invalid order ID") if order is None else JSONResponse(order)

    async def _issue_refund(self, request: Request) -> Response:
        """Refund an amount of the order or of its lines; twice is twice."""
        ref, asked = request.path_params["id"], await request.json()
        if ref not in self.orders:
            return _failed(404, 32100, "Invalid order ID")
        if not asked.get("reasonForRefund") or len(asked.get("comment", "")) > 100:
            return _failed(400, 34903, "The refund reason must be specified.")
        items, whole = asked.get("refundItems", []), asked.get("orderLevelRefundAmount")
        if bool(items) == bool(whole):
            return _failed(400, 34905, "Either orderLevelRefundAmount or refundItems")
        amounts = [each["refundAmount"] for each in items] or [whole]
        full = Decimal(self.orders[ref]["pricingSummary"]["total"]["value"])
        asked_for = sum(Decimal(each["value"]) for each in amounts)
        if not 0 < asked_for <= full - self.paid_back(ref):
            return _failed(400, 34917, "The refund amount exceeds the order amount.")
        lines = [each["lineItemId"] for each in self.orders[ref]["lineItems"]]
        places: list[int | None] = [lines.index(each["lineItemId"]) for each in items]
        for amount, place in zip(amounts, places or [None], strict=True):
            number = self.refund(ref, amount["value"], place, amount["currency"])
        return JSONResponse({"refundId": number, "refundStatus": "PENDING"})

    def paid_back(self, ref: str) -> Decimal:
        """Return what was paid back of an order and its lines."""
        order = self.orders[ref]
        refunds = list(order.get("paymentSummary", {}).get("refunds", []))
        refunds += [each for line in order["lineItems"] for each in line.get("refunds", [])]
        return sum((Decimal(each["amount"]["value"]) for each in refunds), Decimal())

    async def _list_parcels(self, request: Request) -> Response:
        if request.path_params["id"] not in self.orders:
            return _failed(404, 32100, "Invalid order ID")
        found = self.parcels.get(request.path_params["id"], [])
        return JSONResponse({"fulfillments": found, "total": len(found)})

    async def _ship(self, request: Request) -> Response:
        ref, asked = request.path_params["id"], await request.json()
        lines = {line["lineItemId"]: line for line in self.orders[ref]["lineItems"]}
        named = [each["lineItemId"] for each in asked["lineItems"]]
        if not set(named) <= set(lines):
            return _failed(400, 32200, "Invalid line item")
        if ("trackingNumber" in asked) != ("shippingCarrierCode" in asked):
            return _failed(400, 32210, "Carrier and tracking number go together")
        parcel = {name: value for name, value in asked.items() if name != "trackingNumber"}
        parcel |= {"fulfillmentId": str(self.next_id())}
        if "trackingNumber" in asked:
            parcel["shipmentTrackingNumber"] = asked["trackingNumber"]
        self.parcels.setdefault(ref, []).append(parcel)
        for each in asked["lineItems"]:
            line = lines[each["lineItemId"]]
            sent = (line for parcel in self.parcels[ref] for line in parcel["lineItems"])
            gone = sum(one["quantity"] for one in sent if one["lineItemId"] == each["lineItemId"])
            whole = gone >= line["quantity"]
            line["lineItemFulfillmentStatus"] = "FULFILLED" if whole else "IN_PROGRESS"
        done = {line["lineItemFulfillmentStatus"] for line in lines.values()} == {"FULFILLED"}
        self.change(ref, orderFulfillmentStatus="FULFILLED" if done else "IN_PROGRESS")
        place = f"{request.url}/{parcel['fulfillmentId']}"
        return Response(status_code=201, headers={"Location": place})

    async def _cancel(self, request: Request) -> Response:
        asked = await request.json()
        order = self.orders.get(asked["legacyOrderId"])
        if order is None:
            return _failed(404, 32100, "Invalid order ID")
        shipped = order["orderFulfillmentStatus"] != "NOT_STARTED"
        if shipped or order["cancelStatus"]["cancelState"] == "CANCELED":
            return _failed(409, 1700, "The order is not eligible to be cancelled.")
        self.change(
            order["orderId"],
            cancelStatus={"cancelState": "CANCELED"},
            orderPaymentStatus="FULLY_REFUNDED",
        )
        return JSONResponse({"cancelId": str(self.next_id()), "cancelStatus": "CANCEL_PENDING"})

    async def _list_items(self, request: Request) -> Response:
        limit, page = (int(request.query_params.get(name, "0")) for name in ("limit", "offset"))
        skus = list(self.items)
        shown = skus[page * limit : (page + 1) * limit]
        answer: Record = {"inventoryItems": [self._item(sku) for sku in shown]}
        if len(skus) > (page + 1) * limit:
            answer["next"] = f"/sell/inventory/v1/inventory_item?limit={limit}&offset={page + 1}"
        return JSONResponse(answer)

    async def _get_items(self, request: Request) -> Response:
        asked = (await request.json())["requests"]
        if len(asked) > BULK_MAX:
            return _failed(400, 25709, "At most 25 requests")
        answers = [
            {"sku": each["sku"], "statusCode": 200, "inventoryItem": self._item(each["sku"])}
            if each["sku"] in self.items
            else {"sku": each["sku"], "statusCode": 404, "errors": [{"errorId": 25710}]}
            for each in asked
        ]
        return JSONResponse({"responses": answers}, status_code=207)

    async def _set_items(self, request: Request) -> Response:
        asked = (await request.json())["requests"]
        if len(asked) > BULK_MAX:
            return _failed(400, 25709, "At most 25 requests")
        return JSONResponse({"responses": [self._set(each) for each in asked]}, status_code=207)

    def _set(self, asked: Mapping[str, Any]) -> Record:
        sku, quantity = asked["sku"], asked["shipToLocationAvailability"]["quantity"]
        if sku not in self.items:
            return _item_error(sku, 404, 25710, "We didn't find the resource you are looking for.")
        if quantity < 0:
            return _item_error(sku, 400, 25709, "Invalid value for quantity.")
        if self.revisions.get(sku, 0) >= REVISIONS_MAX:
            return _item_error(sku, 400, 25019, "Too many revisions today.")
        self.revisions[sku] = self.revisions.get(sku, 0) + 1
        self.items[sku]["quantity"] = quantity
        for offer in asked.get("offers", []):
            self.items[sku]["offer"] = offer["availableQuantity"]
        return {"sku": sku, "statusCode": 200}

    async def _public_key(self, request: Request) -> Response:
        if request.path_params["id"] != self.key_id:
            return _failed(404, 195009, "Public key not found")
        der = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        text = base64.b64encode(der).decode()
        pem = f"-----BEGIN PUBLIC KEY-----{text}-----END PUBLIC KEY-----"
        return JSONResponse({"key": pem, "algorithm": "ECDSA", "digest": "SHA1"})

    def _item(self, sku: str) -> Record:
        quantity = self.items[sku]["quantity"]
        availability = {"shipToLocationAvailability": {"quantity": quantity}}
        return {"sku": sku, "availability": availability, "product": {"title": f"A {sku}"}}


def format_time(moment: datetime) -> str:
    """Write a moment as eBay does: UTC, milliseconds."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _failed(status: int, number: int, message: str) -> Response:
    error = {"errorId": number, "domain": "API", "category": "REQUEST", "message": message}
    return JSONResponse({"errors": [error]}, status_code=status)


def _item_error(sku: str, status: int, number: int, message: str) -> Record:
    return {"sku": sku, "statusCode": status, "errors": [{"errorId": number, "message": message}]}
