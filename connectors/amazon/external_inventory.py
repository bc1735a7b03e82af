"""Quantities of a location of External Fulfillment (contract: inventory 2024-09-11).

Up to ten requests go in one call, each answered for itself. A quantity is absolute and carries a
number in a sequence: one that is not above the last is refused, so that of two that cross the later
one stays. Reading gives the quantity and the last number; Amazon lists no SKUs of a location.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from connectors.amazon.mapping import ITEMS, parse_named, request_object
from connectors.contract import PushedLevel
from connectors.errors import Conflict, ConnectorError, NotFound, Rejected, Transient, Unknown
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.toolkit.json_fields import child, nodes_of, records, text, whole
from connectors.toolkit.records import RecordReader
from connectors.unreadable import Unreadable, UnreadableRecord
from hub.vocabulary import ObservedLevel, StockLevel

READER = RecordReader("listing", ref="body.skuId")
INVENTORIES = "/externalFulfillment/inventory/2024-09-11/inventories"
REQUESTS_MAX = 10
UNKNOWN_SKU = "INVALID_SKU"
Shown = tuple[int, int]  # the sellable quantity, and the last number of the sequence
Answer = Shown | ConnectorError


class LocationInventory:
    """The quantities of one location."""

    def __init__(self, api: RemoteApi, location: str) -> None:
        self._api, self._location = api, location

    async def push(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
        """Read, compare, and set what differs."""
        shown = await self._ask("fetch", {level.remote["sku"]: {} for level in levels})
        answers, wanted, changes = list[PushedLevel](), list[StockLevel](), dict[str, Any]()
        for level in levels:
            found = shown[level.remote["sku"]]
            if isinstance(found, ConnectorError):
                answers.append(PushedLevel(level.listing, error=found))
            elif found[0] == level.available:
                answers.append(PushedLevel(level.listing, found[0]))
            elif level.expected is not None and level.expected != found[0]:
                moved = Conflict("the quantity has changed", observed=found[0])
                answers.append(PushedLevel(level.listing, error=moved))
            else:
                number = found[1] + 1
                changes[level.remote["sku"]] = _change(level.available, number)
                wanted.append(level)
        done = await self._ask("update", changes)
        return [*answers, *(_pushed(level, done[level.remote["sku"]]) for level in wanted)]

    async def snapshot(
        self, listings: AsyncIterator[Any]
    ) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what the location has of the seller's listings, ten at a time.

        Those that it has not are left out. Raises where Amazon refuses to say.
        """
        waiting: list[ObservedLevel] = []
        async for listing in listings:
            for named in ITEMS.either(listing, parse_named):
                if isinstance(named, UnreadableRecord):
                    yield named
                else:
                    waiting.append(named)
            if len(waiting) >= REQUESTS_MAX:
                for level in await self._shown(waiting):
                    yield level
                waiting = []
        for level in await self._shown(waiting):
            yield level

    async def _shown(
        self, listed: Sequence[ObservedLevel]
    ) -> list[ObservedLevel | UnreadableRecord]:
        found = await self._ask("fetch", {each.sku: {} for each in listed})
        levels: list[ObservedLevel | UnreadableRecord] = []
        for each in listed:
            answer = found[each.sku]
            if isinstance(answer, Unreadable):
                levels.append(answer.record)
            elif isinstance(answer, NotFound):
                continue
            elif isinstance(answer, ConnectorError):
                raise answer
            else:
                levels.append(replace(each, quantity=answer[0]))
        return levels

    async def _ask(self, verb: str, asked: Mapping[str, Mapping[str, Any]]) -> dict[str, Answer]:
        """Make a request for each SKU; what Amazon does not answer for is Unknown."""
        found: dict[str, Answer] = {}
        skus = list(asked)
        for start in range(0, len(skus), REQUESTS_MAX):
            part = skus[start : start + REQUESTS_MAX]
            requests = [self._request(verb, sku, asked[sku]) for sku in part]
            # Absolute and in a sequence: to repeat it at once is safe.
            answer = await request_object(
                self._api, "POST", INVENTORIES, json={"requests": requests}, repeat=True
            )
            read = READER.keyed(nodes_of(answer, "responses"), _answer)
            for sku in part:
                silent = Unknown(f"Amazon does not answer for {sku}")
                found[sku] = read.get(sku, silent)
        return found

    def _request(self, verb: str, sku: str, body: Mapping[str, Any]) -> dict[str, Any]:
        place, named = quote(self._location, safe=""), quote(sku, safe="")
        uri = f"/inventory/{verb}?locationId={place}&skuId={named}"
        return {"method": "POST", "uri": uri, **({"body": dict(body)} if body else {})}


def _change(quantity: int, number: int) -> dict[str, int]:
    return {"quantity": quantity, "clientSequenceNumber": number}


def _pushed(level: StockLevel, answer: Answer) -> PushedLevel:
    if isinstance(answer, ConnectorError):
        return PushedLevel(level.listing, error=answer)
    return PushedLevel(level.listing, answer[0])


def _answer(response: Mapping[str, Any]) -> tuple[str, Answer]:
    """Read the answer for one SKU."""
    body, status = child(response, "body", required=True), child(response, "status", required=True)
    sku, code = text(body, "skuId", None) or "", whole(status, "statusCode")
    if code < 400:
        return sku, (whole(body, "sellableQuantity"), whole(body, "clientSequenceNumber", 0))
    problems = records(body, "actionableErrors")
    words = "; ".join(
        f"{text(each, 'errorType')} {text(each, 'errorSubType')}".strip() for each in problems
    )
    message = f"{code} {words or text(status, 'reasonPhrase')}"[:ERROR_TEXT_CHARS_MAX].strip()
    if code == 404 or any(text(each, "errorType") == UNKNOWN_SKU for each in problems):
        return sku, NotFound(message)
    if code == 409:
        return sku, Conflict(message)
    return sku, Transient(message) if code == 429 or code >= 500 else Rejected(message)
