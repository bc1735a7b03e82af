"""A Square seller over REST: orders, catalog, counts, custom attributes, webhooks."""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.square.simulator.shop import Sale, Shop, rfc3339
from connectors.testing.simulator import Fault, Webhook

CATALOG_PAGE = 100
Handler = Callable[[Request], Awaitable[Response]]


class SquareSimulator(Shop):
    """One seller with one location, one access token and one webhook signature key."""

    def __init__(
        self,
        access_token: str = "twin-square-token",
        signature_key: str = "twin-signature-key",
        location_id: str = "LTWIN",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.access_token = access_token
        self.signature_key = signature_key
        super().__init__(self._routes(), location_id, clock)

    def settings(self, url: str, notification_url: str = "http://hub.test/hook") -> dict[str, Any]:
        """Return the settings with which the connector `square` reaches this simulator."""
        return {
            "base_url": url,
            "access_token": self.access_token,
            "location_id": self.location_id,
            "webhook_signature_key": self.signature_key,
            "notification_url": notification_url,
            "calls_per_second": 1000,
        }

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign as Square does: base64 of HMAC-SHA256 over the URL and the raw body."""
        signed = webhook.url.encode() + webhook.body
        digest = hmac.new(self.signature_key.encode(), signed, hashlib.sha256).digest()
        return {"x-square-hmacsha256-signature": base64.b64encode(digest).decode()}

    def fault_response(self, fault: Fault) -> Response:
        """Fail in Square's words."""
        if fault is Fault.SERVER_ERROR:
            return _failed(500, "API_ERROR", "INTERNAL_SERVER_ERROR")
        return _failed(429, "RATE_LIMIT_ERROR", "RATE_LIMITED")

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/v2/locations/{id}", self._location),
            ("POST", "/v2/orders/search", self._search),
            ("POST", "/v2/orders/custom-attributes/bulk-upsert", self._upsert_attributes),
            ("POST", "/v2/orders/custom-attribute-definitions", self._define),
            ("GET", "/v2/orders/{id}/custom-attributes/{key}", self._attribute),
            ("GET", "/v2/orders/{id}", self._order),
            ("PUT", "/v2/orders/{id}", self._update),
            ("GET", "/v2/payments/{id}", self._payment),
            ("GET", "/v2/customers/{id}", self._customer),
            ("POST", "/v2/refunds", self._create_refund),
            ("GET", "/v2/catalog/list", self._catalog),
            ("POST", "/v2/catalog/batch-retrieve", self._catalog_by_id),
            ("POST", "/v2/inventory/changes/batch-create", self._change),
            ("POST", "/v2/inventory/counts/batch-retrieve", self._counts),
        ]
        return [Route(path, self._guard(call), methods=[method]) for method, path, call in table]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.access_token}":
                return _failed(401, "AUTHENTICATION_ERROR", "UNAUTHORIZED")
            if not request.headers.get("square-version"):
                return _failed(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST", "Square-Version")
            return await call(request)

        return guarded

    async def _location(self, request: Request) -> Response:
        if request.path_params["id"] != self.location_id:
            return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND")
        return JSONResponse({"location": {"id": self.location_id, "status": "ACTIVE"}})

    async def _search(self, request: Request) -> Response:
        asked = await request.json()
        query = asked.get("query", {})
        times = query.get("filter", {}).get("date_time_filter", {})
        name = "created_at" if "created_at" in times else "updated_at"
        if times and query.get("sort", {}).get("sort_field") != name.upper():
            return _failed(400, "INVALID_REQUEST_ERROR", "INVALID_SORT_FIELD")
        bounds = times.get(name, {})
        found = [
            order
            for order in self.orders.values()
            if (order.location_id or self.location_id) in asked["location_ids"]
            and bounds.get("start_at", "") <= rfc3339(getattr(order, name))
            and rfc3339(getattr(order, name)) <= bounds.get("end_at", "9999")
        ]
        found.sort(key=lambda order: (getattr(order, name), order.id))
        keys = [f"{rfc3339(getattr(order, name))}|{order.id}" for order in found]
        start = sum(key <= asked.get("cursor", "") for key in keys)
        end = start + min(asked.get("limit", 500), 1000)
        answer: dict[str, Any] = {"orders": [self._shown(order) for order in found[start:end]]}
        if end < len(found):
            answer["cursor"] = keys[end - 1]
        return JSONResponse(answer)

    async def _order(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND")
        return JSONResponse({"order": self._shown(order)})

    async def _update(self, request: Request) -> Response:
        order, asked = self.orders.get(request.path_params["id"]), await request.json()
        if order is None:
            return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND")
        if (known := self._replayed(asked)) is not None:
            return known
        if order.version is None or order.state != "OPEN":
            return _failed(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST")
        if asked["order"].get("version") != order.version:
            return _failed(409, "INVALID_REQUEST_ERROR", "VERSION_MISMATCH")
        for change in asked["order"].get("fulfillments", []):
            target = next(each for each in order.fulfillments if each["uid"] == change["uid"])
            target.update(change)
        if all(each["state"] == "COMPLETED" for each in order.fulfillments):
            order.state = "COMPLETED"
        self.touch(order)
        return self._remember(asked, {"order": self._shown(order)})

    async def _catalog(self, request: Request) -> Response:
        start = int(request.query_params.get("cursor", "0"))
        shown = list(self.variations)[start : start + CATALOG_PAGE]
        answer: dict[str, Any] = {"objects": [self._object(each) for each in shown]}
        if start + CATALOG_PAGE < len(self.variations):
            answer["cursor"] = str(start + CATALOG_PAGE)
        return JSONResponse(answer)

    async def _payment(self, request: Request) -> Response:
        ref = request.path_params["id"].removeprefix("pay-")
        if ref not in self.orders or self.orders[ref].taken_by is None:
            return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND")
        paid = {"id": f"pay-{ref}", "order_id": ref, "status": "COMPLETED"}
        return JSONResponse({"payment": {**paid, "team_member_id": self.orders[ref].taken_by}})

    async def _customer(self, request: Request) -> Response:
        found = self.customers.get(request.path_params["id"])
        if found is None:
            return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND")
        return JSONResponse({"customer": {"id": request.path_params["id"], **found}})

    async def _create_refund(self, request: Request) -> Response:
        asked = await request.json()
        if not 0 < len(asked.get("idempotency_key", "")) <= 45:
            return _failed(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST", "idempotency_key")
        if (known := self._replayed(asked)) is not None:
            return known
        found = self.payment(asked["payment_id"])
        if found is None:
            return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND", "payment_id")
        order, tender = found
        paid, wanted = tender["amount_money"], asked["amount_money"]
        if wanted["currency"] != paid["currency"]:
            return _failed(400, "INVALID_REQUEST_ERROR", "CURRENCY_MISMATCH")
        if not 0 < wanted["amount"] <= paid["amount"] - self.paid_back(order, tender["id"]):
            return _failed(400, "REFUND_ERROR", "REFUND_AMOUNT_INVALID", "amount_money")
        made = self.refund_payment(order, tender["id"], wanted, asked.get("reason", ""))
        shown = {
            "id": f"{asked['payment_id']}_{made['id']}",
            "status": "PENDING",
            "location_id": made["location_id"],
            "amount_money": wanted,
            "payment_id": asked["payment_id"],
            "order_id": order.id,
            "reason": made["reason"],
            "created_at": made["created_at"],
        }
        return self._remember(asked, {"refund": shown})

    async def _catalog_by_id(self, request: Request) -> Response:
        asked = await request.json()
        known = [each for each in asked["object_ids"] if each in self.variations]
        return JSONResponse({"objects": [self._object(each) for each in known]})

    async def _change(self, request: Request) -> Response:
        asked = await request.json()
        if not 0 < len(asked.get("idempotency_key", "")) <= 128:
            return _failed(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST", "idempotency_key")
        if (known := self._replayed(asked)) is not None:
            return known
        counts = [change["physical_count"] for change in asked["changes"]]
        for count in counts:
            if not isinstance(count["quantity"], str):
                return _failed(400, "INVALID_REQUEST_ERROR", "EXPECTED_STRING", "quantity")
            if count["catalog_object_id"] not in self.variations:
                return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND", "catalog_object_id")
            if int(count["quantity"]) < 0:
                return _failed(400, "INVALID_REQUEST_ERROR", "VALUE_TOO_LOW", "quantity")
        for count in counts:
            self.variations[count["catalog_object_id"]].count = int(count["quantity"])
        shown = [self._count(count["catalog_object_id"]) for count in counts]
        return self._remember(asked, {"counts": shown})

    async def _counts(self, request: Request) -> Response:
        asked = await request.json()
        wanted = asked.get("catalog_object_ids") or list(self.variations)
        known = [each for each in wanted if each in self.variations]
        parse_counts = [each for each in known if self.variations[each].count is not None]
        return JSONResponse({"counts": [self._count(each) for each in parse_counts]})

    async def _define(self, request: Request) -> Response:
        asked = await request.json()
        key = asked["custom_attribute_definition"]["key"]
        if key in self.definitions:
            return _failed(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST", "key")
        self.definitions.add(key)
        return JSONResponse({"custom_attribute_definition": {"key": key, "version": 1}})

    async def _attribute(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        found = order.attributes.get(request.path_params["key"]) if order else None
        if found is None:
            return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND")
        return JSONResponse({"custom_attribute": found})

    async def _upsert_attributes(self, request: Request) -> Response:
        asked = await request.json()
        answers: dict[str, Any] = {}
        for name, wanted in asked["values"].items():
            order, attribute = self.orders.get(wanted["order_id"]), wanted["custom_attribute"]
            if order is None or attribute["key"] not in self.definitions:
                return _failed(404, "INVALID_REQUEST_ERROR", "NOT_FOUND", "key")
            version = order.attributes.get(attribute["key"], {}).get("version", 0)
            if attribute.get("version", version) != version:
                return _failed(409, "INVALID_REQUEST_ERROR", "CONFLICT")
            order.attributes[attribute["key"]] = {**attribute, "version": version + 1}
            answers[name] = {"order_id": order.id, "custom_attribute": attribute}
        return JSONResponse({"values": answers})

    def _replayed(self, asked: Mapping[str, Any]) -> Response | None:
        known = self.idempotent.get(asked.get("idempotency_key", ""))
        if known is None:
            return None
        if known[0] != json.dumps(asked, sort_keys=True):
            return _failed(400, "INVALID_REQUEST_ERROR", "IDEMPOTENCY_KEY_REUSED")
        return JSONResponse(known[1])

    def _remember(self, asked: Mapping[str, Any], answer: Any) -> Response:
        key, said = asked["idempotency_key"], json.dumps(asked, sort_keys=True)
        self.idempotent[key] = (said, answer)
        return JSONResponse(answer)

    def _shown(self, order: Sale) -> dict[str, Any]:
        shown = {
            "id": order.id,
            "location_id": order.location_id or self.location_id,
            "state": order.state,
            "line_items": order.lines,
            "fulfillments": order.fulfillments,
            "returns": order.returns,
            "tenders": [{"id": f"pay-{order.id}", "type": "CARD"}] if order.taken_by else [],
            "refunds": order.refunds,
            "total_money": {"amount": order.total, "currency": "EUR"},
            "net_amount_due_money": {"amount": order.due, "currency": "EUR"},
            "created_at": rfc3339(order.created_at),
            "updated_at": rfc3339(order.updated_at),
            "version": order.version,
            "ticket_name": order.ticket_name,
            "customer_id": order.customer_id,
        } | order.money
        return {name: value for name, value in shown.items() if value not in (None, [])}

    def _object(self, variation_id: str) -> dict[str, Any]:
        variation = self.variations[variation_id]
        data = {"sku": variation.sku, "name": variation.title, "track_inventory": variation.tracked}
        return {"type": "ITEM_VARIATION", "id": variation.id, "item_variation_data": data}

    def _count(self, variation_id: str) -> dict[str, Any]:
        return {
            "catalog_object_id": variation_id,
            "catalog_object_type": "ITEM_VARIATION",
            "state": "IN_STOCK",
            "location_id": self.location_id,
            "quantity": str(self.variations[variation_id].count),
            "calculated_at": rfc3339(self.now()),
        }


def _failed(status: int, category: str, code: str, field: str | None = None) -> Response:
    error = {"category": category, "code": code, "detail": f"twin says {code}"}
    if field:
        error["field"] = field
    return JSONResponse({"errors": [error]}, status_code=status)
