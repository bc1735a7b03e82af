"""The shop behind the simulator of Square: a counter, an online store, and one stock for both."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.routing import Route

from connectors.testing.simulator import Simulator

DEFINITION_KEY = "serial-hub-serials"


@dataclass(slots=True)
class Variation:
    """Something that can be sold; `count` is None until somebody counted it."""

    id: str
    sku: str
    title: str
    count: int | None
    tracked: bool = True


@dataclass(slots=True)
class Sale:
    """An order. One that the till made has no version and cannot be updated."""

    id: str
    state: str
    lines: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime
    version: int | None = None
    fulfillments: list[dict[str, Any]] = field(default_factory=list)
    ticket_name: str | None = None
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    total: int = 0  # in the smallest part of the currency, as is what is due
    due: int = 0
    money: dict[str, Any] = field(default_factory=dict)  # shown in place of those amounts
    returns: list[dict[str, Any]] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    location_id: str | None = None  # another location of the seller
    taken_by: str | None = None  # the team member who took the payment
    customer_id: str | None = None


class Shop(Simulator):
    """One location. `variations` and `orders` are by id and may be looked at."""

    def __init__(
        self, routes: list[Route], location_id: str, clock: Callable[[], datetime] | None
    ) -> None:
        super().__init__(routes, clock)
        self.location_id = location_id
        self.variations: dict[str, Variation] = {}
        self.orders: dict[str, Sale] = {}
        self.definitions: set[str] = set()
        self.customers: dict[str, dict[str, str]] = {}
        self.idempotent: dict[str, tuple[str, Any]] = {}

    def add_variation(self, sku: str, quantity: int | None, title: str = "") -> str:
        """Put an article into the catalog; returns its catalog object id."""
        variation = Variation(f"VAR{self.next_id()}", sku, title or sku, quantity)
        self.variations[variation.id] = variation
        return variation.id

    def quantity(self, sku: str) -> int | None:
        """Return the counted stock of an article."""
        return self._variation(sku).count

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self._variation(sku).count = quantity

    def sell(
        self, sku: str, quantity: int = 1, serials: Sequence[str] = (), note: str | None = None
    ) -> str:
        """Sell over the counter; the cashier types serials as ``SN: A1, A2``. Returns the id."""
        typed = note if note is not None else f"SN: {', '.join(serials)}" if serials else None
        lines = [self._line(sku, quantity, typed)]
        return self._place(Sale(self._order_id(), "COMPLETED", lines, self.now(), self.now()))

    def place_order(self, quantities: Mapping[str, int], location_id: str | None = None) -> str:
        """Sell online, to be shipped, here or at another location. Returns the order id."""
        lines = [self._line(sku, quantity, None) for sku, quantity in quantities.items()]
        shipment = {
            "uid": f"ful-{self.next_id()}",
            "type": "SHIPMENT",
            "state": "PROPOSED",
            "line_item_application": "ALL",
            "shipment_details": {},
        }
        sale = Sale(self._order_id(), "OPEN", lines, self.now(), self.now(), 1, [shipment])
        sale.location_id = location_id
        return self._place(sale)

    def cancel_order(self, order_id: str) -> None:
        """Cancel an open order and put its units back."""
        order = self.orders[order_id]
        for line in order.lines:
            self._move(line["catalog_object_id"], int(line["quantity"]))
        order.state = "CANCELED"
        self.touch(order)

    def create_return(
        self,
        order_id: str,
        quantity: int = 1,
        *,
        note: str | None = None,
        exchange_for: str | None = None,
        of_line: int = 0,
    ) -> str:
        """Take units of a line of an order back at the till; returns the id of the new order.

        `exchange_for` sells a unit of another SKU on the same receipt.
        """
        line = self.orders[order_id].lines[of_line]
        item = {
            "uid": f"ret-{self.next_id()}",
            "source_line_item_uid": line["uid"],
            "catalog_object_id": line["catalog_object_id"],
            "quantity": str(quantity),
        }
        if note is not None:
            item["note"] = note
        self._move(line["catalog_object_id"], quantity)
        lines = [] if exchange_for is None else [self._line(exchange_for, 1, None)]
        sale = Sale(self._order_id(), "COMPLETED", lines, self.now(), self.now())
        sale.returns = [
            {
                "uid": f"r-{self.next_id()}",
                "source_order_id": order_id,
                "return_line_items": [item],
            }
        ]
        sale.refunds = [self._refund("APPROVED")]
        sale.location_id = self.orders[order_id].location_id
        return self._place(sale)

    def owe(self, order_id: str, amount: int) -> None:
        """Leave so much of an order to pay, of 100; whatever was paid back is forgotten."""
        order = self.orders[order_id]
        order.total, order.due, order.refunds = 100, amount, []
        self.touch(order)

    def pay_back(self, order_id: str) -> None:
        """Pay all of an order back before it is shipped."""
        order = self.orders[order_id]
        order.total = 100
        paid_back = {"amount": 100, "currency": "EUR"}
        order.refunds = [self._refund("APPROVED") | {"amount_money": paid_back}]
        self.touch(order)

    def refund(self, order_id: str, status: str = "APPROVED") -> str:
        """Pay money back without any goods; returns the refund's id."""
        order = self.orders[order_id]
        order.refunds.append(self._refund(status))
        self.touch(order)
        return str(order.refunds[-1]["id"])

    def _refund(self, status: str) -> dict[str, Any]:
        return {
            "id": f"REF{self.next_id()}",
            "created_at": rfc3339(self.now()),
            "reason": "returned",
            "status": status,
        }

    def payment(self, payment_id: str) -> tuple[Sale, dict[str, Any]] | None:
        """Return a payment of an order, and the order; None for an unknown one."""
        return next(
            (
                (order, tender)
                for order in self.orders.values()
                for tender in order.money.get("tenders", [])
                if tender["payment_id"] == payment_id
            ),
            None,
        )

    def paid_back(self, order: Sale, tender_id: str | None = None) -> int:
        """Return what was paid back of an order, or of one of its payments."""
        return sum(
            int(each["amount_money"]["amount"])
            for each in order.refunds
            if tender_id in (None, each.get("tender_id")) and each["status"] != "FAILED"
        )

    def refund_payment(
        self, order: Sale, tender_id: str, money: Mapping[str, Any], reason: str
    ) -> dict[str, Any]:
        """Pay some of a payment back; return the refund as the order lists it."""
        made = self._refund("APPROVED") | {
            "tender_id": tender_id,
            "amount_money": dict(money),
            "reason": reason,
            "location_id": order.location_id or self.location_id,
        }
        order.refunds.append(made)
        self.touch(order)
        return made

    def serials(self, order_id: str) -> dict[str, list[str]]:
        """Return the serials that the order's custom attribute names, by line uid."""
        attribute = self.orders[order_id].attributes.get(DEFINITION_KEY)
        named = json.loads(attribute["value"])["serials"] if attribute else {}
        return {str(line): list(serials) for line, serials in named.items()}

    def touch(self, order: Sale) -> None:
        """Move the order's version and time of change, and send it to the subscribers."""
        order.updated_at = self.now()
        if order.version is not None:
            order.version += 1
        self.emit("order.updated", order)

    def emit(self, topic: str, order: Sale) -> None:
        """Announce an order as Square does: ids only."""
        event_id = f"evt-{self.next_id()}"
        stated = {"order_id": order.id, "location_id": order.location_id or self.location_id}
        stated["state"] = order.state
        event = {
            "merchant_id": "TWIN",
            "type": topic,
            "event_id": event_id,
            "created_at": rfc3339(order.updated_at),
            "data": {
                "type": "order",
                "id": order.id,
                "object": {topic.replace(".", "_"): stated},
            },
        }
        self.send_webhook(topic, event_id, json.dumps(event).encode())

    def _place(self, order: Sale) -> str:
        for line in order.lines:
            self._move(line["catalog_object_id"], -int(line["quantity"]))
        self.orders[order.id] = order
        self.emit("order.created", order)
        return order.id

    def _move(self, variation_id: str, change: int) -> None:
        variation = self.variations[variation_id]
        if variation.count is not None:
            variation.count += change

    def _line(self, sku: str, quantity: int, note: str | None) -> dict[str, Any]:
        variation = self._variation(sku)
        line = {
            "uid": f"line-{self.next_id()}",
            "catalog_object_id": variation.id,
            "name": variation.title,
            "quantity": str(quantity),
        }
        return line if note is None else {**line, "note": note}

    def _order_id(self) -> str:
        return f"ORD{self.next_id()}"

    def _variation(self, sku: str) -> Variation:
        return next(each for each in self.variations.values() if each.sku == sku)


def rfc3339(moment: datetime) -> str:
    """Write a moment as Square does: UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
