"""Available quantities of inventory items: set in one call, compared by Shopify itself."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import PushedLevel
from connectors.errors import Transient
from connectors.remote import RemoteApi
from connectors.shopify import documents
from connectors.shopify.mapping import (
    LOOK_AGAIN,
    available,
    execute,
    explain_refusal,
    refused_index,
)
from connectors.stock_levels import untracked
from hub.vocabulary import StockLevel


class ItemStock:
    """The items of one shop at one location."""

    def __init__(self, api: RemoteApi, location: str) -> None:
        self._api, self._location = api, location

    async def push(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
        """Set quantities; levels of items that are not tracked are refused before any is set."""
        loose = await self._untracked(levels)
        refused = [PushedLevel(each.listing, error=untracked(_item_of(each))) for each in loose]
        return [*refused, *await self._push([each for each in levels if each not in loose])]

    async def _untracked(self, levels: Sequence[StockLevel]) -> list[StockLevel]:
        """Find the levels of items whose quantity the shop does not keep."""
        if not levels:
            return []
        data = await execute(self._api, documents.TRACKED, ids=[_item_of(each) for each in levels])
        found = [each for each in data["nodes"] if isinstance(each, dict)]
        loose = [each.get("id") for each in found if each.get("tracked") is False]
        return [each for each in levels if _item_of(each) in loose]

    async def _push(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
        if not levels:
            return []
        problems = await self._set_quantities(levels)
        if not problems:
            return [PushedLevel(level.listing, level.available) for level in levels]
        named = {
            index: problem for problem in problems if (index := refused_index(problem)) is not None
        }
        named = {index: problem for index, problem in named.items() if index < len(levels)}
        if not named and len(levels) == 1:
            named = {0: problems[0]}
        if not named:
            half = len(levels) // 2
            return [*await self._push(levels[:half]), *await self._push(levels[half:])]
        refused = await self._explain([levels[index] for index in named], list(named.values()))
        others = [level for index, level in enumerate(levels) if index not in named]
        return [*await self._push(others), *refused]

    async def _set_quantities(self, levels: Sequence[StockLevel]) -> list[dict[str, Any]]:
        quantities = [
            {
                "inventoryItemId": item,
                "locationId": location,
                "quantity": level.available,
                "changeFromQuantity": level.expected,
            }
            for level in levels
            for item, location in [self._place(level)]
        ]
        # The key follows from the keys of the levels and from what is sent: another selection of
        # levels is another request, the same one is the same request for ever.
        request = json.dumps([[level.key for level in levels], quantities], sort_keys=True)
        key = hashlib.sha256(request.encode()).hexdigest()[:40]
        data = await execute(
            self._api,
            documents.SET_QUANTITIES,
            key=key,
            input={
                "name": "available",
                "reason": "correction",
                "referenceDocumentUri": f"gid://serial-hub/StockLevels/{key}",
                "quantities": quantities,
            },
        )
        problems: list[dict[str, Any]] = data["inventorySetQuantities"]["userErrors"]
        if any(each["code"] == "IDEMPOTENCY_CONCURRENT_REQUEST" for each in problems):
            raise Transient("the same quantities are being set by another request")
        return problems

    async def _explain(
        self, levels: Sequence[StockLevel], problems: Sequence[Mapping[str, Any]]
    ) -> list[PushedLevel]:
        """Say why each level was refused; read the quantity where the remote moved on."""
        pairs = list(zip(levels, problems, strict=True))
        present: dict[tuple[str, str], int | None] = {}
        stale = [self._place(level) for level, problem in pairs if problem["code"] in LOOK_AGAIN]
        for location in {location for _, location in stale}:
            ids = [item for item, at in stale if at == location]
            data = await execute(self._api, documents.QUANTITIES, ids=ids, location=location)
            present |= {(node["id"], location): available(node) for node in data["nodes"] if node}
        return [
            explain_refusal(level, problem, present.get(self._place(level)))
            for level, problem in pairs
        ]

    def _place(self, level: StockLevel) -> tuple[str, str]:
        location = level.remote.get("location_id", self._location)
        return _item_of(level), location


def _item_of(level: StockLevel) -> str:
    return level.remote["inventory_item_id"]
