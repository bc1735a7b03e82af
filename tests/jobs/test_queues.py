"""Queues are emptied into the inbox; what was not stored is not acknowledged."""

import asyncio
from datetime import timedelta
from typing import Any

from connectors.amazon.simulator.server import AmazonSimulator
from connectors.testing.serving import serve
from jobs import intake, queues
from world import World


def play(world: World, story: Any, **more: Any) -> None:
    async def told() -> None:
        twin = AmazonSimulator(clock=lambda: world.now)
        async with serve(twin.app) as url:
            channel = world.channel(connector="amazon", settings=twin.settings(url, **more))
            runtime = world.runtime()
            await story(twin, channel, runtime)
            await runtime.connections.aclose()
            await twin.aclose()

    asyncio.run(told())


def test_a_notice_becomes_an_order_once(world: World) -> None:
    async def story(twin: AmazonSimulator, channel: Any, runtime: Any) -> None:
        twin.duplicate_webhooks = True
        twin.add_item("CAM", 40)
        world.list_product(channel, remote={"sku": "CAM"})
        world.receive("SN-1")
        for _ in range(12):
            twin.place_order({"CAM": 1})
        assert await queues.empty_all(runtime) == "12 new notices from 1 queues"
        assert twin.queue.messages == []
        assert await intake.drain(runtime) == 12
        assert world.value("SELECT COUNT(*) FROM sales_order") == 12
        assert world.value("SELECT COUNT(*) FROM inbox WHERE source = 'queue'") == 12
        assert await queues.empty_all(runtime) == "0 new notices from 1 queues"

    play(world, story)


def test_what_could_not_be_stored_comes_again(world: World, monkeypatch: Any) -> None:
    async def story(twin: AmazonSimulator, channel: Any, runtime: Any) -> None:
        twin.add_item("CAM", 5)
        twin.place_order({"CAM": 1})

        def fails(*_: Any) -> int:
            raise RuntimeError("the process died before the commit")

        with monkeypatch.context() as broken:
            broken.setattr(queues, "_store", fails)
            assert await queues.empty(runtime, channel) == 0
        assert len(twin.queue.messages) == 1
        assert await queues.empty(runtime, channel) == 0, "it is still hidden"
        world.now += timedelta(minutes=3)
        assert await queues.empty(runtime, channel) == 1
        assert twin.queue.messages == []

    play(world, story)


def test_what_was_stored_and_not_deleted_is_known_when_it_comes_again(
    world: World, monkeypatch: Any
) -> None:
    async def story(twin: AmazonSimulator, channel: Any, runtime: Any) -> None:
        twin.add_item("CAM", 5)
        twin.place_order({"CAM": 1})

        async def dies(_: Any) -> None:
            raise RuntimeError("the process died after the commit")

        with monkeypatch.context() as broken:
            broken.setattr(runtime.connections.of(channel), "acknowledge", dies)
            await queues.empty(runtime, channel)
        assert world.value("SELECT COUNT(*) FROM inbox") == 1
        world.now += timedelta(minutes=3)
        assert await queues.empty(runtime, channel) == 0
        assert twin.queue.messages == []
        assert world.value("SELECT COUNT(*) FROM inbox") == 1

    play(world, story)


def test_a_queue_that_lets_nobody_in_calls_a_person_and_the_channel_goes_on(world: World) -> None:
    async def story(twin: AmazonSimulator, channel: Any, runtime: Any) -> None:
        twin.queue.secret = "another"
        assert await queues.empty(runtime, channel) == 0
        assert world.value("SELECT state FROM channel") == "active"
        assert world.open_cases() == [("sync_failure", "queue")]
        twin.queue.secret = "twin-queue-secret-access-key"
        twin.add_item("CAM", 5)
        twin.place_order({"CAM": 1})
        assert await queues.empty(runtime, channel) == 1
        assert world.open_cases() == []

    play(world, story)
