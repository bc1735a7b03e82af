"""The main job against a real shop server, from the shopper's click to the healed difference."""

import asyncio
import json
from collections.abc import Callable

import pytest

from e2e.servers.vendure_server import FOLDER, VendureServer, vendure_server, why_not
from e2e.story import (
    SHOP_STORY,
    heals_a_foreign_edit,
    in_thread,
    open_order,
    order_of_two,
    second_channel,
    set_up,
    ship,
    working_hub,
)

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

FULFILLMENTS = """query($id: ID!) { order(id: $id) { state fulfillments { state trackingCode
  customFields { serials } } } }"""
STOCK = """{ productVariants(options: {filter: {sku: {eq: "CAM-X1"}}}) { items { id
  stockLevels { stockOnHand stockAllocated stockLocation { id } } } } }"""
SET_STOCK = """mutation($i: [UpdateProductVariantInput!]!) { updateProductVariants(input: $i) {
  id } }"""


def shown_by(shop: VendureServer) -> int:
    (variant,) = shop.as_admin(STOCK)["productVariants"]["items"]
    (level,) = variant["stockLevels"]
    return int(level["stockOnHand"]) - int(level["stockAllocated"])


def edit_stock(shop: VendureServer, on_hand: int) -> None:
    (variant,) = shop.as_admin(STOCK)["productVariants"]["items"]
    location = variant["stockLevels"][0]["stockLocation"]["id"]
    change = {"stockLocationId": location, "stockOnHand": on_hand}
    shop.as_admin(SET_STOCK, i=[{"id": variant["id"], "stockLevels": [change]}])


def test_a_shoppers_order_is_served_and_drift_is_healed(
    url: str, record_property: Callable[[str, object], None]
) -> None:
    package = json.loads((FOLDER / "node_modules/@vendure/core/package.json").read_text())
    record_property("server", f"Vendure {package['version']}")
    record_property("story", SHOP_STORY)

    async def story() -> None:
        async with working_hub(url) as hub, second_channel() as (twin, twin_url):
            with vendure_server(f"{hub.url}/webhooks/vendure", "CAM-X1:0") as shop:
                channels = {
                    "vendure": ("vendure", shop.settings()),
                    "shopify": ("shopify", twin.settings(twin_url)),
                }
                await set_up(hub.api, channels)
                assert await in_thread(shown_by, shop) == twin.quantity("CAM-X1") == 5
                remote_id = await in_thread(shop.shopper.place_order, "CAM-X1", 2)
                units = await order_of_two(hub.api, "vendure")
                assert await in_thread(shown_by, shop) == twin.quantity("CAM-X1") == 3
                await ship(hub.api, units)
                await in_thread(the_shop_shows_the_serials, shop, remote_id)
                assert (await open_order(hub.api))["state"] == "FULFILLED"
                await in_thread(edit_stock, shop, 77)
                await heals_a_foreign_edit(hub.api, "vendure", ours=3, theirs=77)
                assert await in_thread(shown_by, shop) == 3

    asyncio.run(story())


def the_shop_shows_the_serials(shop: VendureServer, remote_id: str) -> None:
    seen = shop.as_admin(FULFILLMENTS, id=remote_id)
    (fulfillment,) = seen["order"]["fulfillments"]
    assert (fulfillment["state"], fulfillment["trackingCode"]) == ("Shipped", "1Z999")
    assert sorted(fulfillment["customFields"]["serials"]) == ["SN-0001", "SN-0002"]
