"""Set quantities of a BigCommerce location: read, compare, one absolute adjustment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.bigcommerce.mapping import ITEMS
from connectors.contract import PushedLevel
from connectors.errors import Conflict, NotFound, Rejected, Unknown
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import child, whole
from connectors.unreadable import Unreadable
from hub.vocabulary import StockLevel

ITEMS_PER_PAGE = 250
TRACKED_BY_PRODUCT = "tracked by product"


async def items(api: RemoteApi, location: int, page: int, **where: Any) -> tuple[list[Any], bool]:
    """Read one page of what a location holds, and whether there is another."""
    params = {"page": page, "limit": ITEMS_PER_PAGE, **where}
    answer = await api.json_object(
        "GET", f"/v3/inventory/locations/{location}/items", params=params
    )
    found = answer.get("data")
    if not isinstance(found, list):
        raise Unknown("the answer holds no items")
    pages = ((answer.get("meta") or {}).get("pagination") or {}).get("total_pages") or 1
    return found, page < int(pages)


async def push_levels(
    api: RemoteApi, location: int, levels: Sequence[StockLevel]
) -> list[PushedLevel]:
    """Compare with what is shown, and adjust what differs."""
    able = [level for level in levels if level.remote["variant_id"].isdecimal()]
    answers = [
        PushedLevel(level.listing, error=NotFound("variant_id is no id of a variant"))
        for level in levels
        if level not in able
    ]
    shown = await _shown(api, location, [level.remote["variant_id"] for level in able])
    wanted = list[StockLevel]()
    for level in able:
        item = shown.get(level.remote["variant_id"])
        if isinstance(item, Unreadable):
            answers.append(PushedLevel(level.listing, error=item))
        elif item is None:
            error = NotFound(f"the location has no variant {level.remote['variant_id']}")
            answers.append(PushedLevel(level.listing, error=error))
        elif item.available == level.available:
            answers.append(PushedLevel(level.listing, item.available))
        elif level.expected not in (None, item.available):
            moved = Conflict("the quantity has changed", observed=item.available)
            answers.append(PushedLevel(level.listing, error=moved))
        else:
            wanted.append(level)
    shelves = {ref: item for ref, item in shown.items() if isinstance(item, Shelf)}
    return [*answers, *await _adjust(api, location, wanted, shelves)]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a location holds of one variant."""

    variant_id: int
    product_id: int
    available: int
    safety: int  # on hand, and not for sale


def _shelf(item: Mapping[str, Any]) -> tuple[str, Shelf]:
    named = child(item, "identity", required=True)
    safety = whole(child(item, "settings"), "safety_stock", 0)
    available = whole(item, "available_to_sell", 0)
    ids = whole(named, "variant_id"), whole(named, "product_id")
    return str(ids[0]), Shelf(*ids, available, safety)


async def _shown(
    api: RemoteApi, location: int, ids: Sequence[str]
) -> dict[str, Shelf | Unreadable]:
    shown: dict[str, Shelf | Unreadable] = {}
    for start in range(0, len(ids), ITEMS_PER_PAGE):
        asked = {"variant_id:in": ",".join(ids[start : start + ITEMS_PER_PAGE])}
        found, _ = await items(api, location, 1, **asked)
        shown |= ITEMS.keyed(found, _shelf)
    return shown


async def _adjust(
    api: RemoteApi,
    location: int,
    levels: Sequence[StockLevel],
    shown: Mapping[str, Shelf],
    by_product: bool = False,
) -> list[PushedLevel]:
    """Set all in one call; where it is refused, by halves, to find the bad one."""
    if not levels:
        return []
    wanted = [_item(location, level, shown, by_product) for level in levels]
    body = {"reason": f"Serial Hub {levels[0].key}"[:255], "items": wanted}
    try:
        # Absolute, and compared before: to repeat it at once is safe.
        await api.json_object("PUT", "/v3/inventory/adjustments/absolute", json=body)
    except (Rejected, NotFound, Conflict) as refusal:
        if len(levels) > 1:
            half = len(levels) // 2
            first = await _adjust(api, location, levels[:half], shown)
            return [*first, *await _adjust(api, location, levels[half:], shown)]
        if TRACKED_BY_PRODUCT in str(refusal) and not by_product:
            return await _adjust(api, location, levels, shown, by_product=True)
        return [PushedLevel(levels[0].listing, error=refusal)]
    return [PushedLevel(level.listing, level.available) for level in levels]


def _item(
    location: int, level: StockLevel, shown: Mapping[str, Shelf], by_product: bool
) -> dict[str, int]:
    """Build one adjustment. What is set is on hand; the safety stock is not for sale."""
    item = shown[level.remote["variant_id"]]
    own = {"product_id": item.product_id} if by_product else {"variant_id": item.variant_id}
    return {"location_id": location, **own, "quantity": level.available + item.safety}
