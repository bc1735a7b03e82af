"""An Acme shop that holds still for tests: the rules of the real one, in memory, over HTTP.

An honest simulator refuses what the real one refuses. Write it from the channel's
documentation, not
from your connector: what both get wrong, no test will find.
"""

import hashlib
import hmac
import json
import operator
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Simulator, Webhook

Handler = Callable[[Request], Awaitable[Response]]
Record = dict[str, Any]


class AcmeSimulator(Simulator):
    """One shop with one token. `articles`, `orders` and `returns` may be looked at."""

    def __init__(
        self,
        token: str = "twin-acme-token",
        webhook_secret: str = "twin-acme-secret",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.token = token
        self.webhook_secret = webhook_secret
        self.articles: dict[str, Record] = {}
        self.orders: dict[str, Record] = {}
        self.returns: dict[str, Record] = {}
        self.shipments: dict[str, list[Record]] = {}
        self._keys: dict[str, tuple[bytes, Record]] = {}
        super().__init__(self._routes(), clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector reaches this simulator."""
        return {
            "base_url": url,
            "token": self.token,
            "webhook_secret": self.webhook_secret,
            "calls_per_second": 1000,
        }

    def add_article(self, sku: str, quantity: int) -> str:
        """Put an article on sale; returns its id."""
        ref = str(self.next_id())
        self.articles[ref] = {"id": ref, "sku": sku, "title": sku, "quantity": quantity}
        return ref

    def article(self, sku: str) -> Record:
        """Return an article by its SKU."""
        return next(each for each in self.articles.values() if each["sku"] == sku)

    def place_order(self, *wanted: tuple[str, int]) -> str:
        """Sell articles, as SKU and quantity, that are paid; returns the order's id."""
        ref, at, lines = str(self.next_id()), self._stamp(), []
        for sku, quantity in wanted:
            self.article(sku)["quantity"] -= quantity
            line = {"id": str(self.next_id()), "sku": sku, "quantity": quantity, "shipped": 0}
            lines.append(line)
        times = {"placed_at": at, "changed_at": at}
        self.orders[ref] = {"id": ref, "status": "to_ship", "lines": lines, **times}
        self.emit("order.placed", ref)
        return ref

    def set_status(self, ref: str, status: str) -> None:
        """Let somebody move an order."""
        self.orders[ref] |= {"status": status, "changed_at": self._stamp()}
        self.emit("order.changed", ref)

    def create_return(
        self, order: str, quantity: int, serials: Sequence[str] = (), of_line: int = 0
    ) -> str:
        """Take units of a line of an order back and refund them; returns the return's id."""
        line = self.orders[order]["lines"][of_line]
        back = {"line_id": line["id"], "quantity": quantity, "serials": list(serials)}
        ref, at = str(self.next_id()), self._stamp()
        named = {"id": ref, "order_id": order, "status": "done", "lines": [back]}
        self.returns[ref] = {**named, "refunded_at": at, "changed_at": at}
        return ref

    def emit(self, topic: str, order: str) -> None:
        """Announce an order."""
        self.send_webhook(topic, f"hook-{self.next_id()}", json.dumps({"order_id": order}).encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign the raw body."""
        digest = hmac.new(self.webhook_secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        return {
            "x-acme-signature": digest,
            "x-acme-delivery": webhook.id,
            "x-acme-topic": webhook.topic,
        }

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/orders", self._list_of("orders", lambda: self.orders)),
            ("GET", "/orders/{id}", self._order),
            ("GET", "/orders/{id}/returns", self._returns_of),
            ("POST", "/orders/{id}/shipments", self._ship),
            ("GET", "/returns", self._list_of("returns", lambda: self.returns)),
            ("GET", "/stock", self._list_of("stock", lambda: self.articles)),
            ("POST", "/stock/batch", self._set),
        ]
        return [Route(path, self._guard(call), methods=[verb]) for verb, path, call in table]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                return JSONResponse({"error": "unauthorized"}, 401)
            if "id" in request.path_params and request.path_params["id"] not in self.orders:
                return JSONResponse({"error": "no such order"}, 404)
            return await call(request)

        return guarded

    def _list_of(self, name: str, records: Callable[[], Mapping[str, Record]]) -> Handler:
        """Answer with a page; its cursor is the place of its last item in the order of the list."""

        async def page(request: Request) -> Response:
            asked = request.query_params
            sort = asked.get("sort", "id")
            found = [each for each in records().values() if _fits(each, asked)]
            keyed = sorted((f"{each[sort]}|{each['id']:>20}", each) for each in found)
            rest = [pair for pair in keyed if pair[0] > asked.get("after", "")]
            shown = rest[: int(asked.get("limit", "50"))]
            following = shown[-1][0] if len(rest) > len(shown) else None
            return JSONResponse({name: [each for _, each in shown], "next": following})

        return page

    async def _order(self, request: Request) -> Response:
        return JSONResponse(self.orders[request.path_params["id"]])

    async def _returns_of(self, request: Request) -> Response:
        order = request.path_params["id"]
        found = [each for each in self.returns.values() if each["order_id"] == order]
        return JSONResponse({"returns": found})

    async def _set(self, request: Request) -> Response:
        return JSONResponse({"results": [self._level(e) for e in (await request.json())["items"]]})

    def _level(self, asked: Record) -> Record:
        article = self.articles.get(asked["article_id"])
        if article is None:
            return {"error": "unknown_article"}
        right = (asked["if_quantity"], asked["quantity"])  # what is there already is no conflict
        if asked["if_quantity"] is not None and article["quantity"] not in right:
            return {"error": "stale", "quantity": article["quantity"]}
        if asked["quantity"] < 0:
            return {"error": "negative"}
        article["quantity"] = asked["quantity"]
        return {"quantity": article["quantity"]}

    async def _ship(self, request: Request) -> Response:
        order, body = self.orders[request.path_params["id"]], await request.body()
        key = request.headers.get("idempotency-key")
        if not key:
            return JSONResponse({"error": "Idempotency-Key is required"}, 400)
        if key in self._keys:
            known, made = self._keys[key]
            if known != body:
                return JSONResponse({"error": "key used for other content"}, 422)
            return JSONResponse(made)
        asked = json.loads(body)
        lines = {line["id"]: line for line in order["lines"]}
        for each in asked["lines"]:
            line = lines.get(each["line_id"])
            if line is None or line["shipped"] + each["quantity"] > line["quantity"]:
                return JSONResponse({"error": "no such line, or more than it has"}, 422)
        for each in asked["lines"]:
            lines[each["line_id"]]["shipped"] += each["quantity"]
        made = {"id": str(self.next_id()), **asked}
        self._keys[key] = (body, made)
        self.shipments.setdefault(order["id"], []).append(made)
        whole = all(line["shipped"] == line["quantity"] for line in order["lines"])
        self.set_status(order["id"], "shipped" if whole else order["status"])
        return JSONResponse(made, 201)

    def _stamp(self) -> str:
        text = self.now().astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")


def _fits(record: Record, asked: Mapping[str, str]) -> bool:
    bounds = {
        "changed_from": ("changed_at", operator.ge),
        "placed_from": ("placed_at", operator.ge),
        "placed_to": ("placed_at", operator.le),
    }
    return all(
        compare(record[field], asked[name])
        for name, (field, compare) in bounds.items()
        if name in asked
    )
