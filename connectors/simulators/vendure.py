"""A Vendure server over its Admin GraphQL API: orders, allocated stock, fulfilments, a plugin.

It is as strange as the real one where that hurts: an order's time of change stands still while it
is placed and shipped, `after` is exclusive, a key without rights gets status 200, an update is all
or nothing, and more than is left of a line is a refusal inside the data.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo, build_schema, graphql_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.simulators.twin import Fault, Twin, Webhook

SCHEMA = build_schema(files("connectors.simulators").joinpath("vendure.graphql").read_text())
LOCATION = "1"
HANDLER = "serialized-fulfillment"
LIST_MAX = 1000
LIVE = frozenset({"Pending", "Shipped", "Delivered"})
Info = GraphQLResolveInfo[Any]
Record = dict[str, Any]


class VendureTwin(Twin):
    """One server with one stock location and one API key. `variants` and `orders` may be seen."""

    def __init__(
        self,
        api_key: str = "twin-vendure-api-key",
        webhook_secret: str = "twin-webhook-secret",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.api_key = api_key
        self.webhook_secret = webhook_secret
        self.variants: dict[str, Record] = {}
        self.orders: dict[str, Record] = {}
        routes = [Route("/admin-api", self._graphql, methods=["POST"])]
        super().__init__(routes, clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `vendure` reaches this twin."""
        return {
            "url": f"{url}/admin-api",
            "api_key": self.api_key,
            "webhook_secret": self.webhook_secret,
            "stock_location_id": LOCATION,
            "calls_per_second": 1000,
        }

    def add_variant(self, sku: str, quantity: int) -> str:
        """Stock an article at the location; returns its variant id."""
        ref = str(self.next_id())
        level = {"stockLocationId": LOCATION, "stockOnHand": quantity, "stockAllocated": 0}
        self.variants[ref] = {"id": ref, "sku": sku, "name": sku, "stockLevels": [level]}
        return ref

    def quantity(self, sku: str) -> int:
        """Return what is on hand and not allocated."""
        level = self._level(sku)
        return int(level["stockOnHand"] - level["stockAllocated"])

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        level = self._level(sku)
        level["stockOnHand"] = quantity + level["stockAllocated"]

    def place_order(self, quantities: Mapping[str, int]) -> str:
        """Sell something that is paid at once; its pieces are allocated. Returns the order's id."""
        ref, at = str(self.next_id()), iso(self.now())
        lines = []
        for sku, quantity in quantities.items():
            self._level(sku)["stockAllocated"] += quantity
            of = {"productVariant": self._variant(sku)}
            lines.append({"id": str(self.next_id()), "quantity": quantity, **of})
        self.orders[ref] = {
            "id": ref,
            "code": f"CODE{ref}",
            "state": "PaymentSettled",
            "createdAt": at,
            "updatedAt": at,
            "orderPlacedAt": at,
            "customer": {"id": "1"},
            "lines": lines,
            "payments": [{"updatedAt": at, "refunds": []}],
            "fulfillments": [],
        }
        self.tell("order", ref)
        return ref

    def cancel_order(self, ref: str) -> None:
        """Cancel an order that has not left: of all that happens to one, this moves its time."""
        order = self.orders[ref]
        for line in order["lines"]:
            self._level(line["productVariant"]["sku"])["stockAllocated"] -= line["quantity"]
        order |= {"state": "Cancelled", "updatedAt": iso(self.now())}
        self.tell("order", ref)

    def tell(self, topic: str, order: str) -> None:
        """Let the plugin post which order an event is about."""
        body = json.dumps({"topic": topic, "orderId": order})
        self.announce(topic, f"event-{self.next_id()}", body.encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign the raw body as the plugin does."""
        digest = hmac.new(self.webhook_secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        return {
            "x-hub-signature": digest,
            "x-hub-delivery": webhook.id,
            "x-hub-topic": webhook.topic,
        }

    def answer_fault(self, fault: Fault) -> Response:
        """Fail in Vendure's words, or those of a proxy before it."""
        if fault is Fault.SERVER_ERROR:
            error = {"message": "Internal", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
            return JSONResponse({"errors": [error], "data": None}, 500)
        return Response("slow down", 429, {"Retry-After": "2"})

    async def _graphql(self, request: Request) -> Response:
        if request.headers.get("vendure-api-key") != self.api_key:
            error = {"message": "not authorized", "extensions": {"code": "FORBIDDEN"}}
            return JSONResponse({"errors": [error], "data": None})
        asked = await request.json()
        root = {
            "stockLocation": lambda _, id: {"id": id} if id == LOCATION else None,  # noqa: A006
            "fulfillmentHandlers": [{"code": HANDLER}],
            "orders": self._list_orders,
            "order": lambda _, id: self.orders.get(id),  # noqa: A006
            "productVariants": self._list_variants,
            "updateProductVariants": self._set_stock,
            "addFulfillmentToOrder": self._fulfill,
            "transitionFulfillmentToState": self._transition,
        }
        result = graphql_sync(SCHEMA, asked["query"], root, variable_values=asked.get("variables"))
        invalid = result.data is None and not any(each.path for each in result.errors or ())
        return JSONResponse(result.formatted, 400 if invalid else 200)

    def _list_orders(self, _: Info, options: Record | None = None) -> Record:
        asked = options or {}
        where = asked.get("filter") or {}
        placed, ids = where.get("orderPlacedAt") or {}, where.get("id") or {}
        between = placed.get("between") or {"start": "", "end": "9999"}
        found = [
            order
            for order in self.orders.values()
            if order["orderPlacedAt"] > placed.get("after", "")
            and between["start"] <= order["orderPlacedAt"] <= between["end"]
            and order["id"] in ids.get("in", [order["id"]])
        ]
        found.sort(key=lambda order: (str(order["orderPlacedAt"]), int(order["id"])))
        return _cut(found, asked)

    def _list_variants(self, _: Info, options: Record | None = None) -> Record:
        asked = options or {}
        ids = (asked.get("filter") or {}).get("id") or {}
        found = [each for ref, each in self.variants.items() if ref in ids.get("in", [ref])]
        return _cut(sorted(found, key=lambda each: int(each["id"])), asked)

    def _set_stock(self, _: Info, input: list[Record]) -> list[Record]:  # noqa: A002
        for wanted in input:
            if wanted["id"] not in self.variants:
                raise GraphQLError("No variant", extensions={"code": "ENTITY_NOT_FOUND"})
            for level in wanted["stockLevels"]:
                if level["stockOnHand"] < 0:
                    raise GraphQLError("Negative", extensions={"code": "USER_INPUT_ERROR"})
        for wanted in input:
            for level in wanted["stockLevels"]:
                sku = self.variants[wanted["id"]]["sku"]
                self._level(sku)["stockOnHand"] = level["stockOnHand"]
        return [self.variants[wanted["id"]] for wanted in input]

    def _fulfill(self, _: Info, input: Record) -> Record:  # noqa: A002
        named = {each["name"]: each["value"] for each in input["handler"]["arguments"]}
        if input["handler"]["code"] != HANDLER:
            raise GraphQLError("No handler", extensions={"code": "USER_INPUT_ERROR"})
        wanted = {each["orderLineId"]: each["quantity"] for each in input["lines"]}
        order = next(
            (o for o in self.orders.values() if wanted.keys() <= {e["id"] for e in o["lines"]}),
            None,
        )
        if order is None:
            raise GraphQLError("No order line", extensions={"code": "ENTITY_NOT_FOUND"})
        lines = {line["id"]: line for line in order["lines"]}
        if order["state"] == "Cancelled":
            return _refused("FULFILLMENT_STATE_TRANSITION_ERROR")
        for ref, quantity in wanted.items():
            if quantity + _in_state(order, ref, LIVE) > lines[ref]["quantity"]:
                return _refused("ITEMS_ALREADY_FULFILLED_ERROR")
            if quantity > self._level(lines[ref]["productVariant"]["sku"])["stockOnHand"]:
                return _refused("INSUFFICIENT_STOCK_ON_HAND_ERROR")
        for ref, quantity in wanted.items():
            level = self._level(lines[ref]["productVariant"]["sku"])
            level["stockOnHand"] -= quantity
            level["stockAllocated"] -= quantity
        made = {
            "__typename": "Fulfillment",
            "id": str(self.next_id()),
            "state": "Pending",
            "updatedAt": iso(self.now()),
            "lines": [{"orderLineId": ref, "quantity": count} for ref, count in wanted.items()],
            "customFields": {"serials": json.loads(named.get("serials") or "[]")},
        }
        order["fulfillments"].append(made)
        return made

    def _transition(self, _: Info, id: str, state: str) -> Record:  # noqa: A002
        pairs = ((order, each) for order in self.orders.values() for each in order["fulfillments"])
        order, found = next(pair for pair in pairs if pair[1]["id"] == id)
        if (found["state"], state) not in (("Pending", "Shipped"), ("Shipped", "Delivered")):
            return _refused("FULFILLMENT_STATE_TRANSITION_ERROR")
        found |= {"state": state, "updatedAt": iso(self.now())}
        left = frozenset({"Shipped", "Delivered"})
        whole = all(
            _in_state(order, line["id"], left) >= line["quantity"] for line in order["lines"]
        )
        order["state"] = "Shipped" if whole else "PartiallyShipped"
        self.tell("fulfillment", order["id"])
        return dict(found)

    def _variant(self, sku: str) -> Record:
        return next(each for each in self.variants.values() if each["sku"] == sku)

    def _level(self, sku: str) -> Record:
        level: Record = self._variant(sku)["stockLevels"][0]
        return level


def iso(moment: datetime) -> str:
    """Write a moment as Vendure does: UTC, milliseconds."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _in_state(order: Record, line: str, states: frozenset[str]) -> int:
    made = [each for each in order["fulfillments"] if each["state"] in states]
    parts = [part for each in made for part in each["lines"] if part["orderLineId"] == line]
    return sum(int(part["quantity"]) for part in parts)


def _cut(found: list[Record], asked: Mapping[str, Any]) -> Record:
    start = asked.get("skip") or 0
    take = min(asked.get("take") or LIST_MAX, LIST_MAX)
    return {"items": found[start : start + take], "totalItems": len(found)}


def _refused(code: str) -> Record:
    return {"__typename": "Refused", "errorCode": code, "message": f"twin says {code}"}
