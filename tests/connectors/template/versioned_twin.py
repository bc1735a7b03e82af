"""The twin of the platform with versioned records, and the driver that moves it."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.testing.doors import OAuthDoor
from connectors.testing.record_twin import Record, RecordTwin, Refusal, TwinDriver, route
from connectors.testing.simulator_driver import Buyer
from hub.vocabulary import HoldReason


class VersionedTwin(RecordTwin):
    """One project with one inventory entry for each SKU, and a queue of what changes."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(OAuthDoor(), clock)
        self.orders, self.entries = self.records("order"), self.records("entry")
        self.queue: dict[str, str] = {}  # data by message id
        self.hidden: set[str] = set()

    # What happens there.

    def entry(self, sku: str) -> Record:
        return next(each for each in self.entries.values() if each["sku"] == sku)

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        entry = self.entries.add(sku=sku, quantityOnStock=quantity, availableQuantity=quantity)
        return {"entry_id": entry["id"]}

    def missing_article(self) -> Mapping[str, str]:
        return {"entry_id": "9999999"}

    def quantity_shown(self, sku: str) -> int:
        return int(self.entry(sku)["availableQuantity"])

    def foreign_edit(self, sku: str, quantity: int) -> None:
        entry = self.entry(sku)
        reserved = entry["quantityOnStock"] - entry["availableQuantity"]
        fields = {"quantityOnStock": quantity + reserved, "availableQuantity": quantity}
        self.entries.change(entry["id"], **fields)

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        items = []
        for sku, quantity in lines:
            entry = self.entry(sku)
            self.entries.change(
                entry["id"], availableQuantity=entry["availableQuantity"] - quantity
            )
            item = {"id": str(self.next_id()), "variant": {"sku": sku}, "quantity": quantity}
            items.append({**item, "name": sku})
        states = {"orderState": "Open", "paymentState": "Paid", "shipmentState": "Pending"}
        order = self.orders.add(lineItems=items, shippingInfo={"deliveries": []}, **states)
        return self._changed(order["id"])

    def _changed(self, ref: str, **fields: str) -> str:
        self.orders.change(ref, **fields)
        event = {"notificationType": "Message", "resource": {"typeId": "order", "id": ref}}
        self.write_to_queue(json.dumps(event))
        return ref

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        self._changed(ref, paymentState="Pending")

    def free_order(self, ref: str) -> None:
        self._changed(ref, paymentState="Paid")

    def cancel_order(self, ref: str) -> None:
        self._changed(ref, orderState="Cancelled")

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        account = f"customer-{buyer.number}" if buyer.number else ""
        address = {"streetName": buyer.street, "phone": buyer.phone, "firstName": buyer.name}
        order = self.orders[ref]
        order |= {"customerEmail": buyer.email, "customerId": account, "shippingAddress": address}
        return account or None

    def deliveries(self, ref: str) -> list[Record]:
        return list(self.orders[ref]["shippingInfo"]["deliveries"])

    def shipments(self, ref: str) -> int:
        return len(self.deliveries(ref))

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [s for each in self.deliveries(ref) for _, named in each["custom"] for s in named]

    def write_to_queue(self, body: str) -> None:
        self.queue[f"m-{self.next_id()}"] = base64.b64encode(body.encode()).decode()

    def expire_visibility(self) -> None:
        self.hidden.clear()

    def queued_messages(self) -> int:
        return len(self.queue)

    # What it answers.

    @route("GET", "/orders")
    async def _list_orders(self, request: Any) -> Any:
        return self.page(self.orders.where(request.query_params.get("where")), request)

    @route("GET", "/orders/{ref}")
    async def _order(self, request: Any) -> Any:
        return self.orders[request.path_params["ref"]]

    @route("POST", "/orders/{ref}")
    async def _change_order(self, request: Any) -> Any:
        ref, asked = request.path_params["ref"], await request.json()
        (delivery, state) = asked["actions"]
        made = [*self.deliveries(ref), {"key": delivery["deliveryKey"], **delivery}]
        fields = {"shippingInfo": {"deliveries": made}, "shipmentState": state["state"]}
        return self.orders.change(ref, asked["version"], **fields)

    @route("GET", "/inventory")
    async def _list_entries(self, request: Any) -> Any:
        return self.page(self.entries.where(request.query_params.get("where")), request)

    @route("GET", "/inventory/{ref}")
    async def _entry(self, request: Any) -> Any:
        return self.entries[request.path_params["ref"]]

    @route("POST", "/inventory/{ref}")
    async def _change_entry(self, request: Any) -> Any:
        entry, asked = self.entries[request.path_params["ref"]], await request.json()
        quantity = asked["actions"][0]["quantity"]
        if quantity < 0:
            raise Refusal(400, {"error": "the quantity is negative"})
        reserved = entry["quantityOnStock"] - entry["availableQuantity"]
        fields = {"quantityOnStock": quantity, "availableQuantity": quantity - reserved}
        return self.entries.change(entry["id"], asked["version"], **fields)

    @route("POST", "/queue/pull")
    async def _pull(self, request: Any) -> Any:
        waiting = [each for each in self.queue if each not in self.hidden]
        shown = waiting[: (await request.json())["maxMessages"]]
        self.hidden.update(shown)
        found = [{"ackId": n, "message": {"messageId": n, "data": self.queue[n]}} for n in shown]
        return {"receivedMessages": found}

    @route("POST", "/queue/acknowledge")
    async def _acknowledge(self, request: Any) -> Any:
        for each in (await request.json())["ackIds"]:
            self.queue.pop(each, None)
        return {}


class VersionedDriver(TwinDriver):
    key = "versioned"
    twin = VersionedTwin
    enum_fields = frozenset({"orderState", "paymentState", "shipmentState"})
