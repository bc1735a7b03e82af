"""A WooCommerce shop over REST v3: orders, products, batches, notes, webhooks.

It is as strict as the real one where that hurts: Basic authentication is refused over plain http,
a page may hold 100 entries, a batch answers 200 whatever happens to its items, unknown parameters
are ignored, and a webhook's body is built when it is sent.
"""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Fault, Webhook
from connectors.woocommerce.simulator.shop import Shop, shown

API = "/wp-json/wc/v3"
PER_PAGE_MAX = 100
OAUTH_SECONDS_MAX = 15 * 60
Handler = Callable[[Request], Awaitable[Response]]


class WooCommerceSimulator(Shop):
    """One shop with one consumer key and one webhook secret."""

    def __init__(
        self,
        consumer_key: str = "ck_twin_consumer_key",
        consumer_secret: str = "cs_twin_consumer_secret",
        webhook_secret: str = "twin-webhook-secret",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.consumer_key = consumer_key
        self.consumer_secret = consumer_secret
        self.webhook_secret = webhook_secret
        self.knows_modified_after = True
        self.nonces: set[str] = set()
        super().__init__(self._routes(), clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `woocommerce` reaches this simulator."""
        return {
            "url": url,
            "consumer_key": self.consumer_key,
            "consumer_secret": self.consumer_secret,
            "webhook_secret": self.webhook_secret,
            "calls_per_second": 1000,
        }

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign as WooCommerce does: base64 of HMAC-SHA256 over the raw body."""
        digest = hmac.new(self.webhook_secret.encode(), webhook.body, hashlib.sha256).digest()
        return {
            "x-wc-webhook-signature": base64.b64encode(digest).decode(),
            "x-wc-webhook-topic": webhook.topic,
            "x-wc-webhook-resource": webhook.topic.partition(".")[0],
            "x-wc-webhook-event": webhook.topic.partition(".")[2],
            "x-wc-webhook-delivery-id": webhook.id,
        }

    def fault_response(self, fault: Fault) -> Response:
        """Fail as WordPress and the proxies before it do."""
        if fault is Fault.SERVER_ERROR:
            return _failed(500, "internal_server_error")
        page = "<html>429 Too Many Requests</html>"
        return Response(page, 429, {"Retry-After": "2"}, media_type="text/html")

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/orders", self._orders),
            ("GET", "/orders/{id:int}", self._order),
            ("PUT", "/orders/{id:int}", self._update_order),
            ("GET", "/orders/{id:int}/refunds", self._refunds),
            ("POST", "/orders/{id:int}/refunds", self._create_refund),
            ("GET", "/orders/{id:int}/notes", self._notes),
            ("POST", "/orders/{id:int}/notes", self._add_note),
            ("GET", "/products", self._products),
            ("POST", "/products/batch", self._batch),
            ("GET", "/products/{id:int}/variations", self._products),
            ("POST", "/products/{id:int}/variations/batch", self._batch),
        ]
        return [
            Route(f"{API}{path}", self._guard(call), methods=[method])
            for method, path, call in table
        ]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            known = self._signed if request.url.scheme == "http" else self._basic
            if not known(request):
                return _failed(401, "woocommerce_rest_cannot_view")
            return await call(request)

        return guarded

    def _basic(self, request: Request) -> bool:
        pair = f"{self.consumer_key}:{self.consumer_secret}".encode()
        return request.headers.get("authorization") == f"Basic {base64.b64encode(pair).decode()}"

    def _signed(self, request: Request) -> bool:
        """Check the signature of OAuth 1.0a; each nonce is good for one request."""
        given = dict(request.query_params)
        signature, nonce = given.pop("oauth_signature", ""), given.get("oauth_nonce", "")
        sent_at = int(given.get("oauth_timestamp", "0"))
        pairs = sorted(
            (quote(name, safe="~"), quote(value, safe="~")) for name, value in given.items()
        )
        query = quote("&".join("=".join(pair) for pair in pairs), safe="~")
        address = quote(str(request.url.replace(query="")).rstrip("?"), safe="~")
        text = f"{request.method}&{address}&{query}".encode()
        digest = hmac.new(f"{self.consumer_secret}&".encode(), text, hashlib.sha256).digest()
        fresh = abs(self.now().timestamp() - sent_at) < OAUTH_SECONDS_MAX or self.clock_is_fixed
        once = nonce not in self.nonces
        self.nonces.add(nonce)
        named = given.get("oauth_consumer_key") == self.consumer_key
        return named and fresh and once and signature == base64.b64encode(digest).decode()

    async def _orders(self, request: Request) -> Response:
        asked = request.query_params
        if not self.knows_modified_after:
            asked = type(asked)([(k, v) for k, v in asked.multi_items() if "modified" not in k])
        kind = "_gmt" if asked.get("dates_are_gmt") == "true" else ""
        every = [self.shown_order(order) for order in self.orders.values()]
        found = [
            order
            for order in every
            if asked.get("modified_after", "") < order[f"date_modified{kind}"]
            and order[f"date_modified{kind}"] < asked.get("modified_before", "9999")
            and asked.get("after", "") < order[f"date_created{kind}"]
            and order[f"date_created{kind}"] < asked.get("before", "9999")
        ]
        return _page(request, found)

    async def _order(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return _failed(404, "woocommerce_rest_shop_order_invalid_id")
        return JSONResponse(self.shown_order(order))

    async def _update_order(self, request: Request) -> Response:
        order, asked = self.orders.get(request.path_params["id"]), await request.json()
        if order is None:
            return _failed(400, "woocommerce_rest_shop_order_invalid_id")
        for change in asked.get("line_items", []):
            line = next((each for each in order["line_items"] if each["id"] == change["id"]), None)
            if line is None:
                return _failed(400, "woocommerce_rest_invalid_item_id")
            for meta in change.get("meta_data", []):
                self.write_meta(line, meta)
        if asked.get("status") == "cancelled" and order["status"] != "cancelled":
            self.put_back(order)
        self.move(order, asked.get("status", order["status"]))
        self.touch(order)
        return JSONResponse(self.shown_order(order))

    async def _refunds(self, request: Request) -> Response:
        if request.path_params["id"] not in self.orders:
            return _failed(404, "woocommerce_rest_order_invalid_id")
        return _page(request, self.refunds.get(request.path_params["id"], []))

    async def _create_refund(self, request: Request) -> Response:
        """Refund as WooCommerce does: any fault of the amount is a 500 with its code."""
        order, asked = self.orders.get(request.path_params["id"]), await request.json()
        if order is None:
            return _failed(404, "woocommerce_rest_order_invalid_id")
        paid = sum(abs(Decimal(each["total"])) for each in order["refunds"])
        amount, lines = Decimal(asked["amount"]), asked.get("line_items", [])
        of_lines = sum(
            Decimal(each["refund_total"])
            + sum(Decimal(tax["refund_total"]) for tax in each.get("refund_tax", []))
            for each in lines
        )
        if not 0 < amount <= Decimal(order["total"]) - paid or of_lines > amount:
            return _failed(500, "woocommerce_rest_cannot_create_order_refund")
        ref = self.refund(
            str(order["id"]),
            {each["id"]: each["quantity"] for each in lines},
            restock=asked.get("api_restock", True),
            amount=asked["amount"],
            reason=asked.get("reason", ""),
        )
        made = next(each for each in self.refunds[order["id"]] if str(each["id"]) == ref)
        return JSONResponse(made, status_code=201)

    async def _notes(self, request: Request) -> Response:
        if request.path_params["id"] not in self.orders:
            return _failed(404, "woocommerce_rest_order_invalid_id")
        return JSONResponse(self.notes.get(request.path_params["id"], []))

    async def _add_note(self, request: Request) -> Response:
        note = {"id": self.next_id(), **await request.json()}
        self.notes.setdefault(request.path_params["id"], []).append(note)
        return JSONResponse(note, status_code=201)

    async def _products(self, request: Request) -> Response:
        parent = request.path_params.get("id", 0)
        if parent and parent not in self.products:
            return _failed(404, "woocommerce_rest_product_invalid_id")
        found = [each for each in self.products.values() if each["parent_id"] == parent]
        if "include" in request.query_params:
            wanted = {int(each) for each in request.query_params["include"].split(",")}
            found = [each for each in found if each["id"] in wanted]
        return _page(request, found)

    async def _batch(self, request: Request) -> Response:
        parent, asked = request.path_params.get("id", 0), (await request.json())["update"]
        if len(asked) > PER_PAGE_MAX:
            return _failed(413, "woocommerce_rest_request_entity_too_large")
        return JSONResponse({"update": [self._update(parent, change) for change in asked]})

    def _update(self, parent: int, change: Mapping[str, Any]) -> dict[str, Any]:
        product = self.products.get(change["id"])
        if product is None or product["parent_id"] != parent:
            return _error(change["id"], "woocommerce_rest_product_invalid_id", 400)
        if change["id"] in self.broken:
            return _error(change["id"], "woocommerce_rest_product_not_saved", 400)
        changed = ("manage_stock", "stock_quantity")
        product |= {name: change[name] for name in changed if name in change}
        return dict(product)


def _page(request: Request, found: list[dict[str, Any]]) -> Response:
    asked = request.query_params
    per_page, page = int(asked.get("per_page", "10")), int(asked.get("page", "1"))
    if per_page > PER_PAGE_MAX:
        return _failed(400, "rest_invalid_param")
    found = sorted(found, key=lambda each: int(each["id"]), reverse=asked.get("order") != "asc")
    headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(-(-len(found) // per_page))}
    start = (page - 1) * per_page
    return JSONResponse([shown(each) for each in found[start : start + per_page]], headers=headers)


def _failed(status: int, code: str) -> Response:
    said = {"code": code, "message": f"twin says {code}", "data": {"status": status}}
    return JSONResponse(said, status_code=status)


def _error(item: int, code: str, status: int) -> dict[str, Any]:
    error = {"code": code, "message": f"twin says {code}", "data": {"status": status}}
    return {"id": item, "error": error}
