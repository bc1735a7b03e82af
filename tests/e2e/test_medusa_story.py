"""The main job against a real Medusa server, from the shopper's cart to the healed difference."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.servers.medusa_server import FOLDER, MedusaServer, medusa_server, why_not
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

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


def test_a_shoppers_order_is_served_and_drift_is_healed(
    url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    package = json.loads((FOLDER / "node_modules/@medusajs/medusa/package.json").read_text())
    record_property("server", f"Medusa {package['version']}")
    record_property("story", SHOP_STORY)

    async def story() -> None:
        async with working_hub(url) as hub, second_channel() as (twin, twin_url):
            running = medusa_server(f"{hub.url}/webhooks/medusa", tmp_path)
            shop = await in_thread(running.__enter__)
            try:
                channels = {
                    "medusa": ("medusa", shop.settings()),
                    "shopify": ("shopify", twin.settings(twin_url)),
                }
                await set_up(hub.api, channels)
                assert await in_thread(shop.shown) == twin.quantity("CAM-X1") == 5
                remote_id = await in_thread(shop.place_order, 2)
                units = await order_of_two(hub.api, "medusa")
                assert await in_thread(shop.shown) == twin.quantity("CAM-X1") == 3
                await ship(hub.api, units)
                await in_thread(the_shop_shows_the_serials, shop, remote_id)
                assert (await open_order(hub.api))["state"] == "FULFILLED"
                await in_thread(shop.edit_stock, 77)
                await heals_a_foreign_edit(hub.api, "medusa", ours=3, theirs=77)
                assert await in_thread(shop.shown) == 3
            finally:
                await in_thread(running.__exit__, None, None, None)

    asyncio.run(story())


def the_shop_shows_the_serials(shop: MedusaServer, remote_id: str) -> None:
    fields = "*fulfillments,*fulfillments.labels,*items,*items.detail"
    order = shop.admin("GET", f"/orders/{remote_id}?fields={fields}")["order"]
    (fulfillment,) = order["fulfillments"]
    (line,) = order["items"]
    assert fulfillment["metadata"]["serials"] == {line["id"]: ["SN-0001", "SN-0002"]}
    assert fulfillment["labels"][0]["tracking_number"] == "1Z999"
    assert line["detail"]["shipped_quantity"] == 2
