"""A Vendure server: orders, stock of one location and fulfillments over its Admin GraphQL API."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo, build_schema, graphql_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Fault, Webhook
from connectors.vendure.simulator.shop import (
    PaidBack,
    Parcel,
    Sale,
    SimulatorError,
    Variant,
    VendureShop,
)

SCHEMA = build_schema(files("connectors.vendure").joinpath("vendure.graphql").read_text())
HANDLER = "serialized-fulfillment"
TAKE_MAX = 1000

View = dict[str, Any]
Info = GraphQLResolveInfo[Any]


class VendureSimulator(VendureShop):
    """One server with one stock location, one API key and one webhook secret."""

    def __init__(
        self,
        api_key: str = "twin-api-key",
        webhook_secret: str = "twin-webhook-secret",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.api_key = api_key
        self.webhook_secret = webhook_secret
        self.open()
        super().__init__([Route("/admin-api", self._graphql, methods=["POST"])], clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `vendure` reaches this simulator."""
        return {
            "url": f"{url}/admin-api",
            "api_key": self.api_key,
            "webhook_secret": self.webhook_secret,
            "stock_location_id": self.location_id,
            "calls_per_second": 1000,
        }

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign as the plugin does: hex of HMAC-SHA256 over the raw body."""
        digest = hmac.new(self.webhook_secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        return {
            "x-hub-signature": f"sha256={digest}",
            "x-hub-topic": webhook.topic,
            "x-hub-delivery": webhook.id,
        }

    def emit(self, sale: Sale) -> None:
        """Tell subscribers that the state of an order changed."""
        body = json.dumps({"orderId": sale.id, "state": sale.state}).encode()
        self.send_webhook("OrderStateTransitionEvent", str(self.next_id()), body)

    def fault_response(self, fault: Fault) -> Response:
        """Fail as Vendure does inside a resolver: status 200 and a code."""
        if fault is not Fault.SERVER_ERROR:
            return super().fault_response(fault)
        return JSONResponse(_errors("INTERNAL_SERVER_ERROR", "Internal server error"))

    async def _graphql(self, request: Request) -> Response:
        if request.headers.get("vendure-api-key") != self.api_key:
            # As seen with the real one: a lack of permission is no 401.
            return JSONResponse(_errors("FORBIDDEN", "You are not authorized"))
        asked = await request.json()
        result = graphql_sync(
            SCHEMA, asked["query"], self._root(), variable_values=asked.get("variables")
        )
        invalid = result.data is None and any(error.path is None for error in result.errors or ())
        return JSONResponse(result.formatted, 400 if invalid else 200)

    def _root(self) -> View:
        return {
            "stockLocation": lambda _info, **asked: self._location(asked["id"]),
            "fulfillmentHandlers": [{"code": "manual-fulfillment"}, {"code": HANDLER}],
            "globalSettings": {
                "trackInventory": self.tracks,
                "serverConfig": {"moneyStrategyPrecision": self.precision},
            },
            "orders": self._orders,
            "order": lambda _info, **asked: self._found(asked["id"]),
            "productVariants": self._variants,
            "updateProductVariants": self._set_stock,
            "addFulfillmentToOrder": self._fulfil,
            "transitionFulfillmentToState": self._move,
            "cancelOrder": self._cancel,
            "refundOrder": self._pay_back,
        }

    def _location(self, asked: str) -> View | None:
        return {"id": self.location_id} if asked == self.location_id else None

    def _found(self, order_id: str) -> View | None:
        sale = self.sales.get(order_id)
        return self._order(sale) if sale else None

    def _orders(self, _info: Info, **asked: Any) -> View:
        options = asked.get("options") or {}
        where = options.get("filter") or {}
        found = [each for each in self.sales.values() if _fits(each, where)]
        moved = "updatedAt" in (options.get("sort") or {})
        found.sort(key=lambda each: (each.updated_at if moved else each.placed_at, int(each.id)))
        return _page([self._order(each) for each in found], options)

    def _variants(self, _info: Info, **asked: Any) -> View:
        options = asked.get("options") or {}
        ids = ((options.get("filter") or {}).get("id") or {}).get("in")
        found = [each for each in self.variants.values() if ids is None or each.id in ids]
        return _page([self._variant(each) for each in found], options)

    def _set_stock(self, _info: Info, **asked: Any) -> list[View]:
        """Set what is on hand: all variants, or none."""
        wanted = asked["input"]
        for each in wanted:
            if each["id"] not in self.variants:
                raise _error("ENTITY_NOT_FOUND", f"No ProductVariant with the id {each['id']}")
            for level in each.get("stockLevels") or ():
                if level["stockLocationId"] != self.location_id:
                    raise _error("ENTITY_NOT_FOUND", "No StockLocation with that id")
                if level["stockOnHand"] < 0:
                    raise _error("USER_INPUT_ERROR", "stockOnHand cannot be negative")
        for each in wanted:
            for level in each.get("stockLevels") or ():
                self.variants[each["id"]].on_hand = level["stockOnHand"]
        return [self._variant(self.variants[each["id"]]) for each in wanted]

    def _fulfil(self, _info: Info, **asked: Any) -> View:
        wanted = asked["input"]
        if wanted["handler"]["code"] != HANDLER:
            raise _error("USER_INPUT_ERROR", "No FulfillmentHandler with that code")
        said = {each["name"]: each["value"] for each in wanted["handler"]["arguments"]}
        lines = {each["orderLineId"]: each["quantity"] for each in wanted["lines"]}
        return _or_refusal(
            lambda: _parcel(self.fulfil(lines, json.loads(said.get("serials", "[]"))))
        )

    def _move(self, _info: Info, **asked: Any) -> View:
        try:
            return _or_refusal(lambda: _parcel(self.move(asked["id"], asked["state"])))
        except LookupError as error:
            raise _error("ENTITY_NOT_FOUND", "No Fulfillment with that id") from error

    def _cancel(self, _info: Info, **asked: Any) -> View:
        wanted = asked["input"]
        if wanted["orderId"] not in self.sales:
            raise _error("ENTITY_NOT_FOUND", f"No Order with the id {wanted['orderId']}")
        named = wanted.get("lines")
        lines = named and {each["orderLineId"]: each["quantity"] for each in named}
        return _or_refusal(lambda: self._order(self.cancel(wanted["orderId"], lines)))

    def _pay_back(self, _info: Info, **asked: Any) -> View:
        wanted = asked["input"]
        for name in ("shipping", "adjustment"):
            if wanted.get(name) is None:  # as seen with the real one
                message = f"NOT NULL constraint failed: refund.{name}"
                raise _error("INTERNAL_SERVER_ERROR", message)
        lines = {each["orderLineId"]: each["quantity"] for each in wanted.get("lines") or ()}
        amount, reason = wanted.get("amount") or 0, wanted.get("reason") or ""
        try:
            return _or_refusal(
                lambda: _refund(self.pay_back(wanted["paymentId"], amount, lines, reason))
            )
        except LookupError as error:
            raise _error("ENTITY_NOT_FOUND", "No Payment with that id") from error

    def _variant(self, variant: Variant) -> View:
        level = {
            "stockLocationId": self.location_id,
            "stockOnHand": variant.on_hand,
            "stockAllocated": variant.allocated,
        }
        named = {"id": variant.id, "sku": variant.sku, "name": variant.sku}
        return {**named, "trackInventory": variant.tracked, "stockLevels": [level]}

    def _order(self, sale: Sale) -> View:
        paid = sale.paid
        return {
            "__typename": "Order",
            "id": sale.id,
            "code": f"V{sale.id}",
            "state": sale.state,
            "createdAt": _instant(sale.placed_at),
            "updatedAt": _instant(sale.updated_at),
            "orderPlacedAt": _instant(sale.placed_at),
            "customer": {"id": sale.customer, **sale.buyer} if sale.customer else None,
            "currencyCode": sale.currency,
            "total": paid - sum(line.tax for line in sale.lines),
            "totalWithTax": paid,
            "shippingWithTax": 0,
            "discounts": [{"amountWithTax": -line.discount} for line in sale.lines],
            "lines": [
                {
                    "id": line.id,
                    "quantity": line.quantity,
                    "orderPlacedQuantity": line.placed,
                    "productVariant": self._variant(line.variant),
                    "unitPriceWithTax": line.price,
                    "linePriceWithTax": line.price * line.quantity,
                    "proratedLinePriceWithTax": line.cost,
                    "lineTax": line.tax,
                }
                for line in sale.lines
            ],
            "payments": [
                {
                    "id": f"p{sale.id}",
                    "state": "Settled",
                    "amount": paid,
                    "updatedAt": _instant(sale.placed_at),
                    "refunds": [_refund(each) for each in sale.refunds],
                }
            ],
            "fulfillments": [_parcel(each) for each in sale.parcels],
        }


def _fits(sale: Sale, where: Mapping[str, Any]) -> bool:
    ids = (where.get("id") or {}).get("in")
    times = {"orderPlacedAt": sale.placed_at, "updatedAt": sale.updated_at}
    return (ids is None or sale.id in ids) and all(
        _is_within(time, where.get(name) or {}) for name, time in times.items()
    )


def _is_within(time: datetime, asked: Mapping[str, Any]) -> bool:
    if (after := asked.get("after")) and time <= _moment(after):
        return False
    between = asked.get("between")
    return between is None or _moment(between["start"]) <= time <= _moment(between["end"])


def _page(views: Sequence[View], options: Mapping[str, Any]) -> View:
    skip, take = options.get("skip") or 0, options.get("take") or TAKE_MAX
    if take > TAKE_MAX:
        raise _error("USER_INPUT_ERROR", f"take must not be greater than {TAKE_MAX}")
    return {"totalItems": len(views), "items": views[skip : skip + take]}


def _parcel(parcel: Parcel) -> View:
    lines = [{"orderLineId": ref, "quantity": number} for ref, number in parcel.lines.items()]
    return {
        "__typename": "Fulfillment",
        "id": parcel.id,
        "state": parcel.state,
        "updatedAt": _instant(parcel.updated_at),
        "lines": lines,
        "customFields": {"serials": parcel.serials},
    }


def _refund(paid: PaidBack) -> View:
    lines = [{"orderLineId": ref, "quantity": number} for ref, number in paid.lines.items()]
    return {
        "__typename": "Refund",
        "id": paid.id,
        "createdAt": _instant(paid.at),
        "updatedAt": _instant(paid.at),
        "state": paid.state,
        "total": paid.total,
        "reason": paid.reason,
        "lines": lines,
    }


def _or_refusal(work: Callable[[], View]) -> View:
    try:
        return work()
    except SimulatorError as refusal:
        kind = "".join(word.capitalize() for word in refusal.code.split("_"))
        return {"__typename": kind, "errorCode": refusal.code, "message": str(refusal)}


def _error(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def _errors(code: str, message: str) -> View:
    return {"errors": [{"message": message, "extensions": {"code": code}}], "data": None}


def _instant(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
