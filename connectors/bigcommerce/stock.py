"""Set quantities of a BigCommerce location: read, compare, one absolute adjustment."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import PushedLevel
from connectors.errors import Conflict, NotFound, Rejected, Unknown
from connectors.remote import RemoteApi
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
        if item is None:
            error = NotFound(f"the location has no variant {level.remote['variant_id']}")
            answers.append(PushedLevel(level.listing, error=error))
        elif (present := int(item.get("available_to_sell") or 0)) == level.available:
            answers.append(PushedLevel(level.listing, present))
        elif level.expected not in (None, present):
            moved = Conflict("the quantity has changed", observed=present)
            answers.append(PushedLevel(level.listing, error=moved))
        else:
            wanted.append(level)
    return [*answers, *await _adjust(api, location, wanted, shown)]


async def _shown(api: RemoteApi, location: int, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    shown: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(ids), ITEMS_PER_PAGE):
        asked = {"variant_id:in": ",".join(ids[start : start + ITEMS_PER_PAGE])}
        found, _ = await items(api, location, 1, **asked)
        shown |= {str(each["identity"]["variant_id"]): each for each in found}
    return shown


async def _adjust(
    api: RemoteApi,
    location: int,
    levels: Sequence[StockLevel],
    shown: Mapping[str, Mapping[str, Any]],
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
    location: int, level: StockLevel, shown: Mapping[str, Mapping[str, Any]], by_product: bool
) -> dict[str, int]:
    """Build one adjustment. What is set is on hand; the safety stock is not for sale."""
    item = shown[level.remote["variant_id"]]
    safety = int((item.get("settings") or {}).get("safety_stock") or 0)
    name = "product_id" if by_product else "variant_id"
    at = {"location_id": location, name: int(item["identity"][name])}
    return {**at, "quantity": level.available + safety}
