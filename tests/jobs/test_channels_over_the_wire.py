"""The running jobs with real connectors: a level goes out, an order comes in, a parcel is told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from connectors.amazon.simulator.server import AmazonTwin
from connectors.bigcommerce.simulator import BigCommerceTwin
from connectors.ebay.simulator import EbayTwin
from connectors.lightspeed.simulator import LightspeedTwin
from connectors.medusa.simulator import MedusaTwin
from connectors.saleor.simulator import SaleorTwin
from connectors.testing.serving import serve
from connectors.walmart.simulator.server import WalmartTwin
from connectors.woocommerce.simulator.server import WooCommerceTwin
from hub import orders
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from jobs import intake, poll, reconcile, relay
from jobs.reconcile import RunOptions
from world import World


@dataclass(frozen=True)
class Shop:
    """A twin, and its own words for what every shop does. `item` is what lists an article."""

    twin: Callable[[], Any]
    item: Callable[[Any], Any]
    sell: Callable[[Any, Any], str]
    shown: Callable[[Any, Any], int]


def amazon() -> AmazonTwin:
    twin = AmazonTwin()
    twin.past = timedelta(minutes=10)
    return twin


SHOPS = {
    "saleor": Shop(
        SaleorTwin,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, item: twin.place_order({item: 1}),
        lambda twin, item: twin.quantity(item),
    ),
    "walmart": Shop(
        WalmartTwin,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, _: twin.place_order({"CAM": 1}),
        lambda twin, _: twin.quantity("CAM"),
    ),
    "amazon": Shop(
        amazon,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, _: twin.place_order({"CAM": 1}),
        lambda twin, _: twin.quantity("CAM"),
    ),
    "woocommerce": Shop(
        WooCommerceTwin,
        lambda twin: twin.add_product("CAM", 0),
        lambda twin, _: twin.place_order({"CAM": 1}),
        lambda twin, _: twin.quantity("CAM"),
    ),
    "lightspeed": Shop(
        LightspeedTwin,
        lambda twin: twin.add_product("CAM", 0, ["SN-1"]),
        lambda twin, item: twin.sell(item, status="AWAITING_DISPATCH"),
        lambda twin, item: twin.quantity(item),
    ),
    "bigcommerce": Shop(
        BigCommerceTwin,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, item: twin.place_order(item),
        lambda twin, item: twin.quantity(item),
    ),
    "ebay": Shop(
        EbayTwin,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, _: twin.place_order({"CAM": 1}),
        lambda twin, _: twin.quantity("CAM"),
    ),
    "medusa": Shop(
        MedusaTwin,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, _: twin.place_order({"CAM": 1}),
        lambda twin, _: twin.quantity("CAM"),
    ),
}


@pytest.mark.parametrize("name", SHOPS)
def test_a_shop_is_kept_in_step_from_receipt_to_parcel(world: World, name: str) -> None:
    shop = SHOPS[name]
    twin = shop.twin()
    item = shop.item(twin)

    async def story() -> None:
        async with serve(twin.app) as url:
            channel = world.channel(connector=name, settings=twin.settings(url))
            runtime = world.runtime()
            connector: Any = runtime.connections.of(channel)
            (seen,) = [each async for each in connector.snapshot_stock()]
            world.list_product(channel, remote=dict(seen.remote))
            world.receive("SN-1")
            await relay.drain(runtime, channel["id"])
            assert shop.shown(twin, item) == 1
            ref = shop.sell(twin, item)
            assert await poll.poll(runtime, channel) == 1
            assert await intake.drain(runtime) == 1
            world.do(Action.PICK, "SN-1")
            parcel = Shipment("UPS", "1Z999")
            world.write(
                lambda tx: orders.ship(Work(tx, world.context(), "c-1"), [Scan("SN-1")], parcel)
            )
            await relay.drain(runtime, channel["id"])
            order = await connector.read_order(ref)
            assert [line.fulfilled for line in order.lines] == [1]
            assert world.value("SELECT COUNT(*) FROM exception_case") == 0
            await reconcile.reconcile(runtime, channel, RunOptions(trigger="test"), None)
            assert {row["state"] for row in world.rows("SELECT * FROM reconciliation_run")} == {
                "finished"
            }
            assert shop.shown(twin, item) == 0
            await runtime.connections.aclose()
            await twin.aclose()

    asyncio.run(story())
