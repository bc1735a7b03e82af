"""A shop platform with versioned records, predicates and OAuth, as commercetools has them.

Orders and inventory entries have versions: every change names the one that it is based on, and a
stale one is refused with 409. Lists take predicates (``where``), sorts and offsets. A shipment is a
delivery with a key of ours; serials travel as a custom field of it. Changes are announced in a
queue, which is pulled and acknowledged. The API client needs to view and manage orders and stock.
"""

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors import contract
from connectors.errors import Conflict
from connectors.remote import Remote
from connectors.stock_levels import bound, push_each
from connectors.toolkit.cursors import stamp
from connectors.toolkit.json_fields import (
    child,
    identity,
    name_in,
    nodes_of,
    records,
    text,
    time,
    whole,
)
from connectors.toolkit.keyset_pages import keyset_page
from connectors.toolkit.page_size import page_size
from connectors.toolkit.records import RecordReader
from connectors.toolkit.tokens import client_credentials_auth
from connectors.unreadable import UnreadableRecord
from hub import vocabulary as words

PER_PAGE = 100
HOLDS = frozenset({words.HoldReason.PAYMENT_PENDING})
ORDERS = RecordReader("order", ref="id")
ENTRIES = RecordReader("listing", ref="id")
SHIPPED, PAID = frozenset({"Shipped", "Delivered"}), frozenset({"Paid", "BalanceDue", "CreditOwed"})


class VersionedSettings(BaseModel):
    """One project."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl
    client_id: str
    client_secret: SecretStr
    calls_per_second: float = Field(10.0, gt=0)


class Versioned(
    contract.Connector[VersionedSettings],
    *(
        contract.PullOrders,
        contract.PushStock,
        contract.SnapshotStock,
        contract.SnapshotOrders,
        contract.PushFulfillment,
        contract.ReceiveQueue,
    ),
):
    """One project: its orders and its stock."""

    key: ClassVar[str] = "versioned"
    settings_model: ClassVar[type[BaseModel]] = VersionedSettings
    pages_shrink: ClassVar[bool] = True
    states_holds: ClassVar[frozenset[words.HoldReason]] = HOLDS
    compares_in_one_step: ClassVar[bool] = True
    shows_serials: ClassVar[bool] = True

    @classmethod
    def remote(cls, settings: VersionedSettings) -> Remote:
        base, secret = str(settings.base_url).rstrip("/"), settings.client_secret.get_secret_value()
        return Remote(
            base_url=base,
            auth=client_credentials_auth(f"{base}/oauth/token", settings.client_id, secret),
            secrets=(secret,),
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        for path in ("/orders", "/inventory"):
            await self.api.json_object("GET", path, params={"limit": 1})

    async def pull_orders(self, cursor: str) -> contract.Page[words.Order]:
        found, cursor, more = await keyset_page(
            cursor, self._changed, lambda page: ORDERS.newest(page, changed_at), page_size(PER_PAGE)
        )
        orders = ORDERS.each(found, parse_order)
        return contract.Page(orders.items, cursor, more, orders.unreadable)

    async def _changed(self, since: datetime | None, skip: int, size: int) -> list[Any]:
        where = f'lastModifiedAt >= "{stamp(since)}"' if since else ""
        sort = ["lastModifiedAt asc", "id asc"]
        return await self._results("/orders", where=where, sort=sort, offset=skip, limit=size)

    async def read_order(self, ref: str) -> words.Order:
        return ORDERS.one(await self._order(ref), parse_order, ref)

    def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[words.Order | UnreadableRecord]:
        where = f'createdAt >= "{stamp(since)}" and createdAt <= "{stamp(until)}"'
        return ORDERS.walk(self._every("/orders", where), parse_order)

    def snapshot_stock(self) -> AsyncIterator[words.ObservedLevel | UnreadableRecord]:
        return ENTRIES.walk(self._every("/inventory", ""), parse_entry)

    async def push_stock(
        self, levels: Sequence[words.StockLevel]
    ) -> Sequence[contract.PushedLevel]:
        able, lost = bound(levels, "entry_id")
        ids = ", ".join(json.dumps(level.remote["entry_id"]) for level in able)
        found = await self._results("/inventory", where=f"id in ({ids})") if able else []
        entries = ENTRIES.keyed(found, parse_stock)
        return [*lost, *await push_each(able, lambda level: self._set(level, entries))]

    async def _set(
        self, level: words.StockLevel, entries: Mapping[str, Any]
    ) -> contract.PushedLevel:
        version, shown, on_stock = ENTRIES.found(entries, level.remote["entry_id"])
        if level.expected not in (None, shown) and shown != level.available:
            raise Conflict("the quantity has changed", observed=shown)
        wanted = level.available + on_stock - shown  # units of open orders stay reserved
        path = f"/inventory/{level.remote['entry_id']}"
        body = {"version": version, "actions": [{"action": "changeQuantity", "quantity": wanted}]}
        answer = await self.api.request("POST", path, json=body, accept=(409,))
        if answer.status_code == 409:  # somebody was faster: what is there now decides
            answer = await self.api.request("GET", path)
        now = whole(answer.json(), "availableQuantity")
        if now != level.available:
            raise Conflict("the entry has changed", observed=now)
        return contract.PushedLevel(level.listing, now)

    async def push_fulfillment(self, fulfillment: words.Fulfillment) -> str:
        order = await self._order(fulfillment.order_ref)
        deliveries = records(child(order, "shippingInfo"), "deliveries")
        if not any(each.get("key") == fulfillment.reference for each in deliveries):
            lines = fulfillment.lines
            left = sum(line.quantity - line.fulfilled for line in parse_order(order).lines)
            gone = sum(line.units for line in lines)
            delivery = {
                "action": "addDelivery",
                "deliveryKey": fulfillment.reference,
                "items": [{"id": each.order_line_ref, "quantity": each.units} for each in lines],
                "parcels": [{"trackingData": {"trackingId": fulfillment.tracking}}],
                "custom": [[each.order_line_ref, each.serials] for each in lines],
            }
            state = "Shipped" if gone >= left else "Partial"
            actions = [delivery, {"action": "changeShipmentState", "state": state}]
            change = {"version": order["version"], "actions": actions}
            await self.api.json_object("POST", f"/orders/{order['id']}", json=change)
        return f"order {order.get('orderNumber') or order['id']}"

    async def receive(self) -> Sequence[contract.QueueMessage]:
        answer = await self.api.json_object("POST", "/queue/pull", json={"maxMessages": 10})
        found = []
        for each in records(answer, "receivedMessages"):
            message = child(each, "message")
            call = contract.WebhookCall(text(message, "messageId"), "change")
            body = base64.b64decode(text(message, "data"))
            found.append(contract.QueueMessage(call, body, text(each, "ackId")))
        return found

    async def acknowledge(self, receipts: Sequence[str]) -> None:
        await self.api.request("POST", "/queue/acknowledge", json={"ackIds": list(receipts)})

    def read(self, topic: str, body: bytes) -> Sequence[contract.OrderRef]:
        named = name_in(body, "resource", "id")
        about = name_in(body, "resource", "typeId")
        return (contract.OrderRef(named),) if named and about == "order" else ()

    async def _order(self, ref: str) -> Mapping[str, Any]:
        return await self.api.json_object("GET", f"/orders/{quote(ref, safe='')}")

    async def _results(self, path: str, **asked: Any) -> list[Any]:
        params = {name: value for name, value in asked.items() if value}
        return nodes_of(await self.api.json_object("GET", path, params=params), "results")

    async def _every(self, path: str, where: str) -> AsyncIterator[Any]:
        asked, offset = {"where": where, "sort": ["createdAt asc"], "limit": PER_PAGE}, 0
        while found := await self._results(path, offset=offset, **asked):
            offset += len(found)
            for each in found:
                yield each


def changed_at(order: Mapping[str, Any]) -> datetime:
    return time(order, "lastModifiedAt", "createdAt")


def parse_order(order: Mapping[str, Any]) -> words.Order:
    stated = {name: text(order, f"{name}State") for name in ("order", "payment", "shipment")}
    state = words.OrderState.OPEN if stated["payment"] in PAID else words.OrderState.PENDING
    if stated["shipment"] in SHIPPED:
        state = words.OrderState.FULFILLED
    if stated["order"] == "Cancelled":
        state = words.OrderState.CANCELLED
    deliveries = records(child(order, "shippingInfo"), "deliveries")
    return words.Order(
        ref=identity(order, "id"),
        number=text(order, "orderNumber") or identity(order, "id"),
        state=state,
        remote_state=stated["order"],
        payment_state=stated["payment"],
        shipment_state=stated["shipment"],
        lines=tuple(_line(line, deliveries) for line in records(order, "lineItems", required=True)),
        placed_at=time(order, "createdAt"),
        updated_at=changed_at(order),
        customer_ref=text(order, "customerId") or None,
    )


def _line(line: Mapping[str, Any], deliveries: Sequence[Mapping[str, Any]]) -> words.OrderLine:
    ref = identity(line, "id")
    items = [item for each in deliveries for item in records(each, "items")]
    named = [pair for each in deliveries for pair in each.get("custom") or () if pair[0] == ref]
    return words.OrderLine(
        ref=ref,
        sku=text(child(line, "variant"), "sku"),
        quantity=whole(line, "quantity"),
        fulfilled=sum(whole(item, "quantity") for item in items if item["id"] == ref),
        shown_serials=tuple(serial for pair in named for serial in pair[1]),
        title=text(line, "name"),
    )


def parse_entry(entry: Mapping[str, Any]) -> words.ObservedLevel:
    return words.ObservedLevel(
        sku=text(entry, "sku"),
        quantity=whole(entry, "availableQuantity"),
        remote={"entry_id": identity(entry, "id")},
    )


def parse_stock(entry: Mapping[str, Any]) -> tuple[str, tuple[int, int, int]]:
    numbers = (whole(entry, name) for name in ("version", "availableQuantity", "quantityOnStock"))
    return identity(entry, "id"), tuple(numbers)
