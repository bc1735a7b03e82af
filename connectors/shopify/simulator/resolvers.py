"""How the twin of Shopify answers each field: what is shown, and the rules of its mutations."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from connectors.shopify.simulator import desk_views as desk
from connectors.shopify.simulator.desk import Desk
from connectors.shopify.simulator.refunds import idempotency_key, pay_back
from connectors.shopify.simulator.shop import Item, Line, PlacedOrder, Shipment, Shop, instant

PAGE_MAX = 250
_SOURCE = re.compile(r"source_name:(\w+)")
_TERM = re.compile(r"(updated_at|created_at):(>=|<=)'([^']+)'")

View = dict[str, Any]
Info = GraphQLResolveInfo[Any]


def root_of(
    simulator: Desk, base: str = "", execute: Callable[[str, View], Any] | None = None
) -> View:
    """Return both roots as one mapping, in which graphql-core finds each field by its name.

    `base` is the address of the simulator; `execute` runs the query of a bulk operation.
    """
    root = _Root(simulator, base, execute)
    return {
        "shop": {"id": "gid://shopify/Shop/1", "myshopifyDomain": "twin.myshopify.com"},
        "currentAppInstallation": root.installation,
        "location": root.location,
        "order": root.order,
        "orders": root.orders,
        "inventoryItems": root.items,
        "nodes": root.nodes,
        "fulfillment": root.fulfillment,
        "fulfillmentOrder": root.fulfillment_order,
        "bulkOperation": root.bulk_operation,
        "bulkOperationRunQuery": root.run_bulk,
        "inventorySetQuantities": root.set_quantities,
        "fulfillmentCreate": root.fulfill,
        "metafieldsSet": root.set_metafields,
        "orderCancel": root.cancel,
        "refundCreate": lambda info, **asked: pay_back(simulator, info, asked["input"]),
    }


class _Root:
    """The fields of the two roots, with their arguments as keywords."""

    def __init__(
        self, simulator: Desk, base: str, execute: Callable[[str, View], Any] | None
    ) -> None:
        self.simulator, self.base, self.execute = simulator, base, execute

    def bulk_operation(self, _info: Info, **asked: Any) -> View | None:
        return self.simulator.bulk.look(asked["id"], self.base)

    def run_bulk(self, _info: Info, **asked: Any) -> View:
        if self.execute is None:
            return self.simulator.bulk.begin(None, ["A bulk operation runs no other."])
        result = self.execute(asked["query"], root_of(self.simulator))
        return self.simulator.bulk.begin(
            result.data, [each.message for each in result.errors or ()]
        )

    def installation(self, _info: Info) -> View:
        scopes = [{"handle": scope} for scope in self.simulator.scopes]
        return {"id": "gid://shopify/AppInstallation/1", "accessScopes": scopes}

    def location(self, _info: Info, **asked: Any) -> View | None:
        return _location(self.simulator) if asked.get("id") == self.simulator.location_id else None

    def order(self, _info: Info, **asked: Any) -> View | None:
        found = self.simulator.orders.get(asked["id"])
        return _order(self.simulator, found) if found else None

    def orders(self, _info: Info, **asked: Any) -> View:
        time = "updated_at" if asked["sortKey"] == "UPDATED_AT" else "created_at"
        query = asked.get("query") or ""
        matches = [order for order in self.simulator.orders.values() if _matches(order, query)]
        matches.sort(key=lambda order: (getattr(order, time), order.id))
        cursors = [f"{getattr(each, time).timestamp():020.6f}|{each.id}" for each in matches]
        views = [_order(self.simulator, order) for order in matches]
        whole = self.execute is None  # inside of a bulk operation there are no pages
        return _connection(views, asked.get("first"), asked.get("after"), cursors, whole)

    def items(self, _info: Info, **asked: Any) -> View:
        items = list(self.simulator.items.values())
        views = [_item(self.simulator, item) for item in items]
        cursors = [item.id for item in items]
        return _connection(views, asked.get("first"), asked.get("after"), cursors)

    def nodes(self, _info: Info, **asked: Any) -> list[View | None]:
        found = [self.simulator.items.get(each) for each in asked["ids"]]
        return [_item(self.simulator, item) if item else None for item in found]

    def fulfillment(self, _info: Info, **asked: Any) -> View | None:
        pairs = (
            (order, each) for order in self.simulator.orders.values() for each in order.shipments
        )
        views = (_shipment(order, each) for order, each in pairs if each.id == asked["id"])
        return next(views, None)

    def fulfillment_order(self, _info: Info, **asked: Any) -> View | None:
        found = (o for o in self.simulator.orders.values() if o.fulfillment_order_id == asked["id"])
        return next((_fulfillment_order(self.simulator, order) for order in found), None)

    def set_quantities(self, info: Info, **arguments: Any) -> View:
        """Set quantities: all or none, each compared first, once for a key."""
        key, wanted_all = idempotency_key(info), arguments["input"]["quantities"]
        asked = json.dumps(arguments, sort_keys=True)
        if key in self.simulator.idempotent:
            known, first = self.simulator.idempotent[key]
            if known != asked:
                code = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
                return _refused([_problem(code, None, "The key was used with other input.")])
            return dict(first)
        problems = [
            problem
            for index, wanted in enumerate(wanted_all)
            if (problem := self._problem_of(index, wanted))
        ]
        if problems:
            answer = _refused(problems)
        else:
            for wanted in wanted_all:
                self.simulator.items[wanted["inventoryItemId"]].available = wanted["quantity"]
            group = {"id": f"gid://shopify/InventoryAdjustmentGroup/{self.simulator.next_id()}"}
            answer = {"inventoryAdjustmentGroup": group, "userErrors": []}
        self.simulator.idempotent[key] = (asked, answer)
        return answer

    def _problem_of(self, index: int, wanted: View) -> View | None:
        path = ["input", "quantities", str(index)]
        item = self.simulator.items.get(wanted["inventoryItemId"])
        if item is None:
            path.append("inventoryItemId")
            return _problem("INVALID_INVENTORY_ITEM", path, "The item could not be found.")
        if wanted["locationId"] != self.simulator.location_id:
            path.append("locationId")
            return _problem("INVALID_LOCATION", path, "The location could not be found.")
        if wanted["quantity"] < 0:
            path.append("quantity")
            return _problem("INVALID_QUANTITY_NEGATIVE", path, "The quantity can't be negative.")
        if "changeFromQuantity" not in wanted:
            raise GraphQLError("changeFromQuantity must be passed", extensions={"code": "INVALID"})
        if wanted["changeFromQuantity"] not in (None, item.available):
            path.append("changeFromQuantity")
            return _problem("CHANGE_FROM_QUANTITY_STALE", path, "The quantity has changed.")
        return None

    def fulfill(self, _info: Info, **asked: Any) -> View:
        """Fulfil lines of one order's fulfillment order; more than is left is refused."""
        fulfillment, quantities = asked["fulfillment"], dict[str, int]()
        found: PlacedOrder | None = None
        for group in fulfillment["lineItemsByFulfillmentOrder"]:
            wanted_id = group["fulfillmentOrderId"]
            found = next(
                (o for o in self.simulator.orders.values() if o.fulfillment_order_id == wanted_id),
                None,
            )
            if found is None or found.cancelled_at or found.on_hold:
                return _unfulfilled("Fulfillment order is not open.")
            lines = {line.fulfillment_order_line_id: line for line in found.lines}
            for part in group.get("fulfillmentOrderLineItems") or []:
                line = lines.get(part["id"])
                if line is None or part["quantity"] > line.current - line.fulfilled:
                    return _unfulfilled("Invalid fulfillment order line item quantity requested.")
                quantities[line.id] = part["quantity"]
        if found is None or not quantities:
            return _unfulfilled("Nothing to fulfill.")
        tracking = fulfillment.get("trackingInfo")
        created = self.simulator.ship(found.id, quantities, tracking)
        return {
            "fulfillment": {"id": created, "status": "SUCCESS", "trackingInfo": []},
            "userErrors": [],
        }

    def cancel(self, _info: Info, **asked: Any) -> View:
        """Cancel an order that is there, not cancelled and not shipped."""
        order = self.simulator.orders.get(asked["orderId"])
        if order is None or order.cancelled_at or order.shipments:
            message = "The order can not be cancelled."
            problem = _problem("INVALID", ["orderId"], message)
            return {"job": None, "orderCancelUserErrors": [problem]}
        self.simulator.cancel_order(order.id)
        job = {"id": f"gid://shopify/Job/{self.simulator.next_id()}"}
        return {"job": job, "orderCancelUserErrors": []}

    def set_metafields(self, _info: Info, **asked: Any) -> View:
        """Write order metafields: all or none, compared by digest where one is given."""
        metafields, problems = asked["metafields"], list[View]()
        for index, wanted in enumerate(metafields):
            order = self.simulator.orders.get(wanted["ownerId"])
            known = order.metafields.get((wanted["namespace"], wanted["key"])) if order else None
            digest = _digest(known) if known is not None else None
            path = ["metafields", str(index)]
            if order is None:
                problems.append(_problem("INVALID", path, "Owner does not exist."))
            elif "compareDigest" in wanted and wanted["compareDigest"] != digest:
                problems.append(_problem("STALE_OBJECT", path, "The resource has been updated."))
        if problems:
            return {"metafields": None, "userErrors": problems}
        for wanted in metafields:
            order = self.simulator.orders[wanted["ownerId"]]
            order.metafields[wanted["namespace"], wanted["key"]] = wanted["value"]
        return {"metafields": [], "userErrors": []}


def _matches(order: PlacedOrder, query: str) -> bool:
    source = _SOURCE.search(query)
    if source and source[1] != order.source:
        return False
    for name, operator, value in _TERM.findall(query):
        known: datetime = getattr(order, name)
        # The real filter knows whole seconds only.
        shown, bound = int(known.timestamp()), int(datetime.fromisoformat(value).timestamp())
        if (shown < bound) if operator == ">=" else (shown > bound):
            return False
    return True


def _connection(
    views: list[View],
    first: int | None,
    after: str | None,
    cursors: Sequence[str],
    whole: bool = False,
) -> View:
    start = 0
    if after is not None:
        start = next((i for i, cursor in enumerate(cursors) if cursor > after), len(cursors))
        if after in cursors:
            start = cursors.index(after) + 1
    end = len(views) if whole else start + min(first or PAGE_MAX, PAGE_MAX)
    page = views[start:end]
    last = cursors[min(end, len(cursors)) - 1] if page else None
    return {
        "nodes": page,
        "edges": [{"node": each} for each in page],
        "pageInfo": {"hasNextPage": end < len(views), "endCursor": last},
    }


def _paged(views: list[View]) -> Callable[..., View]:
    cursors = [f"{index:06}" for index in range(len(views))]

    def page(_info: Info, **asked: Any) -> View:
        return _connection(views, asked.get("first"), asked.get("after"), cursors)

    return page


def _order(simulator: Shop, order: PlacedOrder) -> View:
    def metafield(_info: Info, **asked: Any) -> View | None:
        namespace, key = asked.get("namespace", ""), asked["key"]
        value = order.metafields.get((namespace, key))
        return None if value is None else _metafield(namespace, key, value)

    return {
        "__typename": "Order",
        "id": order.id,
        "name": order.name,
        "createdAt": instant(order.created_at),
        "updatedAt": instant(order.updated_at),
        "cancelledAt": instant(order.cancelled_at) if order.cancelled_at else None,
        "sourceName": order.source,
        "sourceIdentifier": order.source_identifier,
        "displayFinancialStatus": order.financial_status,
        "test": order.test,
        "displayFulfillmentStatus": order.fulfillment_status,
        "customer": {"__typename": "Customer", "id": order.customer} if order.customer else None,
        "email": order.buyer.get("email"),
        "phone": order.buyer.get("phone"),
        "customerLocale": "de",
        "billingAddress": {"__typename": "MailingAddress", "name": order.buyer.get("name")},
        "staffMember": {"__typename": "StaffMember", "id": order.staff_member}
        if order.staff_member
        else None,
        "retailLocation": _location(simulator, order.retail_location)
        if order.retail_location
        else None,
        "lineItems": _paged([_line(line) for line in order.lines]),
        **desk.money(order),
        "fulfillments": [_shipment(order, shipment) for shipment in order.shipments],
        "refunds": desk.refunds(order, _paged, _line),
        "returns": desk.returns(order, _paged, _line),
        "fulfillmentOrders": _paged([_fulfillment_order(simulator, order)]),
        "metafield": metafield,
    }


def _line(line: Line) -> View:
    return {
        "__typename": "LineItem",
        "id": line.id,
        "sku": line.sku,
        "name": line.title,
        "quantity": line.quantity,
        "currentQuantity": line.current,
        "unfulfilledQuantity": max(0, line.current - line.fulfilled),
        **desk.price(line),
    }


def _shipment(order: PlacedOrder, shipment: Shipment) -> View:
    parts = [
        {
            "id": f"{shipment.id}/{line.id}",
            "quantity": shipment.quantities[line.id],
            "lineItem": _line(line),
        }
        for line in order.lines
        if line.id in shipment.quantities
    ]
    return {
        "__typename": "Fulfillment",
        "id": shipment.id,
        "status": "SUCCESS",
        "trackingInfo": [shipment.tracking] if shipment.tracking else [],
        "fulfillmentLineItems": _paged(parts),
    }


def _fulfillment_order(simulator: Shop, order: PlacedOrder) -> View:
    left = {line.id: max(0, line.current - line.fulfilled) for line in order.lines}
    status = "OPEN" if any(left.values()) else "CLOSED"
    if order.cancelled_at or order.on_hold:
        status = "CANCELLED" if order.cancelled_at else "ON_HOLD"
    parts = [
        {
            "__typename": "FulfillmentOrderLineItem",
            "id": line.fulfillment_order_line_id,
            "remainingQuantity": left[line.id],
            "totalQuantity": line.quantity,
            "lineItem": _line(line),
        }
        for line in order.lines
    ]
    return {
        "__typename": "FulfillmentOrder",
        "id": order.fulfillment_order_id,
        "status": status,
        "assignedLocation": {"location": _location(simulator)},
        "lineItems": _paged(parts),
    }


def _location(simulator: Shop, ref: str | None = None) -> View:
    return {
        "__typename": "Location",
        "id": ref or simulator.location_id,
        "name": "Warehouse",
        "isActive": True,
    }


def _item(simulator: Shop, item: Item) -> View:
    def level(_info: Info, **asked: Any) -> View | None:
        if asked["locationId"] != simulator.location_id:
            return None
        quantities = [{"name": "available", "quantity": item.available}]
        return {"id": f"{item.id}?level", "quantities": quantities}

    variant = {"id": f"{item.id}/variant", "displayName": item.title}
    return {
        "__typename": "InventoryItem",
        "id": item.id,
        "sku": item.sku,
        "tracked": item.tracked,
        "inventoryLevel": level,
        "variants": {"nodes": [variant]},
    }


def _metafield(namespace: str, key: str, value: str) -> View:
    return {
        "id": f"gid://shopify/Metafield/{namespace}.{key}",
        "namespace": namespace,
        "key": key,
        "type": "json",
        "value": value,
        "jsonValue": json.loads(value),
        "compareDigest": _digest(value),
    }


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _problem(code: str, field: list[str] | None, message: str) -> View:
    return {"code": code, "field": field, "message": message}


def _refused(problems: list[View]) -> View:
    return {"inventoryAdjustmentGroup": None, "userErrors": problems}


def _unfulfilled(message: str) -> View:
    return {"fulfillment": None, "userErrors": [{"field": ["fulfillment"], "message": message}]}
