"""A Walmart seller: orders by a query that goes on by itself, promises, parcels, nodes, feeds.

What an order reserves stays reserved until it is shipped. An order can not be shipped before it was
acknowledged; a line whose every unit was shipped takes no further parcel.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Fault, Simulator, Webhook
from connectors.walmart.simulator.records import (
    amount_of,
    changed_at,
    failed,
    format_time,
    lines_by_number,
    milliseconds,
    no_order,
    parts_of,
    status_of,
    still_open,
    within,
)

REQUIRED = ("wm_qos.correlation_id", "wm_svc.name")
ORDERS_MAX, ITEMS_MAX = 200, 50
Handler = Callable[[Request], Awaitable[Response]]
Record = dict[str, Any]


class WalmartSimulator(Simulator):
    """One seller with one ship node. `items`, `orders` and `feeds` may be looked at."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.client = ("twin-client", "twin-client-secret")
        self.webhook_secret = "twin-webhook-secret"
        self.scheme = "body"  # or "address": how webhooks are signed
        self.node = "1000005050"
        self.items: dict[str, int] = {}  # what is there
        self.orders: dict[str, Record] = {}
        self.changed: dict[str, datetime] = {}
        self.shipped: list[str] = []  # the orders that parcels were reported of
        self.returns: dict[str, Record] = {}
        self.feeds: dict[str, Record] = {}
        self.feed_looks = 1
        self.tokens: set[str] = set()
        self.tokens_issued = 0
        self.scopes = {"orders": "full_access", "inventory": "full_access"}
        self.read_rate_limits: dict[str, str] = {}  # headers of the next answers
        super().__init__(self._routes(), clock)

    def settings(self, url: str, **more: Any) -> dict[str, Any]:
        """Return the settings with which the connector `walmart` reaches this simulator."""
        return {
            "base_url": url,
            "client_id": self.client[0],
            "client_secret": self.client[1],
            "webhook_secret": self.webhook_secret,
            "webhook_header": "X-Twin-Signature",
            "notification_url": "http://hub.test/webhooks/walmart?from=twin",
            "feed_poll_seconds": 0.01,
            "calls_per_second": 1000,
            **more,
        }

    def add_item(self, sku: str, quantity: int) -> None:
        """List an item."""
        self.items[sku] = quantity

    def quantity(self, sku: str) -> int:
        """Return what is for sale."""
        return self.items[sku] - self.reserved(sku)

    def reserved(self, sku: str) -> int:
        """Count what orders hold of an item."""
        lines = [each for order in self.orders.values() for each in lines_by_number(order)]
        return sum(still_open(line) for line in lines if line["item"]["sku"] == sku)

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self.items[sku] = quantity + self.reserved(sku)

    def place_order(
        self,
        quantities: Mapping[str, int],
        serials: Mapping[str, list[str]] | None = None,
        node: str = "SellerFulfilled",
    ) -> str:
        """Sell something. Returns the number of the purchase order."""
        ref, now = str(1_796_277_000_000 + self.next_id()), milliseconds(self.now())
        lines = []
        for sku, quantity in quantities.items():
            line: Record = {
                "lineNumber": str(self.next_id()),
                "item": {"productName": f"A {sku}", "sku": sku},
                "charges": {"charge": []},
                "orderLineQuantity": {"unitOfMeasurement": "EACH", "amount": str(quantity)},
                "statusDate": now,
                "orderLineStatuses": {"orderLineStatus": [status_of("Created", quantity)]},
            }
            if serials and sku in serials:
                line["serialNumbers"] = serials[sku]
            lines.append(line)
        self.orders[ref] = {
            "purchaseOrderId": ref,
            "customerOrderId": f"C{ref}",
            "customerEmailId": "twin-buyer@relay.walmart.test",
            "orderDate": now,
            "shippingInfo": {"phone": "0", "methodCode": "Value"},
            "orderLines": {"orderLine": lines},
            "shipNode": {"type": node},
        }
        self._change(ref, "PO_CREATED")
        return ref

    def ask_to_cancel(self, ref: str, *, asked: bool) -> None:
        """Let the buyer ask to cancel, or think better of it."""
        for line in lines_by_number(self.orders[ref]):
            line["intentToCancel"] = "Y" if asked else "N"
            line["statusDate"] = milliseconds(self.now())
        self._change(ref, "PO_LINE_INTENT_TO_CANCEL")

    def cancel(self, ref: str) -> None:
        """Let the buyer cancel what was not shipped."""
        for line in lines_by_number(self.orders[ref]):
            gone = [each for each in parts_of(line) if each["status"] in ("Shipped", "Cancelled")]
            left = still_open(line)
            ended = [status_of("Cancelled", left)] if left else []
            line["orderLineStatuses"]["orderLineStatus"] = [*gone, *ended]
        self._change(ref, "PO_LINE_AUTOCANCELLED")

    def create_return(
        self, ref: str, quantity: int, status: str = "INITIATED", of_line: int = 0, **more: Any
    ) -> str:
        """Let the buyer send units of a line back. Returns the number of the return."""
        number, line = f"RMA{self.next_id()}", lines_by_number(self.orders[ref])[of_line]
        self.returns[number] = {
            "returnOrderId": number,
            "customerOrderId": self.orders[ref]["customerOrderId"],
            "customerEmailId": "twin-buyer@relay.walmart.test",
            "returnOrderDate": format_time(self.now()),
            "returnOrderLines": [
                {
                    "returnOrderLineNumber": 1,
                    "purchaseOrderId": ref,
                    "purchaseOrderLineNumber": int(line["lineNumber"]),
                    "returnReason": "DEFECTIVE",
                    "item": line["item"],
                    "quantity": {"unitOfMeasure": "EACH", "measurementValue": quantity},
                    "status": status,
                    "statusTime": format_time(self.now()),
                    **more,
                }
            ],
        }
        return number

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign the body, or method, address, time and body."""
        key = self.webhook_secret.encode()
        if self.scheme == "body":
            return {"x-twin-signature": hmac.digest(key, webhook.body, "sha256").hex()}
        address, stamp = urlsplit(webhook.url), str(milliseconds(self.now()))
        asked = address.path + (f"?{address.query}" if address.query else "")
        text = f"POST\n{asked}\n{stamp}\n{hashlib.sha256(webhook.body).hexdigest()}"
        made = base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()
        return {"WM_SEC.SIGNATURE": made, "WM_SEC.TIMESTAMP": stamp}

    def fault_response(self, fault: Fault) -> Response:
        """Fail in Walmart's words."""
        if fault is Fault.SERVER_ERROR:
            return failed(500, "SYSTEM_ERROR.GMP_GATEWAY_API", "Internal server error")
        return failed(429, "REQUEST_THRESHOLD_VIOLATED.GMP_GATEWAY_API", "Too many requests")

    def _change(self, ref: str, topic: str) -> None:
        now = self.now()
        self.changed[ref] = now
        for line in lines_by_number(self.orders[ref]):
            line["statusDate"] = milliseconds(now)
        self.emit(topic, ref)

    def parcels(self, ref: str) -> int:
        """Count the parcels of an order that were reported of."""
        return self.shipped.count(ref)

    def emit(self, topic: str, ref: str) -> None:
        """Announce something about an order."""
        now = self.now()
        source = {
            "eventType": topic,
            "eventId": f"event-{self.next_id()}",
            "eventTime": format_time(now),
        }
        event = {"source": source, "payload": {"order": {"purchaseOrderId": ref}}}
        self.send_webhook(topic, source["eventId"], json.dumps(event).encode())

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/v3/token/detail", self._detail),
            ("GET", "/v3/orders", self._list_orders),
            ("GET", "/v3/orders/{id}", self._order),
            ("POST", "/v3/orders/{id}/acknowledge", self._acknowledge),
            ("POST", "/v3/orders/{id}/cancel", self._cancel),
            ("POST", "/v3/orders/{id}/shipping", self._ship),
            ("PUT", "/v3/inventory", self._set),
            ("GET", "/v3/inventories", self._list_items),
            ("GET", "/v3/inventories/{sku:path}", self._item),
            ("GET", "/v3/returns", self._list_returns),
            ("POST", "/v3/feeds", self._feed),
            ("GET", "/v3/feeds/{id}", self._look_at_feed),
        ]
        guarded = [Route(path, self._guard(call), methods=[verb]) for verb, path, call in table]
        return [Route("/v3/token", self._token, methods=["POST"]), *guarded]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.headers.get("wm_sec.access_token") not in self.tokens:
                return failed(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Unauthorized")
            if any(name not in request.headers for name in REQUIRED):
                return failed(400, "INVALID_REQUEST.GMP_GATEWAY_API", "A header is missing")
            answer = await call(request)
            answer.headers.update(self.read_rate_limits)
            return answer

        return guarded

    async def _token(self, request: Request) -> Response:
        pair = base64.b64encode(":".join(self.client).encode()).decode()
        asked = dict(parse_qsl((await request.body()).decode()))
        if request.headers.get("authorization") != f"Basic {pair}":
            return failed(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Unauthorized")
        if asked.get("grant_type") != "client_credentials" or REQUIRED[0] not in request.headers:
            return failed(400, "INVALID_REQUEST.GMP_GATEWAY_API", "Invalid request")
        token = f"token-{self.next_id()}"
        self.tokens.add(token)
        self.tokens_issued += 1
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 900})

    async def _detail(self, request: Request) -> Response:
        return JSONResponse({"is_valid": True, "scopes": self.scopes})

    async def _list_orders(self, request: Request) -> Response:
        asked = dict(request.query_params)
        limit, start = int(asked.get("limit", "100")), int(asked.get("poIndex", "0"))
        if limit > ORDERS_MAX:
            return failed(400, "INVALID_REQUEST_PARAM.GMP_ORDER_API", "limit is at most 200")
        found = []
        for ref, order in self.orders.items():
            created = datetime.fromtimestamp(order["orderDate"] / 1000, UTC)
            inside = within(asked, "created", created)
            inside = inside and within(asked, "lastModified", self.changed[ref])
            wanted = asked.get("shipNodeType", "SellerFulfilled")
            if inside and order["shipNode"]["type"] == wanted:
                found.append(order)
        found.reverse()  # the newest first
        meta: Record = {"totalCount": len(found), "limit": limit}
        if len(found) > start + limit:
            following = {**asked, "poIndex": str(start + limit), "hasMoreElements": "true"}
            meta["nextCursor"] = f"?{urlencode(following)}"
        if not found:
            return failed(404, "CONTENT_NOT_FOUND.GMP_ORDER_API", "No orders found.")
        elements = {"order": found[start : start + limit]}
        return JSONResponse({"list": {"meta": meta, "elements": elements}})

    async def _list_returns(self, request: Request) -> Response:
        asked = dict(request.query_params)
        limit, start = int(asked.get("limit", "10")), int(asked.get("offset", "0"))
        if limit > ORDERS_MAX:
            return failed(400, "INVALID_REQUEST_PARAM.GMP_ORDER_API", "limit is at most 200")
        found = [
            each
            for each in self.returns.values()
            if asked.get("customerOrderId") in (None, each["customerOrderId"])
            and within(asked, "returnLastModified", changed_at(each))
        ]
        meta: Record = {"totalCount": len(found), "limit": limit}
        if len(found) > start + limit:
            meta["nextCursor"] = f"?{urlencode({**asked, 'offset': str(start + limit)})}"
        return JSONResponse({"meta": meta, "returnOrders": found[start : start + limit]})

    async def _order(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        return JSONResponse({"order": order}) if order else no_order()

    async def _acknowledge(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return no_order()
        for line in lines_by_number(order):
            for part in parts_of(line):
                if part["status"] == "Created":
                    part["status"] = "Acknowledged"
        self._change(order["purchaseOrderId"], "PO_ACKNOWLEDGED")
        return JSONResponse({"order": order})

    async def _cancel(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return no_order()
        asked = (await request.json())["orderCancellation"]["orderLines"]["orderLine"]
        lines = {line["lineNumber"]: line for line in lines_by_number(order)}
        for each in asked:
            (status,) = each["orderLineStatuses"]["orderLineStatus"]
            line, units = lines[each["lineNumber"]], int(status["statusQuantity"]["amount"])
            if units > still_open(line):
                return failed(400, "INVALID_REQUEST.GMP_ORDER_API", "The line is not open")
            gone = [p for p in parts_of(line) if p["status"] in ("Shipped", "Cancelled")]
            rest = still_open(line) - units
            kept = [status_of("Acknowledged", rest)] if rest else []
            ended = [*gone, *kept, status_of("Cancelled", units)]
            line["orderLineStatuses"]["orderLineStatus"] = ended
        self._change(order["purchaseOrderId"], "PO_LINE_CANCELLED")
        return JSONResponse({"order": order})

    async def _ship(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return no_order()
        asked = (await request.json())["orderShipment"]["orderLines"]["orderLine"]
        lines = {line["lineNumber"]: line for line in lines_by_number(order)}
        for each in asked:
            (status,) = each["orderLineStatuses"]["orderLineStatus"]
            parts = {part["status"]: part for part in parts_of(lines[each["lineNumber"]])}
            left = int(parts.get("Acknowledged", status_of("", 0))["statusQuantity"]["amount"])
            if int(status["statusQuantity"]["amount"]) > left:
                said = "The quantity to ship exceeds what was acknowledged"
                return failed(400, "INVALID_REQUEST_CONTENT.GMP_ORDER_API", said)
        self.shipped.append(order["purchaseOrderId"])
        for each in asked:
            self._ship_line(lines[each["lineNumber"]], each)
        self._change(order["purchaseOrderId"], "PO_LINE_SHIPPED")
        return JSONResponse({"order": order})

    def _ship_line(self, line: Record, asked: Mapping[str, Any]) -> None:
        (status,) = asked["orderLineStatuses"]["orderLineStatus"]
        quantity, parts = int(status["statusQuantity"]["amount"]), parts_of(line)
        for part in parts:
            if part["status"] == "Acknowledged":
                left = int(part["statusQuantity"]["amount"]) - quantity
                part["statusQuantity"]["amount"] = str(left)
        kept = [part for part in parts if part["statusQuantity"]["amount"] != "0"]
        line["orderLineStatuses"]["orderLineStatus"] = [*kept, status]
        line["sellerOrderId"] = asked["sellerOrderId"]
        self.items[line["item"]["sku"]] -= quantity

    def _shown(self, sku: str) -> Record:
        reserved = self.reserved(sku)
        node = {
            "shipNode": self.node,
            "inputQty": amount_of(self.items[sku]),
            "availToSellQty": amount_of(self.items[sku] - reserved),
            "reservedQty": amount_of(reserved),
        }
        return {"sku": sku, "nodes": [node]}

    async def _item(self, request: Request) -> Response:
        sku = request.path_params["sku"]
        if sku not in self.items:
            return failed(404, "CONTENT_NOT_FOUND.GMP_INVENTORY_API", "Item not found")
        return JSONResponse(self._shown(sku))

    async def _list_items(self, request: Request) -> Response:
        asked = request.query_params
        limit, start = int(asked.get("limit", "10")), int(asked.get("nextCursor", "0"))
        if limit > ITEMS_MAX:
            return failed(400, "INVALID_REQUEST_PARAM.GMP_INVENTORY_API", "limit is at most 50")
        skus = list(self.items)
        meta: Record = {"totalCount": len(skus)}
        if len(skus) > start + limit:
            meta["nextCursor"] = str(start + limit)
        shown = [self._shown(sku) for sku in skus[start : start + limit]]
        return JSONResponse({"meta": meta, "elements": {"inventories": shown}})

    def _put(self, record: Mapping[str, Any]) -> str:
        """Set what is there of an item; returns why not."""
        sku, amount = record["sku"], record["quantity"]["amount"]
        if sku not in self.items:
            return "Item not found"
        if amount < 0:
            return "The amount is negative"
        self.items[sku] = amount
        return ""

    async def _set(self, request: Request) -> Response:
        asked = await request.json()
        if request.query_params.get("sku") != asked["sku"]:
            return failed(400, "INVALID_REQUEST.GMP_INVENTORY_API", "The SKUs differ")
        if refused := self._put(asked):
            return failed(400, "INVALID_REQUEST_CONTENT.GMP_INVENTORY_API", refused)
        return JSONResponse(asked)

    async def _feed(self, request: Request) -> Response:
        body = await request.body()
        read = re.search(rb"\r\n\r\n(\{.*\})\r\n--", body, re.DOTALL)
        if read is None or request.query_params.get("feedType") != "inventory":
            return failed(400, "INVALID_REQUEST.GMP_GATEWAY_API", "No file came")
        ref = f"FEED{self.next_id()}@AUoBAQA"
        self.feeds[ref] = {"records": json.loads(read[1])["Inventory"], "looks": 0, "items": None}
        return JSONResponse({"feedId": ref})

    async def _look_at_feed(self, request: Request) -> Response:
        feed = self.feeds[request.path_params["id"]]
        feed["looks"] += 1
        if feed["items"] is None and feed["looks"] >= self.feed_looks:
            feed["items"] = [self._ingest(each) for each in feed["records"]]
        if feed["items"] is None:
            return JSONResponse({"feedStatus": "INPROGRESS"})
        limit, start = (int(request.query_params[name]) for name in ("limit", "offset"))
        shown = feed["items"][start : start + limit]
        details = {"itemIngestionStatus": shown}
        return JSONResponse({"feedStatus": "PROCESSED", "itemDetails": details})

    def _ingest(self, record: Mapping[str, Any]) -> Record:
        refused = self._put(record)
        if not refused:
            return {"sku": record["sku"], "ingestionStatus": "SUCCESS"}
        errors = {"ingestionError": [{"code": "ERR_INT_DATA_01010226", "description": refused}]}
        said = {"sku": record["sku"], "ingestionStatus": "DATA_ERROR"}
        return {**said, "ingestionErrors": errors}
