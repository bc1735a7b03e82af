"""A Saleor shop: orders, the stock of one warehouse, fulfillments with metadata, signed webhooks.

An order allocates stock, a fulfillment takes it. A fulfillment sent twice is there twice. The
cursor
of a page holds the sorted value, so that a list that moves while it is read repeats and skips none.
"""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from graphql import GraphQLResolveInfo, build_schema, graphql_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Simulator, Webhook

SCHEMA = build_schema(files("connectors.saleor").joinpath("saleor.graphql").read_text())
PAGE_MAX = 100
NOTHING = Decimal(0)
SORTED_BY = {"LAST_MODIFIED_AT": "updatedAt", "CREATED_AT": "created"}
Record = dict[str, Any]
Info = GraphQLResolveInfo[Any]


class SaleorSimulator(Simulator):
    """One shop with one warehouse and one app. `orders` and `variants` may be looked at."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.app_token = "twin-app-token"
        self.permissions = ["MANAGE_ORDERS", "MANAGE_PRODUCTS"]
        self.warehouse_id = global_id("Warehouse", 1)
        self.variants: dict[str, Record] = {}
        self.orders: dict[str, Record] = {}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.key_id = "twin-key-1"
        self.raw_payload = True  # RFC 7797: the body itself is signed, not its base64
        routes = [
            Route("/graphql/", self._graphql, methods=["POST"]),
            Route("/.well-known/jwks.json", self._jwks, methods=["GET"]),
        ]
        super().__init__(routes, clock)

    def settings(self, url: str, **more: Any) -> dict[str, Any]:
        """Return the settings with which the connector `saleor` reaches this simulator."""
        return {
            "url": f"{url}/graphql/",
            "app_token": self.app_token,
            "warehouse_id": self.warehouse_id,
            "calls_per_second": 1000,
            **more,
        }

    def add_item(self, sku: str, quantity: int, *, stocked: bool = True) -> str:
        """List a variant. Returns its id."""
        ref = global_id("ProductVariant", self.next_id())
        self.variants[ref] = {
            "id": ref,
            "sku": sku,
            "name": "Default",
            "trackInventory": True,
            "product": {"name": f"A {sku}", "productType": {"kind": "NORMAL"}},
            "quantity": quantity if stocked else None,
            "stocks": lambda _info: self._stocks(ref),
        }
        return ref

    def quantity(self, ref: str) -> int:
        """Return what can be sold."""
        return int(self.variants[ref]["quantity"]) - self.allocated(ref)

    def set_quantity(self, ref: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self.variants[ref]["quantity"] = quantity + self.allocated(ref)

    def allocated(self, ref: str) -> int:
        """Count what is promised to orders."""
        lines = [
            line
            for order in self.orders.values()
            if order["status"] != "CANCELED"
            for line in order["lines"]
        ]
        return sum(line["quantityToFulfill"] for line in lines if line["variant"]["id"] == ref)

    def place_order(
        self,
        quantities: Mapping[str, int],
        status: str = "UNFULFILLED",
        paid: str = "FULL",
        channel: str = "web",
    ) -> str:
        """Sell variants, by their ids. Returns the order's id."""
        number = self.next_id()
        ref = global_id("Order", number)
        lines = [
            {
                "id": global_id("OrderLine", self.next_id()),
                "variant": self.variants[variant],
                "isShippingRequired": True,
                "undiscountedUnitPrice": taxed(),
                "undiscountedTotalPrice": taxed(),
                "totalPrice": taxed(),
                "productSku": self.variants[variant]["sku"],
                "productName": self.variants[variant]["product"]["name"],
                "variantName": "Default",
                "quantity": quantity,
                "quantityFulfilled": 0,
                "quantityToFulfill": quantity,
            }
            for variant, quantity in quantities.items()
        ]
        self.orders[ref] = {
            "id": ref,
            "number": str(number),
            "created": format_time(self.now()),
            "updatedAt": format_time(self.now()),
            "status": status,
            "chargeStatus": paid,
            "authorizeStatus": paid,
            "user": {"id": global_id("User", 7)},
            "channel": {"slug": channel},
            "customerNote": "",
            "displayGrossPrices": True,
            "total": taxed(),
            "undiscountedTotal": taxed(),
            "shippingPrice": taxed(),
            "totalRefunded": {"amount": 0.0},
            "grantedRefunds": [],
            "transactions": lambda _info: self._transactions(ref),
            "lines": lines,
            "fulfillments": [],
        }
        self.emit("order_created", ref)
        return ref

    def change(self, ref: str, **fields: Any) -> None:
        """Let something happen to an order."""
        self.orders[ref] |= {**fields, "updatedAt": format_time(self.now())}
        self.emit("order_updated", ref)

    def create_return(self, ref: str, line: int, quantity: int, status: str = "RETURNED") -> str:
        """Let a person record that units of a line came back. Returns the fulfillment's id."""
        order = self.orders[ref]
        back = {"quantity": quantity, "orderLine": order["lines"][line]}
        made = self._fulfillment(status, [back], "")
        order["fulfillments"].append(made)
        self.change(ref, status="PARTIALLY_RETURNED")
        return str(made["id"])

    def emit(self, topic: str, ref: str) -> None:
        """Announce something as a subscription of the order's id does."""
        body = {"issuedAt": format_time(self.now()), "order": {"id": ref}, "n": self.next_id()}
        self.send_webhook(topic, str(body["n"]), json.dumps(body).encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign as Saleor does: a detached JSON Web Signature."""
        head: Record = {"typ": "JWT", "alg": "RS256", "kid": self.key_id}
        if self.raw_payload:
            head["b64"] = False
        protected = _base64url(json.dumps(head).encode())
        payload = webhook.body if self.raw_payload else _base64url(webhook.body)
        made = self.key.sign(protected + b"." + payload, padding.PKCS1v15(), hashes.SHA256())
        signature = b"..".join((protected, _base64url(made)))
        return {"Saleor-Event": webhook.topic, "Saleor-Signature": signature.decode()}

    async def _jwks(self, request: Request) -> Response:
        numbers = self.key.public_key().public_numbers()
        parts = {"n": numbers.n, "e": numbers.e}
        words = {
            name: _base64url(value.to_bytes((value.bit_length() + 7) // 8)).decode()
            for name, value in parts.items()
        }
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.key_id, **words}
        return JSONResponse({"keys": [{"kty": "oct"}, key]})

    async def _graphql(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.app_token}":
            code = {"exception": {"code": "InvalidTokenError"}}
            error = {"message": "Invalid token. The app is not found.", "extensions": code}
            return JSONResponse({"errors": [error], "data": None})
        asked = await request.json()
        result = graphql_sync(
            SCHEMA, asked["query"], self._root(), variable_values=asked.get("variables")
        )
        return JSONResponse(result.formatted, status_code=400 if result.data is None else 200)

    def _root(self) -> Record:
        return {
            "app": {
                "id": global_id("App", 1),
                "isActive": True,
                "permissions": [{"code": code} for code in self.permissions],
            },
            "warehouse": lambda _info, **asked: self._warehouse(asked["id"]),
            "order": lambda _info, **asked: self.orders.get(asked["id"]),
            "orders": self._list_orders,
            "productVariants": self._list_variants,
            "stockBulkUpdate": self._set_stock,
            "orderFulfill": self._fulfill,
            "updatePrivateMetadata": self._name,
            "orderCancel": self._cancel,
            "orderGrantRefundCreate": self._grant,
            "transactionRequestRefundForGrantedRefund": self._pay_back,
        }

    def _warehouse(self, ref: str) -> Record | None:
        return {"id": ref} if ref == self.warehouse_id else None

    def _stocks(self, ref: str) -> list[Record]:
        variant = self.variants[ref]
        return [] if variant["quantity"] is None else [self._stock(ref)]

    def _stock(self, ref: str) -> Record:
        return {
            "quantity": self.variants[ref]["quantity"],
            "quantityAllocated": self.allocated(ref),
            "warehouse": {"id": self.warehouse_id},
            "productVariant": self.variants[ref],
        }

    def _list_orders(self, _info: Info, **asked: Any) -> Record:
        name, wanted = SORTED_BY[asked["sortBy"]["field"]], asked.get("filter") or {}
        updated, created = wanted.get("updatedAt") or {}, wanted.get("created") or {}
        found = [
            order
            for order in self.orders.values()
            if order["updatedAt"] >= updated.get("gte", "")
            and created.get("gte", "") <= order["created"][:10] <= created.get("lte", "9")
        ]
        found.sort(key=lambda order: (order[name], order["id"]))
        return _page(found, asked, lambda order: f"{order[name]}|{order['id']}")

    def _list_variants(self, _info: Info, **asked: Any) -> Record:
        ids = asked.get("ids")
        found = [each for ref, each in self.variants.items() if ids is None or ref in ids]
        found.sort(key=lambda each: str(each["id"]))
        return _page(found, asked, lambda each: str(each["id"]))

    def _set_stock(self, _info: Info, **asked: Any) -> Record:
        return {"results": [self._set(each) for each in asked["stocks"]], "errors": []}

    def _set(self, asked: Mapping[str, Any]) -> Record:
        variant = self.variants.get(asked["variantId"])
        if variant is None or asked["warehouseId"] != self.warehouse_id:
            return {"stock": None, "errors": [_problem("NOT_FOUND", "Stock was not found.")]}
        if asked["quantity"] < 0:
            return {"stock": None, "errors": [_problem("INVALID", "Quantity must be positive.")]}
        variant["quantity"] = asked["quantity"]
        return {"stock": self._stock(variant["id"]), "errors": None}

    def _fulfill(self, _info: Info, **asked: Any) -> Record:
        order, wanted = self.orders.get(asked["order"]), asked["input"]
        if order is None:
            return {"fulfillments": [], "errors": [_problem("NOT_FOUND", "No such order.")]}
        if order["status"] == "CANCELED":
            return {"fulfillments": [], "errors": [_problem("INVALID", "It was cancelled.")]}
        lines = {line["id"]: line for line in order["lines"]}
        for each in wanted["lines"]:
            line, (stock,) = lines[each["orderLineId"]], each["stocks"]
            if stock["quantity"] > line["quantityToFulfill"]:
                message = _problem("FULFILL_ORDER_LINE", "Only fewer items remain to fulfill.")
                return {"fulfillments": [], "errors": [message]}
        made = []
        for each in wanted["lines"]:
            line, (stock,) = lines[each["orderLineId"]], each["stocks"]
            line["quantityToFulfill"] -= stock["quantity"]
            line["quantityFulfilled"] += stock["quantity"]
            line["variant"]["quantity"] -= stock["quantity"]
            made.append({"quantity": stock["quantity"], "orderLine": line})
        shipped = self._fulfillment("FULFILLED", made, wanted.get("trackingNumber") or "")
        order["fulfillments"].append(shipped)
        done = not any(line["quantityToFulfill"] for line in lines.values())
        self.change(order["id"], status="FULFILLED" if done else "PARTIALLY_FULFILLED")
        return {"fulfillments": [shipped], "errors": []}

    def _fulfillment(self, status: str, lines: list[Record], tracking: str) -> Record:
        metadata: dict[str, str] = {}
        return {
            "id": global_id("Fulfillment", self.next_id()),
            "status": status,
            "created": format_time(self.now()),
            "trackingNumber": tracking,
            "lines": lines,
            "metadata": metadata,
            "privateMetafield": lambda _info, key: metadata.get(key),
        }

    def _name(self, _info: Info, **asked: Any) -> Record:
        for order in self.orders.values():
            for each in order["fulfillments"]:
                if each["id"] == asked["id"]:
                    each["metadata"].update({one["key"]: one["value"] for one in asked["input"]})
                    return {"errors": []}
        return {"errors": [_problem("NOT_FOUND", "No such object.")]}

    def _cancel(self, _info: Info, **asked: Any) -> Record:
        order = self.orders.get(asked["id"])
        if order is None:
            return {"order": None, "errors": [_problem("NOT_FOUND", "No such order.")]}
        if order["fulfillments"] or order["status"] == "CANCELED":
            message = _problem("CANNOT_CANCEL_ORDER", "This order can't be canceled.")
            return {"order": None, "errors": [message]}
        self.change(order["id"], status="CANCELED")
        return {"order": order, "errors": []}

    def _transactions(self, ref: str) -> list[Record]:
        order = self.orders[ref]
        charged = Decimal(str(order["total"]["gross"]["amount"])) - self.paid_back(ref)
        return [
            {
                "id": global_id("TransactionItem", int(order["number"])),
                "name": "card",
                "actions": ["REFUND"] if charged else [],
                "chargedAmount": {"amount": float(charged)},
            }
        ]

    def paid_back(self, ref: str) -> Decimal:
        """Return what was paid back of an order."""
        return Decimal(str(self.orders[ref]["totalRefunded"]["amount"]))

    def _grant(self, _info: Info, **asked: Any) -> Record:
        """Grant a refund; nothing is paid until it is requested."""
        order, wanted = self.orders.get(asked["id"]), asked["input"]
        if order is None:
            return {"grantedRefund": None, "errors": [_problem("NOT_FOUND", "No such order.")]}
        (transaction,) = self._transactions(order["id"])
        wanted_amount = Decimal(str(wanted["amount"]))
        if wanted["transactionId"] != transaction["id"]:
            return {"grantedRefund": None, "errors": [_problem("NOT_FOUND", "No transaction.")]}
        if wanted_amount > Decimal(str(transaction["chargedAmount"]["amount"])):
            message = _problem("AMOUNT_GREATER_THAN_AVAILABLE", "More than was charged.")
            return {"grantedRefund": None, "errors": [message]}
        made = {
            "id": global_id("OrderGrantedRefund", self.next_id()),
            "status": "NONE",
            "reason": wanted.get("reason"),
            "granted": wanted_amount,
        }
        order["grantedRefunds"].append(made)
        self.change(order["id"])
        return {"grantedRefund": made, "errors": []}

    def _pay_back(self, _info: Info, **asked: Any) -> Record:
        for order in self.orders.values():
            for each in order["grantedRefunds"]:
                if each["id"] != asked["grantedRefundId"]:
                    continue
                if each["status"] != "NONE":
                    return {"errors": [_problem("REFUND_ALREADY_PROCESSED", "It was paid.")]}
                each["status"] = "SUCCESS"
                paid = self.paid_back(order["id"]) + each["granted"]
                self.change(order["id"], totalRefunded={"amount": float(paid)})
                return {"errors": []}
        return {"errors": [_problem("NOT_FOUND", "No such granted refund.")]}


def global_id(kind: str, number: int) -> str:
    """Make an id as Saleor does."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def format_time(moment: datetime) -> str:
    """Write a moment as Saleor does: to the microsecond. The simulator sorts by the text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _page(found: list[Record], asked: Mapping[str, Any], cursor: Callable[[Record], str]) -> Record:
    after, first = asked.get("after"), min(asked["first"], PAGE_MAX)
    rest = [each for each in found if after is None or cursor(each) > after]
    shown = rest[:first]
    info = {
        "hasNextPage": len(rest) > first,
        "endCursor": cursor(shown[-1]) if shown else None,
    }
    return {"edges": [{"node": each} for each in shown], "pageInfo": info}


def _problem(code: str, message: str) -> Record:
    return {"code": code, "field": None, "message": message}


def _base64url(text: bytes) -> bytes:
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def taxed(currency: str = "EUR", net: Decimal = NOTHING, tax: Decimal = NOTHING) -> Record:
    """Show an amount without its tax, with it, and the tax: floats, as in the answers."""
    parts = {"gross": net + tax, "net": net, "tax": tax}
    return {"currency": currency, **{name: {"amount": float(each)} for name, each in parts.items()}}
