"""The shop behind the simulator of Shopify: what it stocks, what it sold, and how both change."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.routing import Route

from connectors.shopify.simulator.bulk import BulkDesk
from connectors.testing.simulator import Simulator

SCOPES = (
    "read_orders",
    "write_orders",
    "read_returns",
    "read_customers",
    "read_products",
    "read_locations",
    "write_inventory",
    "write_merchant_managed_fulfillment_orders",
)


@dataclass(slots=True)
class Item:
    """Something with a SKU that is stocked at the location; `available` may go below zero."""

    id: str
    sku: str
    title: str
    available: int
    tracked: bool = True


@dataclass(slots=True)
class Line:
    """One line of an order."""

    id: str
    fulfillment_order_line_id: str
    sku: str
    title: str
    quantity: int
    current: int
    fulfilled: int = 0
    price: str = "0.00"
    discount: str | None = None
    tax: str | None = None
    is_gift_card: bool = False
    ships: bool = True
    custom: bool = False  # typed in: it has no product


@dataclass(slots=True)
class Shipment:
    """One fulfillment of an order: how many of which line."""

    id: str
    quantities: dict[str, int]
    tracking: dict[str, Any] | None


@dataclass(slots=True)
class Refunded:
    """One refund of an order: how many of which line, and what became of the goods."""

    id: str
    created_at: datetime
    quantities: dict[str, int]
    restock_type: str
    note: str = ""
    return_id: str | None = None
    amount: str = "0.00"


@dataclass(slots=True)
class ReturnedGoods:
    """One return of an order: how many of which line; what came back, was refunded, exchanged."""

    id: str
    status: str
    quantities: dict[str, int]
    reason: str
    processed: dict[str, int] = field(default_factory=dict)
    refunded: dict[str, int] = field(default_factory=dict)
    exchange_lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class PlacedOrder:
    """An order of the shop."""

    id: str
    name: str
    source: str
    financial_status: str
    created_at: datetime
    updated_at: datetime
    fulfillment_order_id: str
    lines: list[Line]
    shipments: list[Shipment] = field(default_factory=list)
    refunds: list[Refunded] = field(default_factory=list)
    returns: list[ReturnedGoods] = field(default_factory=list)
    source_identifier: str | None = None
    test: bool = False
    retail_location: str | None = None
    staff_member: str | None = None
    buyer: dict[str, str | None] = field(default_factory=dict)  # name, email, phone
    metafields: dict[tuple[str, str], str] = field(default_factory=dict)
    cancelled_at: datetime | None = None
    on_hold: bool = False
    currency: str = "EUR"
    total: str = "0.00"
    customer: str | None = None

    @property
    def fulfillment_status(self) -> str:
        """Say how far the order is, in Shopify's words."""
        if self.on_hold:
            return "ON_HOLD"
        done = sum(line.fulfilled for line in self.lines)
        due = sum(line.current for line in self.lines)
        if not done:  # what was shipped and refunded stays fulfilled
            return "FULFILLED" if self.shipments and not due else "UNFULFILLED"
        return "FULFILLED" if done >= due else "PARTIALLY_FULFILLED"


class Shop(Simulator):
    """One shop with one location. `items` and `orders` are by id and may be looked at."""

    def __init__(
        self, routes: list[Route], location_id: str, clock: Callable[[], datetime] | None
    ) -> None:
        super().__init__(routes, clock)
        self.location_id = location_id
        self.scopes = SCOPES
        self.items: dict[str, Item] = {}
        self.orders: dict[str, PlacedOrder] = {}
        self.idempotent: dict[str, tuple[str, Any]] = {}
        self.bulk = BulkDesk(self.next_id)

    def add_item(self, sku: str, quantity: int, title: str = "") -> str:
        """Stock an item; returns its inventory item id."""
        item = Item(f"gid://shopify/InventoryItem/{self.next_id()}", sku, title or sku, quantity)
        self.items[item.id] = item
        return item.id

    def quantity(self, sku: str) -> int:
        """Return the available quantity that the shop shows."""
        return self._item(sku).available

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self._item(sku).available = quantity

    def place_order(
        self,
        quantities: Mapping[str, int],
        *,
        at_counter: bool = False,
        paid: bool = True,
        origin: str | None = None,
        counter: str | None = None,
    ) -> str:
        """Sell; the stock goes down at once, below zero if need be. Returns the order id.

        `origin` is the reference of the order in another channel that this one was imported from,
        `counter` the location of the till, where it is not the shop's own.
        """
        lines = [
            self._line(sku, quantity, handed_over=at_counter)
            for sku, quantity in quantities.items()
        ]
        number, now = self.next_id(), self.now()
        order = PlacedOrder(
            id=f"gid://shopify/Order/{number}",
            name=f"#{number}",
            source="pos" if at_counter else "web",
            financial_status="PAID" if paid else "PENDING",
            created_at=now,
            updated_at=now,
            fulfillment_order_id=f"gid://shopify/FulfillmentOrder/{self.next_id()}",
            lines=lines,
            source_identifier=origin,
            retail_location=(counter or self.location_id) if at_counter else None,
        )
        if at_counter:
            handed_over = {line.id: line.quantity for line in lines}
            order.shipments.append(Shipment(self._fulfillment_id(), handed_over, None))
        self.orders[order.id] = order
        self.emit("orders/create", order)
        return order.id

    def cancel_order(self, order_id: str) -> None:
        """Cancel an order and put back what had not left."""
        order = self.orders[order_id]
        for line in order.lines:
            if line.sku:
                self._item(line.sku).available += line.current - line.fulfilled
            line.current = line.fulfilled
        order.cancelled_at = self.now()
        self.touch(order, "orders/cancelled")

    def erase_order(self, order_id: str) -> None:
        """Erase an order, without a webhook; its units are for sale again."""
        for line in self.orders.pop(order_id).lines:
            self._item(line.sku).available += line.current

    def remove_units(self, order_id: str, sku: str, quantity: int) -> None:
        """Edit an order: so many units of a line are no longer wanted."""
        order = self.orders[order_id]
        line = next(line for line in order.lines if line.sku == sku)
        line.current -= quantity
        self._item(sku).available += quantity
        self.touch(order, "orders/edited")

    def add_line(self, order_id: str, sku: str, quantity: int = 1) -> str:
        """Edit an order: something more is wanted. Returns the line's id."""
        order = self.orders[order_id]
        line = self._line(sku, quantity, handed_over=False)
        order.lines.append(line)
        self.touch(order, "orders/edited")
        return line.id

    def pay(self, order_id: str, status: str) -> None:
        """Move the payment of an order to a financial status of Shopify's."""
        order = self.orders[order_id]
        order.financial_status = status
        self.touch(order, "orders/updated")

    def hold(self, order_id: str, on_hold: bool = True) -> None:
        """Put the fulfillment of an order on hold, or release it."""
        order = self.orders[order_id]
        order.on_hold = on_hold
        self.touch(order, "orders/updated")

    def ship(self, order_id: str, quantities: Mapping[str, int], tracking: Any = None) -> str:
        """Fulfil lines (by line id), by hand or for the API; returns the fulfillment's id."""
        order = self.orders[order_id]
        for line in order.lines:
            line.fulfilled += quantities.get(line.id, 0)
        shipment = Shipment(self._fulfillment_id(), dict(quantities), tracking)
        order.shipments.append(shipment)
        self.touch(order, "orders/updated")
        return shipment.id

    def serials(self, order_id: str) -> dict[str, list[str]]:
        """Return the serials that the order's metafield names, by line id."""
        value = self.orders[order_id].metafields.get(("serial_hub", "serials"), "[]")
        return {entry["line"]: entry["serials"] for entry in json.loads(value)}

    def touch(self, order: PlacedOrder, topic: str) -> None:
        """Move the order's time of change and tell the subscribers."""
        order.updated_at = self.now()
        self.emit(topic, order)

    def emit(self, topic: str, order: PlacedOrder) -> None:
        """Announce an order with the payload that the real hooks begin with."""
        where = order.retail_location
        payload = {
            "id": int(order.id.rsplit("/", 1)[1]),
            "admin_graphql_api_id": order.id,
            "name": order.name,
            "created_at": instant(order.created_at),
            "updated_at": instant(order.updated_at),
            "source_name": order.source,
            "location_id": int(where.rsplit("/", 1)[1]) if where else None,
        }
        self.send_webhook(topic, f"whk-{self.next_id()}", json.dumps(payload).encode())

    def _line(self, sku: str, quantity: int, *, handed_over: bool) -> Line:
        item = self._item(sku)
        item.available -= quantity
        return Line(
            id=f"gid://shopify/LineItem/{self.next_id()}",
            fulfillment_order_line_id=f"gid://shopify/FulfillmentOrderLineItem/{self.next_id()}",
            sku=sku,
            title=item.title,
            quantity=quantity,
            current=quantity,
            fulfilled=quantity if handed_over else 0,
        )

    def _fulfillment_id(self) -> str:
        return f"gid://shopify/Fulfillment/{self.next_id()}"

    def _item(self, sku: str) -> Item:
        return next(item for item in self.items.values() if item.sku == sku)


def instant(moment: datetime) -> str:
    """Write a moment as Shopify does: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
