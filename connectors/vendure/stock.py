"""The shelves of one stock location of a Vendure server: read, compared, set."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any, Protocol

from connectors.contract import PushedLevel
from connectors.errors import Conflict, NotFound, Rejected
from connectors.stock_levels import untracked
from connectors.toolkit.json_fields import child, identity, nodes_of
from connectors.unreadable import Unreadable
from connectors.vendure import documents
from connectors.vendure.mapping import (
    INHERITED,
    VARIANTS,
    VariantStock,
    is_tracked,
    variant_stock,
)
from hub.vocabulary import StockLevel

VARIANTS_PER_PAGE = 100


class Execute(Protocol):
    """Executes a document and returns its data, or raises one of the six."""

    def __call__(self, document: str, *, repeat: bool = True, **variables: Any) -> Awaitable[Any]:
        """Execute a document."""


class LocationStock:
    """All variants of a server at one location."""

    def __init__(self, execute: Execute, location: str) -> None:
        self._execute = execute
        self._location = location

    async def variants(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield every variant, page by page."""
        skip = 0
        while True:
            variants, total = await self._read({}, skip, VARIANTS_PER_PAGE)
            for variant in variants:
                yield variant
            skip += len(variants)
            if not variants or skip >= total:
                return

    async def push(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
        """Set what is on hand so that the wanted quantity is available; compare it first."""
        if not levels:
            return []
        ids = [level.remote["variant_id"] for level in levels]
        variants, _ = await self._read({"id": {"in": ids}}, 0, len(ids))
        read = VARIANTS.keyed(variants, self._shelf)
        location_stock = {ref: each for ref, each in read.items() if isinstance(each, VariantStock)}
        loose = set(VARIANTS.each(variants, _untracked_ref).items)
        results, wanted = list[PushedLevel](), list[StockLevel]()
        for level in levels:
            shelf = read.get(level.remote["variant_id"])
            if isinstance(shelf, Unreadable):
                results.append(PushedLevel(level.listing, error=shelf))
            elif level.remote["variant_id"] in loose:
                refused = untracked(f"variant {level.remote['variant_id']}")
                results.append(PushedLevel(level.listing, error=refused))
            elif shelf is None:
                error = NotFound(f"no variant {level.remote['variant_id']}")
                results.append(PushedLevel(level.listing, error=error))
            elif shelf.available == level.available:
                results.append(PushedLevel(level.listing, level.available))
            elif level.expected not in (None, shelf.available):
                moved = Conflict("the quantity has changed", observed=shelf.available)
                results.append(PushedLevel(level.listing, error=moved))
            else:
                wanted.append(level)
        return [*results, *await self._set(wanted, location_stock)]

    def _shelf(self, variant: Mapping[str, Any]) -> tuple[str, VariantStock]:
        shelf = variant_stock(variant, self._location) or VariantStock(0, 0)
        return identity(variant, "id"), shelf

    async def _read(self, where: Mapping[str, Any], skip: int, take: int) -> tuple[list[Any], int]:
        options = {"filter": where, "sort": {"id": "ASC"}, "skip": skip, "take": take}
        data = await self._execute(documents.VARIANTS, options=options)
        found = data["productVariants"]
        return _with_settings(nodes_of(found, "items"), data), found["totalItems"]

    async def _set(
        self, levels: Sequence[StockLevel], location_stock: Mapping[str, VariantStock]
    ) -> list[PushedLevel]:
        """Set all in one call; where it is refused, by halves, to find the bad one."""
        if not levels:
            return []
        wanted = [
            {
                "id": (ref := level.remote["variant_id"]),
                "stockLevels": [
                    {
                        "stockLocationId": self._location,
                        "stockOnHand": level.available + location_stock[ref].allocated,
                    }
                ],
            }
            for level in levels
        ]
        try:
            # Absolute, and compared before: to repeat it at once is safe.
            data = await self._execute(documents.SET_STOCK, input=wanted)
        except (Rejected, NotFound) as refusal:
            if len(levels) == 1:
                return [PushedLevel(levels[0].listing, error=refusal)]
            half = len(levels) // 2
            first = await self._set(levels[:half], location_stock)
            return [*first, *await self._set(levels[half:], location_stock)]
        shown = VARIANTS.keyed(filter(None, data["updateProductVariants"]), self._shelf)
        # An order that came in between shows here at once.
        return [
            PushedLevel(
                level.listing,
                shelf.available if isinstance(shelf, VariantStock) else level.available,
            )
            for level in levels
            for shelf in [shown.get(level.remote["variant_id"])]
        ]


def _with_settings(variants: list[Any], data: Mapping[str, Any]) -> list[Any]:
    """Put beside each variant what the settings of the server say of counting."""
    inherited = child(data, "globalSettings").get("trackInventory")
    return [{**each, INHERITED: inherited} if isinstance(each, dict) else each for each in variants]


def _untracked_ref(variant: Mapping[str, Any]) -> str | None:
    return None if is_tracked(variant) else identity(variant, "id")
