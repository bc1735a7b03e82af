"""Callers are remembered, and a key that ends is refused all the same."""

import asyncio

import pytest

from api_client import Hub, play
from hub.access import keys
from hub.access.keys import Scope
from hub.storage.database import open_database
from world import World

ASK = "{ units(first: 1) { nodes { id } } }"
SECONDS_MAX = 10


def newest(world: World) -> str:
    return str(world.value("SELECT id FROM api_key ORDER BY id DESC LIMIT 1"))


def test_a_key_that_was_used_is_refused_as_soon_as_it_is_revoked(world: World) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.OPS)
        for _ in range(3):
            await caller.ask(ASK)

        key_id = newest(world)
        await world.database.write(lambda tx: keys.revoke(tx, key_id, world.now))

        assert (await caller.post(ASK)).status_code == 401

    play(world, story)


def test_a_key_that_another_process_revokes_is_refused_soon(world: World) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.OPS)
        await caller.ask(ASK)

        other, key_id = open_database(world.database.url), newest(world)
        other.write_now(lambda tx: keys.revoke(tx, key_id, world.now))
        other.close()

        async with asyncio.timeout(SECONDS_MAX):
            while (await caller.post(ASK)).status_code != 401:
                await asyncio.sleep(0.01)

    play(world, story)


def test_a_caller_is_not_read_again_while_no_key_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.OPS)
        monkeypatch.setattr("hub_api.http.access.KEY_SECONDS", 60.0)
        for _ in range(20):  # on PostgreSQL until signals are heard
            await caller.ask(ASK)
            await asyncio.sleep(0.02)
        monkeypatch.setattr(keys, "caller_by_digest", None)

        await caller.ask(ASK)

    play(world, story)
