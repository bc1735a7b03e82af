"""eBay's inventory items: what is for sale, read and set in bulk."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from connectors.contract import PushedLevel
from connectors.ebay.mapping import ITEMS, first_error, list_field, shown_quantity
from connectors.errors import NotFound
from connectors.remote import RemoteApi
from connectors.unreadable import Unreadable
from hub.vocabulary import StockLevel

INVENTORY = "/sell/inventory/v1"


async def shown_quantities(
    api: RemoteApi, skus: Sequence[str]
) -> dict[str, int | Unreadable | None]:
    """Return what inventory items have for sale, by SKU."""
    body = {"requests": [{"sku": sku} for sku in dict.fromkeys(skus)]}
    path = f"{INVENTORY}/bulk_get_inventory_item"
    answer = await api.json_object("POST", path, json=body, repeat=True)
    return ITEMS.keyed(list_field(answer, "responses"), shown_quantity)


async def set_quantities(api: RemoteApi, levels: Sequence[StockLevel]) -> list[PushedLevel]:
    """Set quantities in one call; each item is answered for itself."""
    if not levels:
        return []
    body = {"requests": [_request(level) for level in levels]}
    path = f"{INVENTORY}/bulk_update_price_quantity"
    # Absolute, and compared before: to repeat it at once is safe.
    answer = await api.json_object("POST", path, json=body, repeat=True)
    by_sku: dict[str, list[Any]] = defaultdict(list)
    for each in list_field(answer, "responses"):
        by_sku[str(each.get("sku"))].append(each)
    results = []
    for level in levels:
        said = by_sku.get(level.remote["sku"])
        refusal = first_error(said) if said else NotFound("eBay says nothing of this SKU")
        shown = level.available if refusal is None else None
        results.append(PushedLevel(level.listing, shown, refusal))
    return results


def _request(level: StockLevel) -> dict[str, Any]:
    request: dict[str, Any] = {
        "sku": level.remote["sku"],
        "shipToLocationAvailability": {"quantity": level.available},
    }
    if level.remote.get("offer_id"):
        offer = {"offerId": level.remote["offer_id"], "availableQuantity": level.available}
        request["offers"] = [offer]
    return request
