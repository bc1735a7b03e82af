"""A BigCommerce store: orders of v2, inventory of v3 that is processed later, thin webhooks.

Empty lists of v2 are answered with 204 and no body, an adjustment is all or nothing and shows only
after `work_off`, and the times of v2 are RFC 2822 with whole seconds.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Fault, Simulator, Webhook

STATUSES = {0: "Incomplete", 2: "Shipped", 3: "Partially Shipped", 5: "Cancelled"}
ADJUSTMENTS_MAX = 2000
Handler = Callable[[Request], Awaitable[Response]]
Record = dict[str, Any]


class BigCommerceSimulator(Simulator):
    """One store with one location, one token and one client secret.

    `items`, `orders`, `lines` and `shipments` may be looked at; `by_product` holds the products
    whose stock is not kept by variant.
    """

    def __init__(
        self,
        access_token: str = "twin-bigcommerce-token",
        client_secret: str = "twin-client-secret",
        store_hash: str = "twin1",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.access_token = access_token
        self.client_secret = client_secret
        self.store_hash = store_hash
        self.location_id = 1
        self.items: dict[int, Record] = {}
        self.orders: dict[int, Record] = {}
        self.lines: dict[int, list[Record]] = {}
        self.shipments: dict[int, list[Record]] = {}
        self.metafields: dict[int, list[Record]] = {}
        self.refunds: dict[int, list[Record]] = {}
        self.by_product: set[int] = set()
        self.with_lines = True
        self.works_at_once = True
        self._to_do: list[tuple[int, int]] = []
        super().__init__(self._routes(), clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `bigcommerce` reaches this simulator."""
        return {
            "base_url": url,
            "store_hash": self.store_hash,
            "access_token": self.access_token,
            "client_secret": self.client_secret,
            "location_id": self.location_id,
            "calls_per_second": 1000,
        }

    def add_item(self, sku: str, quantity: int, safety_stock: int = 0) -> int:
        """Put an article on the shelf; `quantity` is available to sell. Returns its variant id."""
        variant, product = self.next_id(), self.next_id()
        self.items[variant] = {
            "identity": {"sku": sku, "variant_id": variant, "product_id": product},
            "on_hand": quantity + safety_stock,
            "settings": {"safety_stock": safety_stock},
        }
        return variant

    def quantity(self, variant: int) -> int:
        """Return what is available to sell."""
        item = self.items[variant]
        return int(item["on_hand"] - item["settings"]["safety_stock"])

    def set_quantity(self, variant: int, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        item = self.items[variant]
        item["on_hand"] = quantity + item["settings"]["safety_stock"]

    def work_off(self) -> None:
        """Let the accepted adjustments show."""
        for variant, on_hand in self._to_do:
            self.items[variant]["on_hand"] = on_hand
        self._to_do.clear()

    def place_order(
        self,
        variant: int,
        quantity: int = 1,
        status: int = 11,
        more: Sequence[tuple[int, int]] = (),
        channel: int = 1,
    ) -> str:
        """Sell a variant online, and more of them to one address. Returns the order id."""
        ref, address = self.next_id(), self.next_id()
        self.lines[ref] = [
            {
                "id": self.next_id(),
                "order_address_id": address,
                "sku": self.items[sold]["identity"]["sku"],
                "name": "Camera",
                "type": "physical",
                "quantity": pieces,
                "quantity_shipped": 0,
                "quantity_refunded": 0,
            }
            for sold, pieces in ((variant, quantity), *more)
        ]
        self.orders[ref] = {
            "id": ref,
            "customer_id": 11,
            "channel_id": channel,
            "status_id": status,
            "created": self.now(),
            "modified": self.now(),
        }
        for sold, pieces in ((variant, quantity), *more):
            self.items[sold]["on_hand"] -= pieces
        self.emit("store/order/created", ref)
        return str(ref)

    def set_status(self, ref: str, status: int) -> None:
        """Let somebody in the store move an order."""
        order = self.orders[int(ref)]
        order |= {"status_id": status, "modified": self.now()}
        self.emit("store/order/statusUpdated", int(ref))

    def refund(self, ref: str, units: Mapping[int, int], declined: bool = False) -> str:
        """Pay back units by line id; nothing goes back into stock. Returns the refund's id."""
        items = [
            {"item_type": "PRODUCT", "item_id": line, "quantity": count, "reason": "as agreed"}
            for line, count in units.items()
        ]
        refund = {
            "id": self.next_id(),
            "order_id": int(ref),
            "created": self.now().isoformat(timespec="seconds"),
            "reason": "as agreed",
            "items": items,
            "payments": [{"id": 1, "provider_id": "custom", "is_declined": declined}],
        }
        self.refunds.setdefault(int(ref), []).append(refund)
        if not declined:
            for line in self.lines[int(ref)]:
                line["quantity_refunded"] += units.get(line["id"], 0)
        whole = all(line["quantity_refunded"] == line["quantity"] for line in self.lines[int(ref)])
        self.set_status(ref, 4 if whole else 14)
        self.emit("store/order/refund/created", int(ref))
        return str(refund["id"])

    def serials(self, ref: str) -> dict[str, list[str]]:
        """Return the serials that the order's metafield names, by line."""
        (field,) = self.metafields[int(ref)]
        named: dict[str, list[str]] = json.loads(field["value"])
        return named

    def emit(self, scope: str, ref: int) -> None:
        """Announce an order: its id, and nothing else."""
        event = {
            "scope": scope,
            "store_id": "1",
            "producer": f"stores/{self.store_hash}",
            "created_at": int(self.now().timestamp()),
            "hash": hashlib.sha1(f"{scope}{ref}".encode(), usedforsecurity=False).hexdigest(),
            "data": {"type": "order", "id": ref},
        }
        self.send_webhook(scope, f"msg_{self.next_id()}", json.dumps(event).encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign as Standard Webhooks does; an older signature stands beside it."""
        sent = str(int(self.now().timestamp()))
        signed = f"{webhook.id}.{sent}.".encode() + webhook.body
        digest = hmac.new(self.client_secret.encode(), signed, hashlib.sha256).digest()
        signature = f"v1,c3RhbGU= v1,{base64.b64encode(digest).decode()}"
        return {
            "webhook-id": webhook.id,
            "webhook-timestamp": sent,
            "webhook-signature": signature,
        }

    def fault_response(self, fault: Fault) -> Response:
        """Fail in BigCommerce's words."""
        if fault is Fault.SERVER_ERROR:
            return _failed(500, "Internal Server Error")
        headers = {"X-Rate-Limit-Requests-Left": "0", "X-Rate-Limit-Time-Reset-Ms": "15000"}
        return JSONResponse({"status": 429}, status_code=429, headers=headers)

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/v2/orders", self._list_orders),
            ("GET", "/v2/orders/{id:int}", self._order),
            ("PUT", "/v2/orders/{id:int}", self._change_order),
            ("GET", "/v2/orders/{id:int}/products", self._products),
            ("GET", "/v2/orders/{id:int}/shipments", self._list_shipments),
            ("POST", "/v2/orders/{id:int}/shipments", self._ship),
            ("GET", "/v3/orders/{id:int}/payment_actions/refunds", self._list_refunds),
            ("POST", "/v3/orders/{id:int}/payment_actions/refund_quotes", self._quote),
            ("POST", "/v3/orders/{id:int}/payment_actions/refunds", self._create_refund),
            ("GET", "/v3/orders/{id:int}/metafields", self._list_metafields),
            ("POST", "/v3/orders/{id:int}/metafields", self._add_metafield),
            ("PUT", "/v3/orders/{id:int}/metafields/{field:int}", self._set_metafield),
            ("GET", "/v3/inventory/locations/{location:int}/items", self._list_items),
            ("PUT", "/v3/inventory/adjustments/absolute", self._adjust),
        ]
        return [
            Route(f"/stores/{self.store_hash}{path}", self._guard(call), methods=[method])
            for method, path, call in table
        ]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.headers.get("x-auth-token") != self.access_token:
                return _failed(401, "You are not authorized")
            if "id" in request.path_params and request.path_params["id"] not in self.orders:
                return JSONResponse([{"status": 404, "message": "not found"}], status_code=404)
            return await call(request)

        return guarded

    async def _list_orders(self, request: Request) -> Response:
        asked = request.query_params
        found = [
            order
            for order in self.orders.values()
            if _between(order["modified"], asked, "date_modified")
            and _between(order["created"], asked, "date_created")
        ]
        name = "modified" if asked.get("sort") == "date_modified:asc" else "id"
        found.sort(key=lambda order: (order[name], order["id"]))
        limit, page = int(asked.get("limit", "50")), int(asked.get("page", "1"))
        shown = found[(page - 1) * limit : page * limit]
        return _list([self._shown(each, request) for each in shown])

    async def _order(self, request: Request) -> Response:
        return JSONResponse(self._shown(self.orders[request.path_params["id"]], request))

    async def _change_order(self, request: Request) -> Response:
        ref, asked = request.path_params["id"], await request.json()
        self.set_status(str(ref), asked["status_id"])
        return JSONResponse(self._shown(self.orders[ref], request))

    async def _products(self, request: Request) -> Response:
        return _list(self.lines[request.path_params["id"]])

    async def _list_shipments(self, request: Request) -> Response:
        return _list(self.shipments.get(request.path_params["id"], []))

    async def _ship(self, request: Request) -> Response:
        ref, asked = request.path_params["id"], await request.json()
        lines = {line["id"]: line for line in self.lines[ref]}
        for item in asked["items"]:
            line = lines[item["order_product_id"]]
            if line["order_address_id"] != asked["order_address_id"]:
                return JSONResponse([{"status": 400, "message": "address"}], status_code=400)
            if item["quantity"] > line["quantity"] - line["quantity_shipped"]:
                return JSONResponse([{"status": 400, "message": "quantity"}], status_code=400)
            line["quantity_shipped"] += item["quantity"]
        shipment = {"id": self.next_id(), **asked}
        self.shipments.setdefault(ref, []).append(shipment)
        done = all(
            line["quantity_shipped"] + line["quantity_refunded"] >= line["quantity"]
            for line in lines.values()
        )
        self.set_status(str(ref), 2 if done else 3)
        return JSONResponse(shipment, status_code=201)

    async def _list_refunds(self, request: Request) -> Response:
        found = self.refunds.get(request.path_params["id"], [])
        return JSONResponse({"data": found, "meta": {}})

    async def _quote(self, request: Request) -> Response:
        """Offer store credit of a till that a person pays, and the card of the order."""
        card = {"provider_id": "card", "amount": 1.0, "offline": False}
        by_hand = {"provider_id": "custom", "amount": 1.0, "offline": True, "offline_reason": "no"}
        quoted = {"order_id": request.path_params["id"], "refund_methods": [[by_hand], [card]]}
        return JSONResponse({"data": quoted, "meta": {}}, status_code=201)

    async def _create_refund(self, request: Request) -> Response:
        ref, asked = request.path_params["id"], await request.json()
        wanted = Decimal(str(asked["merchant_calculated_override"]["total_amount"]))
        payments = sum(Decimal(str(each["amount"])) for each in asked["payments"])
        full = Decimal(self.orders[ref]["money"]["total_inc_tax"])
        if payments != wanted or not 0 < wanted <= full - self.paid_back(ref):
            return _failed(422, "amount")
        units = {each["item_id"]: each.get("quantity", 0) for each in asked["items"]}
        lines = {line["id"]: line for line in self.lines[ref]}
        for line, count in units.items():
            if line in lines:
                standing = lines[line]["quantity"] - lines[line]["quantity_refunded"]
                if not 0 < count <= standing:
                    return _failed(422, "quantity")
        made = self.refund(str(ref), {each: n for each, n in units.items() if each in lines})
        (refund,) = (each for each in self.refunds[ref] if str(each["id"]) == made)
        refund |= {"items": asked["items"], "total_amount": float(wanted)}
        return JSONResponse({"data": refund, "meta": {}}, status_code=201)

    def paid_back(self, ref: int) -> Decimal:
        """Return what was paid back of an order."""
        refunds = self.refunds.get(ref, [])
        return sum((Decimal(str(each.get("total_amount", 0))) for each in refunds), Decimal())

    async def _list_metafields(self, request: Request) -> Response:
        return JSONResponse({"data": self.metafields.get(request.path_params["id"], [])})

    async def _add_metafield(self, request: Request) -> Response:
        fields = self.metafields.setdefault(request.path_params["id"], [])
        if fields:
            return _failed(409, "A metafield with this key exists")
        fields.append({"id": self.next_id(), **await request.json()})
        return JSONResponse({"data": fields[0]})

    async def _set_metafield(self, request: Request) -> Response:
        (field,) = self.metafields[request.path_params["id"]]
        field |= await request.json()
        return JSONResponse({"data": field})

    async def _list_items(self, request: Request) -> Response:
        if request.path_params["location"] != self.location_id:
            return _failed(404, "Location not found")
        asked = request.query_params
        wanted = asked.get("variant_id:in", "").split(",") if "variant_id:in" in asked else None
        found = [
            {
                "identity": item["identity"],
                "settings": item["settings"],
                "total_inventory_onhand": item["on_hand"],
                "available_to_sell": self.quantity(variant),
            }
            for variant, item in self.items.items()
            if wanted is None or str(variant) in wanted
        ]
        limit, page = int(asked.get("limit", "10")), int(asked.get("page", "1"))
        pagination = {"total_pages": max(1, -(-len(found) // limit)), "current_page": page}
        shown = found[(page - 1) * limit : page * limit]
        return JSONResponse({"data": shown, "meta": {"pagination": pagination}})

    async def _adjust(self, request: Request) -> Response:
        asked = (await request.json())["items"]
        if len(asked) > ADJUSTMENTS_MAX:
            return _failed(422, "too many items")
        by_product = {item["identity"]["product_id"]: v for v, item in self.items.items()}
        done: list[tuple[int, int]] = []
        for item in asked:
            variant = item.get("variant_id") or by_product.get(item.get("product_id"))
            if variant not in self.items or item["quantity"] < 0:
                return _failed(422, f"[Item with variant_id {variant} is wrong]")
            if variant in self.by_product and "variant_id" in item:
                message = f"[Item with variant_id {variant} is tracked by product, please update"
                return _failed(422, f"{message} stock by product id]")
            done.append((variant, item["quantity"]))
        self._to_do.extend(done)
        if self.works_at_once:
            self.work_off()
        return JSONResponse({"transaction_id": f"t-{self.next_id()}"})

    def _shown(self, order: Mapping[str, Any], request: Request) -> Record:
        shown = {name: order[name] for name in ("id", "customer_id", "channel_id", "status_id")}
        shown |= order.get("money", {})
        shown["billing_address"] = order.get("billing_address", {})
        shown["status"] = STATUSES.get(order["status_id"], "Awaiting Fulfillment")
        for name in ("created", "modified"):
            shown[f"date_{name}"] = format_datetime(order[name].astimezone(UTC))
        if self.with_lines and "include" in request.query_params:
            shipping = [{"id": 1, "line_items": self.lines[order["id"]]}]
            shown["consignments"] = {"pickups": [], "shipping": shipping, "downloads": []}
        return shown


def _between(moment: datetime, asked: Mapping[str, str], name: str) -> bool:
    at = moment.replace(microsecond=0)
    first, last = asked.get(f"min_{name}"), asked.get(f"max_{name}")
    after = first is None or datetime.fromisoformat(first) <= at
    return after and (last is None or at <= datetime.fromisoformat(last))


def _list(found: list[Record]) -> Response:
    return JSONResponse(found) if found else Response(status_code=204)


def _failed(status: int, title: str) -> Response:
    said = {"status": status, "title": title, "type": "twin", "errors": {}}
    return JSONResponse(said, status_code=status, media_type="application/problem+json")
