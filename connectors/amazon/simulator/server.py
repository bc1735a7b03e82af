"""An Amazon seller: orders by token, listings, feeds that take their time, parcels, and a queue.

A token of a page is good for the search that gave it, and no other; orders come in no order.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.amazon.simulator.external import LocationDesk
from connectors.amazon.simulator.external_inventory import InventoryDesk
from connectors.amazon.simulator.external_returns import ReturnDesk
from connectors.amazon.simulator.feeds import FeedDesk
from connectors.amazon.simulator.queue import QueueSimulator
from connectors.amazon.simulator.reports import ReportDesk
from connectors.testing.simulator import Fault, Simulator

ORDERS, LISTINGS = "/orders/2026-01-01/orders", "/listings/2021-08-01/items"
EASY_SHIP = "/easyShip/2022-03-23"
LISTINGS_MAX = 1000  # of one search
PAGE_MAX = 20
YOUNG = timedelta(minutes=2)
SERIALS_MAX = 100
MESSAGE_MAX = 2000
Handler = Callable[[Request], Awaitable[Response]]
Record = dict[str, Any]


class AmazonSimulator(Simulator):
    """One seller, one application. `items`, `orders`, `booked` and `queue` may be looked at."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.client = ("twin-client", "twin-client-secret")
        self.refresh_token = "twin-refresh-token"
        self.seller, self.marketplace = "A2TWIN", "A1PA6795UKMFR9"
        self.items: dict[str, Record] = {}
        self.orders: dict[str, Record] = {}
        self.booked: dict[str, Record] = {}
        self.tokens: set[str] = set()
        self.pages: dict[str, tuple[dict[str, str], int]] = {}
        self.tokens_issued = 0
        self.messages: list[tuple[str, str]] = []  # to buyers: the order, and the text
        self.wall: Callable[[], datetime] = clock or (lambda: datetime.now(UTC))
        self.past = timedelta()  # so long ago happens what is reported: Amazon shows orders late
        self.rates: dict[str, str] = {}  # what the next answers report their pace, by path
        self.feed_desk = FeedDesk(self._problem, self._set, self.next_id, lambda: iso(self.now()))
        self.report_desk = ReportDesk(self.feed_desk.documents, self.next_id, lambda: self._then())
        self.inventory_desk = InventoryDesk()
        self.return_desk = ReturnDesk(self.next_id, lambda: iso(self._then()))
        self.location_desk = LocationDesk(self.next_id, lambda: iso(self._then()))
        super().__init__(self._routes(), clock)
        self.queue = QueueSimulator(self.now, self.next_id)

    def settings(self, url: str, **more: Any) -> dict[str, Any]:
        """Return the settings with which the connector `amazon` reaches this simulator."""
        return {
            "base_url": url,
            "token_url": f"{url}/auth/o2/token",
            "client_id": self.client[0],
            "client_secret": self.client[1],
            "refresh_token": self.refresh_token,
            "seller_id": self.seller,
            "marketplace_ids": [self.marketplace],
            "feed_poll_seconds": 0.01,
            "returns_report_minutes": 0,
            "calls_per_second": 1000,
            "queue_url": f"{url}{self.queue.path}",
            "queue_region": self.queue.region,
            "queue_access_key_id": self.queue.identity,
            "queue_secret_access_key": self.queue.secret,
            **more,
        }

    def add_item(self, sku: str, quantity: int, *, fulfilled_by_amazon: bool = False) -> None:
        """List something, from the seller's own stock or from Amazon's."""
        code = "AMAZON_EU" if fulfilled_by_amazon else "DEFAULT"
        created = self._then() + timedelta(milliseconds=len(self.items))
        self.items[sku] = {"code": code, "quantity": quantity, "created": iso(created)}

    def quantity(self, sku: str) -> int:
        """Return what is for sale."""
        return int(self.items[sku]["quantity"])

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self.items[sku]["quantity"] = quantity

    def place_order(
        self,
        quantities: Mapping[str, int],
        status: str = "UNSHIPPED",
        by: str = "MERCHANT",
        programs: tuple[str, ...] = (),
        serials: Mapping[str, list[str]] | None = None,
        marketplace: str | None = None,
    ) -> str:
        """Sell something, on the seller's first marketplace or another. Returns the order id."""
        ref = f"302-{self.next_id():07}-{self.next_id():07}"
        lines = []
        for sku, quantity in quantities.items():
            product: Record = {"sellerSku": sku, "title": f"A {sku}", "asin": "B000000000"}
            if serials and sku in serials:
                product["serialNumbers"] = serials[sku]
            progress = {"quantityFulfilled": 0, "quantityUnfulfilled": quantity}
            number = f"{self.next_id():014}"
            lines.append(
                {"orderItemId": number, "quantityOrdered": quantity, "product": product}
                | {"fulfillment": progress}
            )
            if by == "MERCHANT":
                self.items[sku]["quantity"] -= quantity
        self.orders[ref] = {
            "orderId": ref,
            "createdTime": iso(self._then()),
            "lastUpdatedTime": iso(self._then()),
            "programs": list(programs),
            "salesChannel": {
                "channelName": "AMAZON",
                "marketplaceId": marketplace or self.marketplace,
            },
            "buyer": {"buyerEmail": "twin-buyer@marketplace.amazon.test"},
            "fulfillment": {"fulfillmentStatus": status, "fulfilledBy": by},
            "orderItems": lines,
            "packages": [],
        }
        self.notify(ref)
        return ref

    def ask_to_cancel(self, ref: str, *, asked: bool) -> None:
        """Let the buyer ask to cancel, or think better of it."""
        request = {"requester": "BUYER", "cancelReason": "No longer needed"}
        for item in self.orders[ref]["orderItems"]:
            item["cancellation"] = {"cancellationRequest": request} if asked else {}
        self.change(ref, self.orders[ref]["fulfillment"]["fulfillmentStatus"])

    def change(self, ref: str, status: str) -> None:
        """Let something happen to an order."""
        self.orders[ref]["fulfillment"]["fulfillmentStatus"] = status
        self.orders[ref]["lastUpdatedTime"] = iso(self._then())
        self.notify(ref)

    def notify(self, ref: str) -> None:
        """Put an ORDER_CHANGE into the queue."""
        if self.lose_webhooks:
            return
        kind = "MFN" if self.orders[ref]["fulfillment"]["fulfilledBy"] == "MERCHANT" else "AFN"
        change = {"AmazonOrderId": ref, "SellerId": self.seller, "NotificationLevel": "OrderLevel"}
        notice = {
            "NotificationVersion": "1.0",
            "NotificationType": "ORDER_CHANGE",
            "EventTime": iso(self._then()),
            "Payload": {
                "OrderChangeNotification": {**change, "Summary": {"FulfillmentType": kind}}
            },
            "NotificationMetadata": {"NotificationId": f"notice-{self.next_id()}"},
        }
        for _ in range(2 if self.duplicate_webhooks else 1):
            self.queue.put(json.dumps(notice))

    def _then(self) -> datetime:
        return self.now() - self.past

    def fault_response(self, fault: Fault) -> Response:
        """Fail in Amazon's words; it never says for how long."""
        if fault is Fault.SERVER_ERROR:
            return _failed(500, "InternalFailure", "We encountered an internal error.")
        return _failed(429, "QuotaExceeded", "You exceeded your quota for the resource.")

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/sellers/v1/marketplaceParticipations", self._sellers),
            ("GET", ORDERS, self._search_orders),
            ("GET", f"{ORDERS}/{{id}}", self._order),
            ("POST", "/orders/v0/orders/{id}/shipmentConfirmation", self._confirm),
            ("GET", f"{LISTINGS}/{{seller}}", self._search_listings),
            ("PATCH", f"{LISTINGS}/{{seller}}/{{sku:path}}", self._patch),
            ("POST", "/messaging/v1/orders/{id}/messages/unexpectedProblem", self._message),
            *self.feed_desk.table(),
            *self.report_desk.table(),
            *self.location_desk.table(),
            *self.inventory_desk.table(),
            *self.return_desk.table(),
            ("POST", f"{EASY_SHIP}/timeSlot", self._slots),
            ("GET", f"{EASY_SHIP}/package", self._parcel),
            ("POST", f"{EASY_SHIP}/package", self._book),
        ]
        guarded = [Route(path, self._guard(call), methods=[verb]) for verb, path, call in table]
        return [
            Route("/auth/o2/token", self._token, methods=["POST"]),
            *self.feed_desk.files(),
            Route("/", self._to_queue, methods=["POST"]),
            *guarded,
        ]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.headers.get("x-amz-access-token") not in self.tokens:
                return _failed(401, "Unauthorized", "The access token is not valid.")
            answer = await call(request)
            if rate := self.rates.get(request.url.path):
                answer.headers["x-amzn-RateLimit-Limit"] = rate
            return answer

        return guarded

    async def _to_queue(self, request: Request) -> Response:
        return await self.queue.answer(request)

    async def _token(self, request: Request) -> Response:
        asked = dict(parse_qsl((await request.body()).decode()))
        if (asked.get("client_id"), asked.get("client_secret")) != self.client:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        right = (asked.get("grant_type"), asked.get("refresh_token"))
        if right != ("refresh_token", self.refresh_token):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        token = f"Atza|{self.next_id()}"
        self.tokens.add(token)
        self.tokens_issued += 1
        return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": 3600})

    async def _sellers(self, request: Request) -> Response:
        market = {"id": self.marketplace, "name": "Amazon.de", "countryCode": "DE"}
        taking = {"isParticipating": True, "hasSuspendedListings": False}
        return JSONResponse({"payload": [{"marketplace": market, "participation": taking}]})

    async def _search_orders(self, request: Request) -> Response:
        asked = dict(request.query_params)
        token, size = asked.pop("paginationToken", None), int(asked.get("maxResultsPerPage", 100))
        if ("createdAfter" in asked) == ("lastUpdatedAfter" in asked) or not 1 <= size <= 100:
            return _failed(400, "InvalidInput", "Exactly one of the times must be given.")
        name = "created" if "createdAfter" in asked else "lastUpdated"
        until = asked.get(f"{name}Before")
        if until and datetime.fromisoformat(until) > self.wall() - YOUNG:
            return _failed(400, "InvalidInput", f"{name}Before is too recent.")
        start = 0
        if token is not None:
            if self.pages.get(token, ({}, 0))[0] != asked:
                return _failed(400, "InvalidInput", "The pagination token is not valid.")
            start = self.pages[token][1]
        last = until or iso(self.now())
        found = [
            each
            for each in self.orders.values()
            if asked[f"{name}After"] <= each[f"{name}Time"] <= last
            and each["fulfillment"]["fulfilledBy"] in asked.get("fulfilledBy", "MERCHANT,AMAZON")
            and each["salesChannel"]["marketplaceId"] in asked["marketplaceIds"]
        ]
        found.sort(key=lambda each: str(each["orderId"])[::-1])  # in no order of time
        shown = [self._shown(each, asked) for each in found[start : start + size]]
        answer: Record = {"orders": shown, "pagination": {}, f"{name}Before": last}
        if len(found) > start + size:
            following = f"page-{self.next_id()}"
            self.pages[following] = (asked, start + size)
            answer["pagination"] = {"nextToken": following}
        return JSONResponse(answer)

    async def _order(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return _failed(404, "NotFound", "The order does not exist.")
        return JSONResponse({"order": self._shown(order, dict(request.query_params))})

    def _shown(self, order: Record, asked: Mapping[str, str]) -> Record:
        """Leave out what was not asked for."""
        included = asked.get("includedData", "").split(",")
        parts = {"buyer": "BUYER", "packages": "PACKAGES", "fulfillment": "FULFILLMENT"}
        hidden = {name for name, data in parts.items() if data not in included}
        return {name: value for name, value in order.items() if name not in hidden}

    async def _confirm(self, request: Request) -> Response:
        order, asked = self.orders.get(request.path_params["id"]), await request.json()
        package = asked["packageDetail"]
        if order is None or not package["packageReferenceId"].isdecimal():
            return _failed(400, "InvalidInput", "Only positive numeric values are supported.")
        if package["carrierCode"] == "Other" and not package.get("carrierName"):
            return _failed(400, "InvalidInput", "carrierName is required.")
        lines = {line["orderItemId"]: line for line in order["orderItems"]}
        for each in package["orderItems"]:
            line = lines.get(each["orderItemId"])
            if line is None or each["quantity"] > line["fulfillment"]["quantityUnfulfilled"]:
                return _failed(400, "InvalidInput", "There is not so much left to be shipped.")
        for each in package["orderItems"]:
            progress = lines[each["orderItemId"]]["fulfillment"]
            progress["quantityUnfulfilled"] -= each["quantity"]
            progress["quantityFulfilled"] += each["quantity"]
        order["packages"].append(
            {
                "packageReferenceId": package["packageReferenceId"],
                "carrier": package["carrierCode"],
                "trackingNumber": package["trackingNumber"],
                "packageItems": package["orderItems"],
            }
        )
        done = not any(line["fulfillment"]["quantityUnfulfilled"] for line in lines.values())
        self.change(order["orderId"], "SHIPPED" if done else "PARTIALLY_SHIPPED")
        return Response(status_code=204)

    async def _search_listings(self, request: Request) -> Response:
        asked = dict(request.query_params)
        size, token = int(asked.get("pageSize", "10")), int(asked.get("pageToken", "0"))
        skus = list(self.items)
        if "identifiers" in asked:
            named = asked["identifiers"].split(",")
            if len(named) > PAGE_MAX or asked.get("identifiersType") != "SKU":
                return _failed(400, "InvalidInput", "At most 20 identifiers of one type.")
            skus = [sku for sku in named if sku in self.items]
        skus = [s for s in skus if self.items[s]["created"] >= asked.get("createdAfter", "")]
        skus.sort(key=lambda sku: str(self.items[sku]["created"]))
        total, skus = len(skus), skus[:LISTINGS_MAX]
        answer: Record = {
            "numberOfResults": total,
            "items": [self._item(sku) for sku in skus[token : token + size]],
        }
        if len(skus) > token + size:
            answer["pagination"] = {"nextToken": str(token + size)}
        return JSONResponse(answer)

    def _item(self, sku: str) -> Record:
        item = self.items[sku]
        summary = {"marketplaceId": self.marketplace, "productType": "CAMERA", "status": []}
        summary |= {"itemName": f"A {sku}", "createdDate": item["created"]}
        offered = {"fulfillmentChannelCode": item["code"], "quantity": item["quantity"]}
        return {"sku": sku, "summaries": [summary], "fulfillmentAvailability": [offered]}

    def _problem(self, sku: str, asked: Mapping[str, Any]) -> Record | None:
        (patch,) = asked["patches"]
        quantity = patch["value"][0]["quantity"]
        code, message = "", ""
        if sku not in self.items:
            code, message = "4000003", f"SKU {sku} is not known."
        elif asked["productType"] not in ("CAMERA", "PRODUCT"):
            code, message = "4000001", "The product type does not fit."
        elif quantity < 0:
            code, message = "4000002", "The quantity is less than the minimum."
        return {"code": code, "message": message, "severity": "ERROR"} if code else None

    def _set(self, sku: str, asked: Mapping[str, Any]) -> None:
        self.items[sku]["quantity"] = asked["patches"][0]["value"][0]["quantity"]

    async def _patch(self, request: Request) -> Response:
        sku, asked = request.path_params["sku"], await request.json()
        problem = self._problem(sku, asked)
        if problem is None:
            self._set(sku, asked)
        status, issues = ("INVALID", [problem]) if problem else ("ACCEPTED", [])
        said = {"sku": sku, "status": status, "submissionId": str(self.next_id())}
        return JSONResponse({**said, "issues": issues})

    async def _message(self, request: Request) -> Response:
        ref, text = request.path_params["id"], (await request.json()).get("text", "")
        if ref not in self.orders:
            return _failed(404, "NotFound", "The order does not exist.")
        if not 1 <= len(text) <= MESSAGE_MAX or "marketplaceIds" not in request.query_params:
            return _failed(400, "InvalidInput", "The message is not valid.")
        self.messages.append((ref, text))
        return JSONResponse({}, status_code=201)

    async def _slots(self, request: Request) -> Response:
        asked = await request.json()
        if asked["amazonOrderId"] not in self.orders:
            return _failed(404, "NotFound", "The order does not exist.")
        day = self.now() + timedelta(days=1)
        slots = [
            {"slotId": kind.lower(), "handoverMethod": kind}
            | {"startTime": iso(day), "endTime": iso(day + timedelta(hours=2))}
            for kind in ("DROPOFF", "PICKUP")
        ]
        return JSONResponse({"amazonOrderId": asked["amazonOrderId"], "timeSlots": slots})

    async def _parcel(self, request: Request) -> Response:
        found = self.booked.get(request.query_params["amazonOrderId"])
        return JSONResponse(found) if found else _failed(404, "NotFound", "Not scheduled.")

    async def _book(self, request: Request) -> Response:
        asked = await request.json()
        ref = asked["amazonOrderId"]
        if ref in self.booked:
            return _failed(400, "InvalidInput", "The order is scheduled already.")
        items = asked["packageDetails"].get("packageItems", [])
        if any(len(each["orderItemSerialNumbers"]) > SERIALS_MAX for each in items):
            return _failed(400, "InvalidInput", "At most 100 serial numbers.")
        slot = asked["packageDetails"]["packageTimeSlot"]
        named = {"amazonOrderId": ref, "packageId": str(self.next_id())}
        self.booked[ref] = {
            "scheduledPackageId": named,
            "packageItems": items,
            "packageTimeSlot": slot,
            "packageStatus": "ReadyForPickup",
        }
        return JSONResponse(self.booked[ref])


def iso(moment: datetime) -> str:
    """Write a moment as Amazon does."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _failed(status: int, code: str, message: str) -> Response:
    error = {"code": code, "message": message, "details": ""}
    return JSONResponse({"errors": [error]}, status_code=status)
