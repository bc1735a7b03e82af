"""An Acme shop that holds still for tests: the rules of the real one, in memory, over HTTP.

An honest simulator refuses what the real one refuses. Write it from the channel's
documentation, not
from your connector: what both get wrong, no test will find. It has the methods of
`SimulatorDriver` that say what happens in the shop, so that its driver needs none.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.requests import Request

from connectors.testing.record_twin import Record, Records, RecordTwin, Refusal, route
from connectors.testing.simulator_driver import Buyer
from hub.vocabulary import HoldReason

from .door import door

BOUNDS = {
    "changed_from": ("lastModifiedAt", operator.ge),
    "placed_from": ("createdAt", operator.ge),
    "placed_to": ("createdAt", operator.le),
}


class AcmeSimulator(RecordTwin):
    """One shop. `articles`, `orders` and `returns` may be looked at."""

    webhook_secret = "twin-acme-secret"
    webhook_prefix = "x-acme"

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(door(), clock)
        self.articles, self.orders = self.records("article"), self.records("order")
        self.returns = self.records("return")
        self.parcels: dict[str, list[Record]] = {}

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector reaches this simulator."""
        return {**super().settings(url), "webhook_secret": self.webhook_secret}

    # What happens in the shop.

    def article(self, sku: str) -> Record:
        """Return an article by its SKU."""
        return next(each for each in self.articles.values() if each["sku"] == sku)

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        """Put an article on sale; returns its references."""
        return {"article_id": self.articles.add(sku=sku, title=sku, quantity=quantity)["id"]}

    def missing_article(self) -> Mapping[str, str]:
        """Return the references of no article."""
        return {"article_id": "9"}

    def quantity_shown(self, sku: str) -> int:
        """Return the quantity that can be sold."""
        return int(self.article(sku)["quantity"])

    def foreign_edit(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self.article(sku)["quantity"] = quantity

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        """Sell articles, as SKU and quantity, that are paid; returns the order's id."""
        sold = []
        for sku, quantity in lines:
            self.article(sku)["quantity"] -= quantity
            line = {"id": str(self.next_id()), "sku": sku, "quantity": quantity, "shipped": 0}
            sold.append(line)
        ref = str(self.orders.add(status="to_ship", lines=sold)["id"])
        self.announce("order.placed", {"order_id": ref})
        return ref

    def set_status(self, ref: str, status: str) -> None:
        """Let somebody move an order."""
        self.orders.change(ref, status=status)
        self.trigger_webhook(ref)

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        """Let an order wait for its money."""
        self.set_status(ref, "unpaid")

    def free_order(self, ref: str) -> None:
        """Let the money come in."""
        self.set_status(ref, "to_ship")

    def cancel_order(self, ref: str) -> None:
        """Let somebody cancel an order."""
        self.set_status(ref, "cancelled")

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        """Write down who bought."""
        account = str(buyer.number) if buyer.number else None
        person = {"id": account, "name": buyer.name, "email": buyer.email}
        self.orders[ref]["customer"] = {**person, "address": buyer.street}
        return account

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        """Take units of a line of an order back and refund them; returns the return's id."""
        back = {"line_id": self.orders[ref]["lines"][line]["id"], "quantity": quantity}
        lines = [{**back, "serials": list(serials)}]
        made = self.returns.add(order_id=ref, status="done", lines=lines, refunded_at=self.stamp())
        return str(made["id"])

    def shipments(self, ref: str) -> int:
        """Count the shipments of an order."""
        return len(self.parcels.get(ref, []))

    def serials_shown(self, ref: str) -> Sequence[str]:
        """Return the serials that people see at an order."""
        lines = [line for each in self.parcels.get(ref, []) for line in each["lines"]]
        return [serial for line in lines for serial in line["serials"]]

    def trigger_webhook(self, ref: str) -> None:
        """Announce that an order changed."""
        self.announce("order.changed", {"order_id": ref})

    # What the shop answers.

    @route("GET", "/orders")
    async def list_orders(self, request: Request) -> Any:
        """Answer with a page of orders."""
        return _page("orders", self.orders, request.query_params)

    @route("GET", "/returns")
    async def list_returns(self, request: Request) -> Any:
        """Answer with a page of returns."""
        return _page("returns", self.returns, request.query_params)

    @route("GET", "/stock")
    async def list_stock(self, request: Request) -> Any:
        """Answer with a page of articles."""
        return _page("stock", self.articles, request.query_params)

    @route("GET", "/orders/{ref}")
    async def order(self, request: Request) -> Any:
        """Answer with an order."""
        return self.orders[request.path_params["ref"]]

    @route("GET", "/orders/{ref}/returns")
    async def returns_of(self, request: Request) -> Any:
        """Answer with the returns of an order."""
        order = self.orders[request.path_params["ref"]]
        return {"returns": self.returns.where(f'order_id = "{order["id"]}"')}

    @route("POST", "/stock/batch")
    async def set_stock(self, request: Request) -> Any:
        """Compare and set quantities; each item is answered for itself."""
        return {"results": [self._level(each) for each in (await request.json())["items"]]}

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

    @route("POST", "/orders/{ref}/shipments")
    async def ship(self, request: Request) -> Any:
        """Record a shipment; its key makes a repeat the same one."""
        order, asked = self.orders[request.path_params["ref"]], await request.json()
        key = request.headers.get("idempotency-key")
        return self.once(key, await request.body(), lambda: self._shipped(order, asked))

    def _shipped(self, order: Record, asked: Record) -> Record:
        lines = {line["id"]: line for line in order["lines"]}
        for each in asked["lines"]:
            line = lines.get(each["line_id"])
            if line is None or line["shipped"] + each["quantity"] > line["quantity"]:
                raise Refusal(422, {"error": "no such line, or more than it has"})
        for each in asked["lines"]:
            lines[each["line_id"]]["shipped"] += each["quantity"]
        parcel = {"id": str(self.next_id()), **asked}
        self.parcels.setdefault(order["id"], []).append(parcel)
        whole = all(line["shipped"] == line["quantity"] for line in order["lines"])
        self.set_status(order["id"], "shipped" if whole else order["status"])
        return parcel


def _page(name: str, records: Records, asked: Mapping[str, str]) -> Record:
    """Return a page; its cursor is the place of its last item in the order of the list."""
    sort = asked.get("sort", "id")
    found = [each for each in records.values() if _fits(each, asked)]
    keyed = sorted((f"{each[sort]}|{each['id']:>20}", each["id"]) for each in found)
    rest = [pair for pair in keyed if pair[0] > asked.get("after", "")]
    shown = rest[: int(asked.get("limit", "50"))]
    following = shown[-1][0] if len(rest) > len(shown) else None
    return {name: [records[ref] for _, ref in shown], "next": following}


def _fits(record: Record, asked: Mapping[str, str]) -> bool:
    return all(
        compare(record[field], asked[name])
        for name, (field, compare) in BOUNDS.items()
        if name in asked
    )
