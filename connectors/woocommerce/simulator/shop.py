"""The shop behind the simulator of WooCommerce: products, variations, orders, a till."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from starlette.routing import Route

from connectors.testing.simulator import Simulator


class Shop(Simulator):
    """`products` (variations among them) and `orders` are by id and may be looked at."""

    def __init__(self, routes: list[Route], clock: Callable[[], datetime] | None) -> None:
        super().__init__(routes, clock)
        self.clock_is_fixed = clock is not None
        self.zone: tzinfo = UTC  # the shop's own, which its times without "gmt" are in
        self.products: dict[int, dict[str, Any]] = {}
        self.orders: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, list[dict[str, Any]]] = {}
        self.refunds: dict[int, list[dict[str, Any]]] = {}  # by order, the newest first
        self.broken: set[int] = set()  # products that refuse every change

    def add_product(
        self, sku: str, quantity: int | None, *, parent: int = 0, variable: bool = False
    ) -> int:
        """Put an article, or a variation of one, on sale; without quantity it is not counted."""
        kind = "variation" if parent else "variable" if variable else "simple"
        product: dict[str, Any] = {
            "id": self.next_id(),
            "parent_id": parent,
            "type": kind,
            "sku": sku,
            "name": sku,
            "manage_stock": quantity is not None,
            "stock_quantity": quantity,
        }
        self.products[product["id"]] = product
        return int(product["id"])

    def quantity(self, sku: str) -> int | None:
        """Return the stock that the shop shows."""
        quantity = self._product(sku)["stock_quantity"]
        return None if quantity is None else int(quantity)

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self._product(sku)["stock_quantity"] = quantity

    def place_order(self, quantities: Mapping[str, int], status: str = "processing") -> str:
        """Sell online. Returns the order id."""
        lines = [self._line(sku, quantity) for sku, quantity in quantities.items()]
        return self._place(lines, status, "checkout")

    def sell(self, sku: str, quantity: int, key: str, serials: Any) -> str:
        """Sell over the counter; a plugin of the till writes serials under its own key."""
        line = self._line(sku, quantity)
        self.write_meta(line, {"key": key, "value": serials})
        return self._place([line], "completed", "pos-rest-api")

    def set_status(self, ref: str, status: str) -> None:
        """Let somebody in the shop move an order."""
        self.move(self.orders[int(ref)], status)
        self.touch(self.orders[int(ref)])

    def move(self, order: dict[str, Any], status: str) -> None:
        """Change the status; the last completion leaves its time."""
        if status == "completed" and order["status"] != "completed":
            order["date_completed_gmt"] = gmt(self.now())
        order["status"] = status

    def refund(
        self,
        ref: str,
        units: Mapping[int, int],
        *,
        restock: bool = True,
        amount: str = "10.00",
        reason: str = "as agreed",
    ) -> str:
        """Pay back units by line id; what is restocked is noted on the line. Returns its id."""
        order = self.orders[int(ref)]
        refund: dict[str, Any] = {
            "id": self.next_id(),
            "date_created_gmt": gmt(self.now()),
            "amount": amount,
            "reason": reason,
            "line_items": [],
        }
        for line in order["line_items"]:
            if count := units.get(line["id"], 0):
                of = [{"id": self.next_id(), "key": "_refunded_item_id", "value": str(line["id"])}]
                refund["line_items"].append(
                    {"id": self.next_id(), "quantity": -count, "sku": line["sku"], "meta_data": of}
                )
                if restock:
                    self._restock(line, count)
        self.refunds.setdefault(int(ref), []).insert(0, refund)
        order["refunds"].append({"id": refund["id"], "reason": reason, "total": f"-{amount}"})
        paid = sum(
            -line["quantity"] for each in self.refunds[int(ref)] for line in each["line_items"]
        )
        if paid == sum(line["quantity"] for line in order["line_items"]):
            self.move(order, "refunded")
        self.touch(order)
        return str(refund["id"])

    def _restock(self, line: dict[str, Any], count: int) -> None:
        key = "_restock_refunded_items"
        noted = next((meta for meta in line["meta_data"] if meta["key"] == key), {"value": 0})
        self.write_meta(line, {**noted, "key": key, "value": int(noted["value"]) + count})
        product = self._product(line["sku"])
        if product["stock_quantity"] is not None:
            product["stock_quantity"] += count

    def put_back(self, order: Mapping[str, Any]) -> None:
        """Put the goods of an order that is cancelled into stock again."""
        for line in order["line_items"]:
            product = self._product(line["sku"])
            if product["stock_quantity"] is not None:
                product["stock_quantity"] += line["quantity"]

    def serials(self, ref: str, key: str = "Shipped serial numbers") -> list[str]:
        """Return what stands under a key on the lines of an order, entry by entry."""
        lines: Sequence[Any] = self.orders[int(ref)]["line_items"]
        return [meta["value"] for line in lines for meta in line["meta_data"] if meta["key"] == key]

    def write_meta(self, line: dict[str, Any], meta: Mapping[str, Any]) -> None:
        """Change the entry whose id is named, or put another beside those of the same key."""
        known = [each for each in line["meta_data"] if each["id"] == meta.get("id")]
        if known:
            known[0]["value"] = meta["value"]
        else:
            line["meta_data"].append({"id": self.next_id(), **meta})

    def touch(self, order: dict[str, Any]) -> None:
        """Move the time of change, and tell the subscribers."""
        order["date_modified_gmt"] = gmt(self.now())
        self.emit("order.updated", order)

    def emit(self, topic: str, order: Mapping[str, Any]) -> None:
        """Announce an order with its whole body."""
        self.send_webhook(
            topic, f"delivery-{self.next_id()}", json.dumps(self.shown_order(order)).encode()
        )

    def in_local_time(self, stamp: str) -> str:
        """Write a time of GMT as one of the shop's own zone."""
        moment = datetime.fromisoformat(stamp).replace(tzinfo=UTC)
        return moment.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M:%S")

    def shown_order(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Copy an order, as an answer does: each time stands there in GMT and in local time."""
        times = ("date_created", "date_modified", "date_paid", "date_completed")
        stamps = {name: order[f"{name}_gmt"] for name in times if order[f"{name}_gmt"]}
        return {
            **shown(order),
            **{name: self.in_local_time(stamp) for name, stamp in stamps.items()},
        }

    def _place(self, lines: list[dict[str, Any]], status: str, created_via: str) -> str:
        order = {
            "id": (ref := self.next_id()),
            "number": str(ref),
            "status": status,
            "created_via": created_via,
            "customer_id": 7,
            "date_created_gmt": gmt(self.now()),
            "date_modified_gmt": gmt(self.now()),
            "date_paid_gmt": None,
            "date_completed_gmt": gmt(self.now()) if status == "completed" else None,
            "refunds": [],
            "line_items": lines,
        }
        self.orders[ref] = order
        self.emit("order.created", order)
        return str(ref)

    def _line(self, sku: str, quantity: int) -> dict[str, Any]:
        product = self._product(sku)
        if product["stock_quantity"] is not None:
            product["stock_quantity"] -= quantity
        of = {"product_id": product["parent_id"] or product["id"], "sku": sku, "name": sku}
        return {"id": self.next_id(), "quantity": quantity, "meta_data": [], **of}

    def _product(self, sku: str) -> dict[str, Any]:
        return next(each for each in self.products.values() if each["sku"] == sku)


def gmt(moment: datetime) -> str:
    """Write a moment as WooCommerce does: GMT, whole seconds, no offset."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def shown(record: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a record, as an answer does."""
    return copy.deepcopy(dict(record))
