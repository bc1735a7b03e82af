"""What an order costs reaches the hub as the channel wrote it, to the last digit."""

import asyncio
from datetime import UTC, datetime

import pytest

from connectors.testing.scorecard import driver_of
from connectors.testing.serving import serve
from connectors.testing.simulator_driver import PricedOrder
from hub.vocabulary import LineKind
from jobs import intake, poll
from world import World

COST = PricedOrder("KWD", unit_price="0.115", discount="0.006", tax="0.017", total="0.356")
CHANNELS = (
    "bigcommerce",
    "ebay",
    "lightspeed",
    "medusa",
    "saleor",
    "shopify",
    "square",
    "vendure",
    "walmart",
    "woocommerce",
)


@pytest.mark.parametrize("key", CHANNELS)
def test_an_order_costs_in_the_hub_what_it_costs_in_the_channel(world: World, key: str) -> None:
    driver = driver_of(key)(lambda: datetime.now(UTC))
    driver.list_article("CAM", 9)
    ref = driver.place_priced_order("CAM", COST)

    async def story() -> None:
        async with serve(driver.simulator.app) as url:
            channel = world.channel(connector=key, settings=dict(driver.settings(url)))
            runtime = world.runtime()
            assert await poll.poll(runtime, channel) == 1
            assert await intake.drain(runtime) == 1
            await runtime.connections.aclose()
            await driver.simulator.aclose()

    asyncio.run(story())
    (order,) = world.rows("SELECT * FROM sales_order")
    (line,) = world.rows("SELECT * FROM order_line")
    assert (order["ref"], order["currency"]) == (ref, "KWD")
    stored = [order["total"], order["discount"], order["tax"]]
    stored += [line["unit_price"], line["discount"], line["tax"]]
    wanted = (COST.total, COST.discount, COST.tax, COST.unit_price, COST.discount, COST.tax)
    assert [each.rstrip("0") for each in stored] == [each.rstrip("0") for each in wanted]


@pytest.mark.parametrize("key", ["shopify", "square", "medusa"])
def test_a_gift_card_beside_goods_takes_no_unit_and_opens_no_case(world: World, key: str) -> None:
    driver = driver_of(key)(lambda: datetime.now(UTC))
    remote = driver.list_article("CAM", 9)
    driver.place_order_beside("CAM", LineKind.GIFT_CARD)

    async def story() -> None:
        async with serve(driver.simulator.app) as url:
            channel = world.channel(connector=key, settings=dict(driver.settings(url)))
            world.list_product(channel, remote=dict(remote))
            world.receive("SN-1")
            runtime = world.runtime()
            assert await poll.poll(runtime, channel) == 1
            assert await intake.drain(runtime) == 1
            await runtime.connections.aclose()
            await driver.simulator.aclose()

    asyncio.run(story())
    kinds = sorted(row["kind"] for row in world.rows("SELECT kind FROM order_line"))
    assert kinds == ["gift_card", "goods"]
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
