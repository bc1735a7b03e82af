"""Set quantities of Walmart items: read each, compare, then set one by one, or many in a feed.

What is set is what is there; Walmart takes off what it holds for orders. So what is reserved is
added to the quantity that is to be for sale.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from connectors.contract import PushedLevel
from connectors.errors import (
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.toolkit.json_fields import child, identity, nodes_of, records, whole
from connectors.toolkit.records import RecordReader
from connectors.unreadable import UnreadableRecord
from connectors.walmart.mapping import FEEDS, INVENTORIES, INVENTORY, request_object, request_page
from hub.vocabulary import ObservedLevel, StockLevel

ITEMS = RecordReader("listing", ref="sku")
ITEMS_PER_PAGE = 50
FEW = 25  # so many are set one by one
FEED_SECONDS_MAX = 240.0
FEED_POLL_SECONDS = 5.0
ENDED = frozenset({"PROCESSED", "ERROR"})
ONE_LEVEL = (Rejected, NotFound, Conflict, RateLimited)


@dataclass(frozen=True, slots=True)
class Node:
    """What one place holds of an item."""

    for_sale: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Store:
    """The items of a seller at one place; no place named is the seller's only one."""

    api: RemoteApi
    ship_node: str | None
    poll_seconds: float = FEED_POLL_SECONDS
    feed_seconds: float = FEED_SECONDS_MAX

    @property
    def place(self) -> dict[str, str]:
        """Return the query that names the place."""
        return {"shipNode": self.ship_node} if self.ship_node else {}

    def node_of(self, item: Mapping[str, Any]) -> Node | None:
        """Read what the place holds; None where it does not hold the item."""
        nodes = records(item, "nodes")
        if self.ship_node:
            nodes = [each for each in nodes if str(each.get("shipNode")) == self.ship_node]
        if not nodes:
            return None
        if len(nodes) > 1:
            raise Rejected("the item is at several ship nodes: name one in the settings")
        there, reserved = _amount(nodes[0], "inputQty") or 0, _amount(nodes[0], "reservedQty") or 0
        shown = _amount(nodes[0], "availToSellQty")
        return Node(max(0, there - reserved) if shown is None else shown, reserved)


def _amount(node: Mapping[str, Any], name: str) -> int | None:
    return None if node.get(name) is None else whole(child(node, name), "amount", 0)


async def iterate_items(store: Store) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
    """Yield what the place holds of every item."""

    def parse(item: Mapping[str, Any]) -> ObservedLevel | None:
        node, sku = store.node_of(item), identity(item, "sku")
        if node is None:
            return None
        return ObservedLevel(sku=sku, quantity=node.for_sale, remote={"sku": sku})

    cursor: str | None = None
    while True:
        asked = {"limit": str(ITEMS_PER_PAGE)} | ({"nextCursor": cursor} if cursor else {})
        answer = await request_page(store.api, INVENTORIES, params=asked)
        found = nodes_of(answer.get("elements") or {}, "inventories", required=False)
        for item in found:
            for level in ITEMS.either(item, parse):
                yield level
        cursor = (answer.get("meta") or {}).get("nextCursor") or None
        if cursor is None or not found:
            return


async def push_levels(store: Store, levels: Sequence[StockLevel]) -> list[PushedLevel]:
    """Compare with what is shown, and set what differs."""
    answers, wanted = list[PushedLevel](), list[tuple[StockLevel, int]]()
    for level in levels:
        try:
            node = await _node(store, level.remote["sku"])
        except ONE_LEVEL as refusal:
            # One that has to wait for its turn does not undo what was done for the others.
            answers.append(PushedLevel(level.listing, error=refusal))
            continue
        if node.for_sale == level.available:
            answers.append(PushedLevel(level.listing, node.for_sale))
        elif level.expected not in (None, node.for_sale):
            moved = Conflict("the quantity has changed", observed=node.for_sale)
            answers.append(PushedLevel(level.listing, error=moved))
        else:
            wanted.append((level, level.available + node.reserved))
    if len(wanted) > FEW:
        return [*answers, *await _feed(store, wanted)]
    return [*answers, *[await _set(store, level, amount) for level, amount in wanted]]


async def _node(store: Store, sku: str) -> Node:
    path = f"{INVENTORIES}/{quote(sku, safe='')}"
    node = store.node_of(await request_object(store.api, "GET", path, params=store.place))
    if node is None:
        raise NotFound(f"the place holds no item {sku}")
    return node


def _record(level: StockLevel, amount: int) -> dict[str, Any]:
    return {"sku": level.remote["sku"], "quantity": {"unit": "EACH", "amount": amount}}


async def _set(store: Store, level: StockLevel, amount: int) -> PushedLevel:
    params = {"sku": level.remote["sku"], **store.place}
    try:
        await request_object(
            store.api, "PUT", INVENTORY, params=params, json=_record(level, amount)
        )
    except ONE_LEVEL as refusal:
        return PushedLevel(level.listing, error=refusal)
    return PushedLevel(level.listing, level.available)


async def _feed(store: Store, wanted: Sequence[tuple[StockLevel, int]]) -> list[PushedLevel]:
    """Set all in one feed, and answer what became of each."""
    document = {
        "InventoryHeader": {"version": "1.4"},
        "Inventory": [_record(level, amount) for level, amount in wanted],
    }
    answer = await request_object(
        store.api,
        "POST",
        FEEDS,
        params={"feedType": "inventory", **store.place},
        files={"file": ("inventory.json", json.dumps(document).encode(), "application/json")},
        repeat=True,  # absolute, and compared before
    )
    try:
        outcome = await _outcomes(store, str(answer["feedId"]), len(wanted))
    except Transient as trouble:
        return [PushedLevel(level.listing, error=trouble) for level, _ in wanted]
    results = []
    for level, _ in wanted:
        error = outcome.get(level.remote["sku"], NotFound("the feed says nothing of this SKU"))
        shown = level.available if error is None else None
        results.append(PushedLevel(level.listing, shown, error))
    return results


async def _outcomes(store: Store, feed: str, count: int) -> dict[str, ConnectorError | None]:
    """Wait until a feed was worked on, and read what became of each item."""
    path = f"{FEEDS}/{quote(feed, safe='')}"
    for _ in range(max(1, int(store.feed_seconds / store.poll_seconds))):
        await asyncio.sleep(store.poll_seconds)
        found: dict[str, ConnectorError | None] = {}
        for offset in range(0, count, ITEMS_PER_PAGE):
            asked = {"includeDetails": "true", "limit": str(ITEMS_PER_PAGE), "offset": str(offset)}
            state = await request_object(store.api, "GET", path, params=asked)
            if state.get("feedStatus") not in ENDED:
                break
            for each in (state.get("itemDetails") or {}).get("itemIngestionStatus") or []:
                found[str(each.get("sku"))] = _refused(each)
        else:
            return found
    raise Unknown(f"feed {feed} is still being worked on")


def _refused(item: Mapping[str, Any]) -> ConnectorError | None:
    status = str(item.get("ingestionStatus") or "")
    if status == "SUCCESS":
        return None
    errors = (item.get("ingestionErrors") or {}).get("ingestionError") or []
    words = "; ".join(str(each.get("description") or each.get("code")) for each in errors)
    outcome = f"{status} {words}".strip()[:ERROR_TEXT_CHARS_MAX]
    return Rejected(outcome) if status == "DATA_ERROR" else Transient(outcome)
