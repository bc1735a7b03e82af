"""Refunds reach the channels that can pay back, over the wire, and come back among the returns."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors import RefundOrders
from connectors.registry import installed
from connectors.testing.scorecard import driver_of
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from connectors.testing.simulator_driver import PricedOrder
from hub.commands.work import Work
from hub.returns import refund_requests
from hub.returns.refund_requests import WantedLine
from hub.storage.sql import Row
from jobs import intake, poll, relay
from jobs.runtime import Runtime
from world import World

COSTS = tuple(
    PricedOrder(currency, unit_price="10.10", discount="0.00", tax="0.00", total="30.30")
    for currency in ("EUR", "USD")
)
PAYING = sorted(key for key, kind in installed().items() if issubclass(kind, RefundOrders))
Story = Callable[[Runtime, Row, Any, str], Awaitable[None]]


def test_these_channels_pay_back() -> None:
    assert PAYING == [
        "bigcommerce",
        "ebay",
        "medusa",
        "saleor",
        "shopify",
        "square",
        "vendure",
        "woocommerce",
    ]


def play(world: World, key: str, story: Story) -> None:
    """Sell three units in a channel and take the order in; then let a story go on."""
    driver = driver_of(key)(lambda: datetime.now(UTC))
    driver.list_article("CAM", 9)
    ref = next(filter(None, (driver.place_priced_order("CAM", cost) for cost in COSTS)))

    async def told() -> None:
        async with serve(driver.simulator.app) as url:
            channel = world.channel(connector=key, settings=dict(driver.settings(url)))
            runtime = world.runtime()
            assert await poll.poll(runtime, channel) == 1
            assert await intake.drain(runtime) == 1
            await story(runtime, channel, driver, ref)
            await runtime.connections.aclose()
            await driver.simulator.aclose()

    asyncio.run(told())


def ask(world: World, **more: Any) -> str:
    """Ask for a refund of one unit of the order's only line."""
    order = world.value("SELECT id FROM sales_order")
    line = WantedLine(line_id=world.value("SELECT id FROM order_line"), quantity=1)
    return world.write(
        lambda tx: refund_requests.request(
            Work(tx, world.context(), "refund"), order, reason="broken", lines=[line], **more
        )
    )


def state_of(world: World, refund_id: str) -> Row:
    (row,) = world.rows("SELECT * FROM refund_request WHERE id = :id", id=refund_id)
    return row


@pytest.mark.parametrize("key", PAYING)
def test_a_unit_is_paid_back_by_its_channel(world: World, key: str) -> None:
    async def story(runtime: Runtime, channel: Row, driver: Any, ref: str) -> None:
        refund = ask(world)
        await relay.drain(runtime, channel["id"])
        assert driver.paid_back(ref) == Decimal("10.10")
        row = state_of(world, refund)
        assert (row["state"], row["error"], row["amount"]) == ("paid", None, "10.10")
        assert row["refund_ref"]

    play(world, key, story)


@pytest.mark.parametrize("key", PAYING)
@pytest.mark.parametrize("lost", [Fault.LOST_ANSWER, Fault.SERVER_ERROR])
def test_it_is_paid_once_where_an_answer_is_lost(world: World, key: str, lost: Fault) -> None:
    async def story(runtime: Runtime, channel: Row, driver: Any, ref: str) -> None:
        refund = ask(world)
        driver.simulator.fail_next(lost, times=2, containing="efund")
        for _ in range(6):
            world.pass_time(minutes=30)
            await relay.drain(runtime, channel["id"])
        assert driver.paid_back(ref) == Decimal("10.10")
        assert state_of(world, refund)["state"] == "paid"

    play(world, key, story)


@pytest.mark.parametrize("key", PAYING)
def test_more_than_the_channel_has_left_is_a_case(world: World, key: str) -> None:
    async def story(runtime: Runtime, channel: Row, driver: Any, ref: str) -> None:
        first = ask(world, amount=Decimal("30.30"))
        await relay.drain(runtime, channel["id"])
        assert state_of(world, first)["state"] == "paid"
        # The hub is made to forget: the channel itself has nothing left.
        world.write(lambda tx: tx.run("DELETE FROM refund_request"))
        second = ask(world)
        await relay.drain(runtime, channel["id"])
        assert driver.paid_back(ref) == Decimal("30.30")
        assert state_of(world, second)["state"] == "refused"
        assert ("refund_refused", second) in world.open_cases()

    play(world, key, story)
