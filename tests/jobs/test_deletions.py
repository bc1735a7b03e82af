"""Orders that a channel deletes: cancelled here once that is certain, and never by mistake."""

import asyncio

import pytest

from connectors import NotFound, Transient
from connectors.shopify.connector import Shopify
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.served import ServedSimulator
from connectors.woocommerce.mapping import order_refs
from hub.storage.sql import Row
from hub.sync import inbox
from jobs import intake
from jobs.runtime import Runtime
from recording import Calling, stage
from world import World


def hint(world: World, channel: Row, topic: str, delivery: str = "d1") -> None:
    message = inbox.Message(channel["id"], delivery, "webhook", topic, b"o-1")
    world.write(lambda tx: inbox.accept(tx, [message], world.now))


def work(runtime: Runtime) -> None:
    asyncio.run(intake.drain(runtime))


@pytest.fixture
def sold(world: World) -> tuple[Calling, Runtime, Row]:
    """A channel whose order has been taken in, and is gone there."""
    connector, runtime, channel = stage(world, Calling)
    world.receive("SN-1")
    world.accept(channel, world.order())
    assert world.unit("SN-1")["promised_to"] is not None
    return connector, runtime, channel


def state(world: World) -> tuple[str, bool, int]:
    """Return the order's state, whether its unit is promised, and the number of open cases."""
    return (
        world.value("SELECT state FROM sales_order"),
        world.unit("SN-1")["promised_to"] is not None,
        world.value("SELECT COUNT(*) FROM exception_case WHERE state <> 'resolved'"),
    )


def test_a_deletion_that_is_hinted_cancels_the_order_at_once(
    world: World, sold: tuple[Calling, Runtime, Row]
) -> None:
    _, runtime, channel = sold
    hint(world, channel, "orders/delete")
    work(runtime)
    assert state(world) == ("cancelled", False, 0)
    assert world.value("SELECT state FROM inbox") == "done"


def test_a_deletion_among_other_hints_is_seen(
    world: World, sold: tuple[Calling, Runtime, Row]
) -> None:
    _, runtime, channel = sold
    hint(world, channel, "orders/updated", "d1")
    hint(world, channel, "orders/delete", "d2")
    work(runtime)
    assert state(world) == ("cancelled", False, 0)


def test_an_order_that_is_hinted_as_deleted_and_still_there_is_read(
    world: World, sold: tuple[Calling, Runtime, Row]
) -> None:
    connector, runtime, channel = sold
    connector.orders["o-1"] = world.order()
    hint(world, channel, "orders/delete")
    work(runtime)
    assert state(world) == ("open", True, 0)


def test_an_order_that_stays_away_is_cancelled_once_the_channel_passes_its_check(
    world: World, sold: tuple[Calling, Runtime, Row]
) -> None:
    _, runtime, channel = sold
    hint(world, channel, "orders/updated")
    for _ in range(4):
        work(runtime)
        assert state(world) == ("open", True, 0)
        world.pass_time(hours=1)
    work(runtime)
    assert state(world) == ("cancelled", False, 0)


def test_a_shop_that_is_away_itself_cancels_nothing(
    world: World, sold: tuple[Calling, Runtime, Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, runtime, channel = sold

    async def away() -> None:
        raise NotFound("no such shop")

    monkeypatch.setattr(connector, "check", away)
    hint(world, channel, "orders/updated")
    for _ in range(6):
        work(runtime)
        world.pass_time(hours=1)
    assert state(world)[:2] == ("open", True)
    assert world.value("SELECT state FROM inbox") == "dead"


def test_a_check_that_fails_for_now_is_asked_again(
    world: World, sold: tuple[Calling, Runtime, Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, runtime, channel = sold
    failures = [Transient("wire")]

    async def check() -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(connector, "check", check)
    hint(world, channel, "orders/updated")
    for _ in range(5):
        work(runtime)
        assert state(world)[:2] == ("open", True)
        world.pass_time(hours=3)
    work(runtime)
    assert state(world)[:2] == ("cancelled", False)


def test_an_unknown_order_that_is_deleted_leaves_nothing(world: World) -> None:
    _, runtime, channel = stage(world, Calling)
    hint(world, channel, "orders/delete")
    work(runtime)
    assert world.value("SELECT COUNT(*) FROM sales_order") == 0
    assert world.value("SELECT state FROM inbox") == "done"


def test_woocommerce_and_shopify_name_what_they_delete() -> None:
    (deleted,) = order_refs("order.deleted", b'{"id": 7}')
    (updated,) = order_refs("order.updated", b'{"id": 7}')
    assert (deleted.order_ref, deleted.deleted, updated.deleted) == ("7", True, False)

    async def story(_: ShopifySimulator, shop: Shopify) -> None:
        (gone,) = shop.read("orders/delete", b'{"id": 820982911946154508}')
        assert gone.deleted
        assert gone.order_ref == "gid://shopify/Order/820982911946154508"

    ServedSimulator("shopify", ShopifySimulator).run(story)
