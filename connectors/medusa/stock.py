"""Set quantities of a Medusa location: read, compare, one batch of levels."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import PushedLevel
from connectors.errors import Conflict, ConnectorError, NotFound, Rejected
from connectors.medusa.mapping import ITEMS, LEVEL_FIELDS, location_level
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import identity, nodes_of
from connectors.unreadable import Unreadable
from hub.vocabulary import StockLevel

Shelf = tuple[int, int]  # stocked, reserved


async def push_levels(
    api: RemoteApi, location: str, levels: Sequence[StockLevel]
) -> list[PushedLevel]:
    """Compare with what is available, and set what differs."""
    if not levels:
        return []
    ids = list(dict.fromkeys(level.remote["inventory_item_id"] for level in levels))
    params = [("fields", LEVEL_FIELDS), ("limit", str(len(ids))), *(("id", each) for each in ids)]
    answer = await api.json_object("GET", "/admin/inventory-items", params=params)
    read = ITEMS.keyed(
        nodes_of(answer, "inventory_items"),
        lambda each: (identity(each, "id"), location_level(each, location)),
    )
    items = {ref: each for ref, each in read.items() if not isinstance(each, Unreadable)}
    answers, wanted = list[PushedLevel](), list[StockLevel]()
    for level in levels:
        item = level.remote["inventory_item_id"]
        shelf = items.get(item)
        present = shelf[0] - shelf[1] if shelf else None
        if item not in items:
            error = read.get(item) or NotFound(f"no inventory item {item}")
            assert isinstance(error, ConnectorError)
            answers.append(PushedLevel(level.listing, error=error))
        elif present == level.available:
            answers.append(PushedLevel(level.listing, present))
        elif None not in (level.expected, present) and level.expected != present:
            moved = Conflict("the quantity has changed", observed=present)
            answers.append(PushedLevel(level.listing, error=moved))
        else:
            wanted.append(level)
    return [*answers, *await _set(api, location, wanted, items)]


async def _set(
    api: RemoteApi,
    location: str,
    levels: Sequence[StockLevel],
    items: Mapping[str, Shelf | None],
) -> list[PushedLevel]:
    """Set all in one call; where it is refused, by halves, to find the bad one."""
    if not levels:
        return []
    try:
        # Absolute, and compared before: to repeat it at once is safe.
        path, body = "/admin/inventory-items/location-levels/batch", _batch(location, levels, items)
        await api.json_object("POST", path, json=body, repeat=True)
    except (Rejected, NotFound, Conflict) as refusal:
        if len(levels) == 1:
            return [PushedLevel(levels[0].listing, error=refusal)]
        half = len(levels) // 2
        first = await _set(api, location, levels[:half], items)
        return [*first, *await _set(api, location, levels[half:], items)]
    return [PushedLevel(level.listing, level.available) for level in levels]


def _batch(
    location: str, levels: Sequence[StockLevel], items: Mapping[str, Shelf | None]
) -> dict[str, Any]:
    """Build the batch. What is set is stocked: reserved pieces stay beside what is available."""
    batch: dict[str, Any] = {"create": [], "update": [], "delete": []}
    for level in levels:
        item = level.remote["inventory_item_id"]
        shelf = items[item]
        stocked = level.available + (shelf[1] if shelf else 0)
        entry = {"inventory_item_id": item, "location_id": location, "stocked_quantity": stocked}
        batch["update" if shelf else "create"].append(entry)
    return batch
