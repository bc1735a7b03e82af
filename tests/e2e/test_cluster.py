"""Whatever dies or is cut under load: nothing is lost, nothing is sold, told or run twice."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from e2e.cluster import (
    Cluster,
    assert_channels_agree,
    assert_nothing_lost,
    assert_nothing_twice,
    cluster,
    is_ready,
    load,
    seed,
)
from e2e.private_postgres import PrivateServer, private_server

SOAK_SECONDS = float(os.environ.get("SERIAL_HUB_SOAK_SECONDS", "0"))


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    """A durable PostgreSQL of this test's own."""
    with private_server() as running:
        assert set(running.settings().values()) == {"on"}
        yield running


async def workers_are_killed(running: Cluster) -> None:
    for _ in range(2):
        await asyncio.sleep(running.chance.uniform(0.1, 0.4))
        await running.kill_one()
    await running.goes_on()


async def the_way_to_the_database_is_cut(running: Cluster) -> None:
    async with httpx.AsyncClient(base_url=running.api.url, timeout=10) as client:
        await running.to_database.cut()
        assert not await is_ready(client)
        await running.to_database.restore()
        await running.until(lambda: is_ready(client), "never ready again")
    await running.goes_on()


async def the_way_to_the_database_falls_silent(running: Cluster) -> None:
    async with httpx.AsyncClient(base_url=running.api.url, timeout=10) as client:
        running.to_database.silence()
        assert not await is_ready(client)
        if running.chance.random() < 0.5:
            running.to_database.reset()
        await running.to_database.restore()
        await running.until(lambda: is_ready(client), "never ready again")
    await running.goes_on()


async def the_database_restarts(running: Cluster) -> None:
    await asyncio.to_thread(running.server.restart)
    await running.goes_on()


async def the_ways_to_the_channels_are_cut(running: Cluster) -> None:
    for wire in (running.to_shop, running.to_till):
        wire.silence()
        await asyncio.sleep(running.chance.uniform(0.2, 0.5))
        await wire.cut()
        await asyncio.sleep(running.chance.uniform(0.2, 0.5))
        await wire.restore()
    await running.goes_on()


TROUBLES: tuple[Callable[[Cluster], Awaitable[None]], ...] = (
    workers_are_killed,
    the_way_to_the_database_is_cut,
    the_way_to_the_database_falls_silent,
    the_database_restarts,
    the_ways_to_the_channels_are_cut,
)


def test_whatever_dies_or_is_cut_nothing_is_lost_and_nothing_happens_twice(
    server: PrivateServer, tmp_path: Path
) -> None:
    async def story() -> None:
        async with cluster(server, tmp_path, seed()) as running:
            async with load(running):
                await running.goes_on()
                end = time.monotonic() + SOAK_SECONDS
                while True:
                    for trouble in running.chance.sample(TROUBLES, len(TROUBLES)):
                        began = time.monotonic()
                        await trouble(running)
                        print(f"{trouble.__name__}: {time.monotonic() - began:.1f} s")
                    if time.monotonic() >= end:
                        break
            print(await running.state(), running.codes_seen)
            await assert_nothing_lost(running)
            await assert_nothing_twice(running)
            await assert_channels_agree(running)

    asyncio.run(story())
