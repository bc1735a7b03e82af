"""A Medusa shop over the admin REST API: orders, reservations, levels, fulfillments, a subscriber.

It is as strange as the real one where that hurts: unknown parameters are ignored, capturing a
payment does not move an order's time of change, and a fulfillment that is sent again is refused
because its reservation is gone.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Fault, Simulator, Webhook

SALES_CHANNEL = "sc_web"
LOCATION = "sloc_twin"
Handler = Callable[[Request], Awaitable[Response]]
Record = dict[str, Any]


class MedusaSimulator(Simulator):
    """One shop with one location and one secret key. `items` and `orders` may be looked at."""

    def __init__(
        self,
        api_key: str = "sk_twin_secret_key",
        webhook_secret: str = "twin-webhook-secret",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.api_key = api_key
        self.webhook_secret = webhook_secret
        self.knows_filters = True
        self.items: dict[str, Record] = {}
        self.orders: dict[str, Record] = {}
        self.returns: dict[str, Record] = {}
        super().__init__(self._routes(), clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `medusa` reaches this simulator."""
        return {
            "base_url": url,
            "api_key": self.api_key,
            "webhook_secret": self.webhook_secret,
            "stock_location_id": LOCATION,
            "calls_per_second": 1000,
        }

    def add_item(self, sku: str, quantity: int | None) -> str:
        """Keep an article at the location; without quantity it has no level there yet."""
        ref = f"iitem_{self.next_id()}"
        levels = [] if quantity is None else [_level(ref, quantity)]
        elsewhere = {**_level(ref, 50), "location_id": "sloc_elsewhere"}
        levels.append(elsewhere)
        self.items[ref] = {"id": ref, "sku": sku, "title": f"A {sku}", "location_levels": levels}
        return ref

    def quantity(self, sku: str) -> int:
        """Return what is stocked and not reserved."""
        level = self._level_at(self._item(sku))
        return int(level["stocked_quantity"] - level["reserved_quantity"])

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        level = self._level_at(self._item(sku))
        level["stocked_quantity"] = quantity + level["reserved_quantity"]

    def place_order(
        self,
        quantities: Mapping[str, int],
        paid: str = "authorized",
        sales_channel: str = SALES_CHANNEL,
    ) -> str:
        """Sell something; its pieces are reserved. Returns the order id."""
        ref = f"order_{self.next_id()}"
        items = []
        for sku, quantity in quantities.items():
            self._level_at(self._item(sku))["reserved_quantity"] += quantity
            detail = {"fulfilled_quantity": 0, "shipped_quantity": 0, "delivered_quantity": 0}
            named = {"id": f"ordli_{self.next_id()}", "variant_sku": sku, "product_title": sku}
            items.append({**named, "quantity": quantity, "detail": detail})
        self.orders[ref] = {
            "id": ref,
            "display_id": self.next_id(),
            "status": "pending",
            "payment_status": paid,
            "fulfillment_status": "not_fulfilled",
            "customer_id": "cus_1",
            "sales_channel_id": sales_channel,
            "created_at": format_time(self.now()),
            "updated_at": format_time(self.now()),
            "items": items,
            "fulfillments": [],
            "payment_collections": [
                {"id": "paycol_1", "payments": [{"id": f"pay_{ref}", "refunds": []}]}
            ],
        }
        self.emit("order.placed", {"id": ref})
        return ref

    def pack(self, ref: str) -> None:
        """Make a fulfillment of all of an order, which is not shipped yet."""
        order = self.orders[ref]
        items = [{"id": each["id"], "quantity": each["quantity"]} for each in order["items"]]
        for line in order["items"]:
            line["detail"]["fulfilled_quantity"] = line["quantity"]
        made: Record = {"id": f"ful_{self.next_id()}", "metadata": {}, "shipped_at": None}
        order["fulfillments"].append({**made, "canceled_at": None, "items": items})
        self._changed(order, "fulfilled")

    def cancel_order(self, ref: str) -> None:
        """Cancel an order."""
        self.orders[ref] |= {"status": "canceled", "updated_at": format_time(self.now())}
        self.emit("order.canceled", {"id": ref})

    def pay(self, ref: str, status: str) -> None:
        """Move the payment of an order, and its time of change."""
        moved = {"payment_status": status, "updated_at": format_time(self.now())}
        self.orders[ref] |= moved
        self.emit("order.updated", {"id": ref})

    def take_units_off(self, ref: str, line: int, quantity: int) -> None:
        """Edit an order: so many units of a line are no longer wanted."""
        order = self.orders[ref]
        order["items"][line]["quantity"] -= quantity
        sku = order["items"][line]["variant_sku"]
        self._level_at(self._item(sku))["reserved_quantity"] -= quantity
        order["updated_at"] = format_time(self.now())
        self.emit("order-edit.confirmed", {"order_id": ref})

    def create_return(self, ref: str, line: int, quantity: int) -> str:
        """Announce a return of units of a line. Returns its id."""
        order, back, at = self.orders[ref], f"return_{self.next_id()}", format_time(self.now())
        item = order["items"][line]
        item["detail"]["return_requested_quantity"] = quantity
        kept = {"id": "ri", "item_id": item["id"], "quantity": quantity, "note": "too big"}
        self.returns[back] = {
            "id": back,
            "order_id": ref,
            "status": "requested",
            "created_at": at,
            "updated_at": at,
            "received_at": None,
            "items": [{**kept, "received_quantity": 0, "damaged_quantity": 0}],
        }
        order["updated_at"] = at
        self.emit("order.return_requested", {"order_id": ref, "return_id": back})
        return back

    def receive_return(self, back: str, damaged: int = 0) -> None:
        """Receive all of a return; what is not damaged is in stock again."""
        found, at = self.returns[back], format_time(self.now())
        order = self.orders[found["order_id"]]
        (item,) = found["items"]
        item |= {"received_quantity": item["quantity"] - damaged, "damaged_quantity": damaged}
        found |= {"status": "received", "received_at": at, "updated_at": at}
        line = next(each for each in order["items"] if each["id"] == item["item_id"])
        line["detail"] |= {
            "return_requested_quantity": 0,
            "return_received_quantity": item["received_quantity"],
            "return_dismissed_quantity": damaged,
        }
        level = self._level_at(self._item(line["variant_sku"]))
        level["stocked_quantity"] += item["received_quantity"]
        order["updated_at"] = at
        self.emit("order.return_received", {"order_id": order["id"], "return_id": back})

    def refund(self, ref: str, amount: float = 9, note: str = "") -> str:
        """Pay back an amount; no time of change moves. Returns the refund's id."""
        made: Record = {"id": f"ref_{self.next_id()}", "created_at": format_time(self.now())}
        made |= {"amount": amount, "note": note}
        self.orders[ref]["payment_collections"][0]["payments"][0]["refunds"].append(made)
        return str(made["id"])

    def paid_back(self, ref: str) -> Decimal:
        """Return what was paid back of an order."""
        (payment,) = self.orders[ref]["payment_collections"][0]["payments"]
        return sum((Decimal(str(each["amount"])) for each in payment["refunds"]), Decimal())

    def capture(self, ref: str) -> None:
        """Capture the payment; the order's time of change stays where it is."""
        self.orders[ref]["payment_status"] = "captured"

    def emit(self, topic: str, data: Mapping[str, Any]) -> None:
        """Let the subscriber post the data of an event."""
        self.send_webhook(topic, f"event-{self.next_id()}", json.dumps(data).encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign the raw body as the subscriber does."""
        digest = hmac.new(self.webhook_secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        return {
            "x-hub-signature": f"sha256={digest}",
            "x-hub-delivery": webhook.id,
            "x-hub-topic": webhook.topic,
        }

    def fault_response(self, fault: Fault) -> Response:
        """Fail in Medusa's words, or those of a proxy before it."""
        if fault is Fault.SERVER_ERROR:
            return _failed(500, "unknown_error", "An unknown error occurred.")
        return Response("slow down", 429, {"Retry-After": "2"})

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/orders", self._list_orders),
            ("GET", "/orders/{id}", self._order),
            ("POST", "/orders/{id}/cancel", self._cancel),
            ("POST", "/orders/{id}/fulfillments", self._fulfill),
            ("POST", "/orders/{id}/fulfillments/{fulfillment}/shipments", self._ship),
            ("POST", "/payments/{payment}/refund", self._refund),
            ("GET", "/returns", self._list_returns),
            ("GET", "/stock-locations/{id}", self._location),
            ("GET", "/inventory-items", self._list_items),
            ("POST", "/inventory-items/location-levels/batch", self._batch),
        ]
        return [
            Route(f"/admin{path}", self._guard(call), methods=[method])
            for method, path, call in table
        ]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            expected = f"Basic {base64.b64encode(f'{self.api_key}:'.encode()).decode()}"
            if request.headers.get("authorization") != expected:
                return _failed(401, "unauthorized", "Unauthorized")
            if "/orders/" in request.url.path and request.path_params["id"] not in self.orders:
                return _failed(404, "not_found", "Order not found")
            return await call(request)

        return guarded

    async def _location(self, request: Request) -> Response:
        if request.path_params["id"] != LOCATION:
            return _failed(404, "not_found", "Stock location not found")
        return JSONResponse({"stock_location": {"id": LOCATION}})

    async def _list_orders(self, request: Request) -> Response:
        asked = request.query_params
        found = list(self.orders.values())
        if self.knows_filters:
            found = [
                order
                for order in found
                if all(
                    asked.get(f"{name}[$gte]", "") <= order[name]
                    and order[name] <= asked.get(f"{name}[$lte]", "9999")
                    for name in ("created_at", "updated_at")
                )
            ]
        name = asked.get("order", "id")
        found.sort(key=lambda order: (str(order[name]), str(order["id"])))
        return JSONResponse({"orders": _cut(found, request), "count": len(found)})

    async def _list_returns(self, request: Request) -> Response:
        asked = request.query_params
        found = [
            each
            for each in self.returns.values()
            if asked.get("order_id", each["order_id"]) == each["order_id"]
            and asked.get("status", each["status"]) == each["status"]
            and asked.get("created_at[$gte]", "") <= each["created_at"]
        ]
        return JSONResponse({"returns": _cut(found, request), "count": len(found)})

    async def _order(self, request: Request) -> Response:
        return JSONResponse({"order": self.orders[request.path_params["id"]]})

    async def _cancel(self, request: Request) -> Response:
        order = self.orders[request.path_params["id"]]
        if order["status"] == "canceled":
            return _failed(400, "invalid_data", "Order is canceled already")
        if order["payment_status"] == "captured" or order["fulfillments"]:
            return _failed(400, "not_allowed", "The order has captured payments or fulfillments")
        for line in order["items"]:
            self._level_at(self._item(line["variant_sku"]))["reserved_quantity"] -= line["quantity"]
        self.cancel_order(order["id"])
        return JSONResponse({"order": order})

    async def _refund(self, request: Request) -> Response:
        """Refund some of what was captured; no more than that."""
        asked, payment_id = await request.json(), request.path_params["payment"]
        for order in self.orders.values():
            (payment,) = order["payment_collections"][0]["payments"]
            if payment["id"] != payment_id:
                continue
            captured = sum(Decimal(str(each["amount"])) for each in payment.get("captures", []))
            if not 0 < Decimal(str(asked["amount"])) <= captured - self.paid_back(order["id"]):
                message = "You are not allowed to refund more than the captured amount"
                return _failed(400, "invalid_data", message)
            self.refund(order["id"], asked["amount"], asked.get("note", ""))
            order["updated_at"] = format_time(self.now())
            return JSONResponse({"payment": {"id": payment_id, "amount": payment["amount"]}})
        return _failed(404, "not_found", "Payment not found")

    async def _fulfill(self, request: Request) -> Response:
        order, asked = self.orders[request.path_params["id"]], await request.json()
        lines = {line["id"]: line for line in order["items"]}
        for item in asked["items"]:
            line = lines[item["id"]]
            if line["detail"]["fulfilled_quantity"] + item["quantity"] > line["quantity"]:
                message = f"No stock reservation found for item {item['id']}"
                return _failed(400, "invalid_data", message)
        for item in asked["items"]:
            line = lines[item["id"]]
            line["detail"]["fulfilled_quantity"] += item["quantity"]
            level = self._level_at(self._item(line["variant_sku"]))
            level["stocked_quantity"] -= item["quantity"]
            level["reserved_quantity"] -= item["quantity"]
        made = {"id": f"ful_{self.next_id()}", "metadata": asked["metadata"], "shipped_at": None}
        order["fulfillments"].append({**made, "canceled_at": None, "items": asked["items"]})
        return self._changed(order, "fulfilled")

    async def _ship(self, request: Request) -> Response:
        order, asked = self.orders[request.path_params["id"]], await request.json()
        (known,) = (
            each
            for each in order["fulfillments"]
            if each["id"] == request.path_params["fulfillment"]
        )
        if known["shipped_at"]:
            return _failed(400, "not_allowed", "Shipment has already been created")
        known |= {"shipped_at": format_time(self.now()), "labels": asked.get("labels", [])}
        lines = {line["id"]: line for line in order["items"]}
        for item in asked["items"]:
            lines[item["id"]]["detail"]["shipped_quantity"] += item["quantity"]
        return self._changed(order, "shipped")

    def _changed(self, order: Record, step: str) -> Response:
        whole = all(
            line["detail"][f"{step}_quantity"] >= line["quantity"] for line in order["items"]
        )
        status = step if whole else f"partially_{step}"
        order |= {"fulfillment_status": status, "updated_at": format_time(self.now())}
        return JSONResponse({"order": order})

    async def _list_items(self, request: Request) -> Response:
        wanted = request.query_params.getlist("id")
        found = [each for ref, each in sorted(self.items.items()) if not wanted or ref in wanted]
        return JSONResponse({"inventory_items": _cut(found, request), "count": len(found)})

    async def _batch(self, request: Request) -> Response:
        asked = await request.json()
        for entry in (*asked["create"], *asked["update"]):
            if entry["stocked_quantity"] < 0:
                return _failed(400, "invalid_data", "stocked_quantity must not be negative")
            if self.broken(entry["inventory_item_id"]):
                return _failed(404, "not_found", "Inventory item not found")
        for entry in asked["update"]:
            level = self._level_at(self.items[entry["inventory_item_id"]])
            level["stocked_quantity"] = entry["stocked_quantity"]
        for entry in asked["create"]:
            item = self.items[entry["inventory_item_id"]]
            item["location_levels"].append(_level(item["id"], entry["stocked_quantity"]))
        return JSONResponse({"created": [], "updated": [], "deleted": []})

    def broken(self, item: str) -> bool:
        """Say whether an item refuses every change: its SKU begins with ``BROKEN``."""
        return str(self.items[item]["sku"]).startswith("BROKEN")

    def _item(self, sku: str) -> Record:
        return next(each for each in self.items.values() if each["sku"] == sku)

    def _level_at(self, item: Record) -> Record:
        levels: list[Record] = item["location_levels"]
        return next(each for each in levels if each["location_id"] == LOCATION)


def format_time(moment: datetime) -> str:
    """Write a moment as Medusa does: UTC, milliseconds."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _level(item: str, quantity: int) -> Record:
    at = {"inventory_item_id": item, "location_id": LOCATION}
    return {**at, "stocked_quantity": quantity, "reserved_quantity": 0}


def _cut(found: list[Record], request: Request) -> list[Record]:
    start = int(request.query_params.get("offset", "0"))
    return found[start : start + int(request.query_params.get("limit", "50"))]


def _failed(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"type": kind, "message": message}, status_code=status)
