"""The running jobs with real connectors: a level goes out, an order comes in, a parcel is told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from connectors.amazon.simulator.server import AmazonSimulator
from connectors.bigcommerce.simulator import BigCommerceSimulator
from connectors.ebay.simulator import EbaySimulator
from connectors.lightspeed.simulator import LightspeedSimulator
from connectors.medusa.simulator import MedusaSimulator
from connectors.saleor.simulator import SaleorSimulator
from connectors.testing.serving import serve
from connectors.walmart.simulator.server import WalmartSimulator
from connectors.woocommerce.simulator.server import WooCommerceSimulator
from hub import orders
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from jobs import intake, poll, relay
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from world import World


@dataclass(frozen=True)
class Shop:
    """A twin, and its own words for what every shop does. `item` is what lists an article."""

    twin: Callable[[], Any]
    item: Callable[[Any], Any]
    sell: Callable[[Any, Any], str]
    shown: Callable[[Any, Any], int]


def amazon() -> AmazonSimulator:
    twin = AmazonSimulator()
    twin.past = timedelta(minutes=10)
    return twin


SHOPS = {
    "saleor": Shop(
        SaleorSimulator,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, item: twin.place_order({item: 1}),
        lambda twin, item: twin.quantity(item),
    ),
    "walmart": Shop(
        WalmartSimulator,
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
        WooCommerceSimulator,
        lambda twin: twin.add_product("CAM", 0),
        lambda twin, _: twin.place_order({"CAM": 1}),
        lambda twin, _: twin.quantity("CAM"),
    ),
    "lightspeed": Shop(
        LightspeedSimulator,
        lambda twin: twin.add_product("CAM", 0, ["SN-1"]),
        lambda twin, item: twin.sell(item, status="AWAITING_DISPATCH"),
        lambda twin, item: twin.quantity(item),
    ),
    "bigcommerce": Shop(
        BigCommerceSimulator,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, item: twin.place_order(item),
        lambda twin, item: twin.quantity(item),
    ),
    "ebay": Shop(
        EbaySimulator,
        lambda twin: twin.add_item("CAM", 0),
        lambda twin, _: twin.place_order({"CAM": 1}),
        lambda twin, _: twin.quantity("CAM"),
    ),
    "medusa": Shop(
        MedusaSimulator,
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
