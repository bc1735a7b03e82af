"""Streams of events that go on where a client left, show fresh data, and end with their key."""

import asyncio
from typing import Any

import pytest

from api_client import Hub, play
from hub.access import keys
from hub.access.keys import Scope
from hub.lifecycle import Action
from hub_api.common import streams
from subscribing import listening, over_a_socket, server_sent
from world import World

FEED = """query($first: Int! = 100, $after: String, $sku: String, $location: String) {
  events(first: $first, after: $after, sku: $sku, location: $location) {
    nodes { action unit { serial } } endCursor hasNextPage } }"""
EVENTS = """subscription($after: String) { unitEvents(after: $after) {
  action unit { serial status history { action } } } }"""


def secret_of(world: World) -> str:
    return world.write(lambda tx: keys.create(tx, "screen", [Scope.SCANNER], world.now))[1]


def told(payload: Any) -> tuple[str, str]:
    event = payload["data"]["unitEvents"]
    return event["unit"]["serial"], event["action"]


def test_the_feed_is_read_page_by_page_in_the_order_of_commits(world: World) -> None:
    world.receive("SN-1")
    world.receive("SAW-1", sku="SAW", place="SHOP")
    world.do(Action.SELL, "SAW-1")

    async def story(hub: Hub) -> None:
        staff, shop = await hub.caller(Scope.SCANNER), await hub.caller(Scope.STOREFRONT)
        found: list[tuple[str, str]] = []
        after, more = None, True
        while more:
            page = (await staff.ask(FEED, first=2, after=after))["events"]
            assert len(page["nodes"]) <= 2
            found += [(each["unit"]["serial"], each["action"]) for each in page["nodes"]]
            after, more = page["endCursor"], page["hasNextPage"]
        assert found == [
            ("SN-1", "RECEIVE"),
            ("SN-1", "PUT_AWAY"),
            ("SAW-1", "RECEIVE"),
            ("SAW-1", "PUT_AWAY"),
            ("SAW-1", "SELL"),
        ]
        nothing = (await staff.ask(FEED, after=after))["events"]
        assert nothing == {"nodes": [], "endCursor": after, "hasNextPage": False}
        only = (await staff.ask(FEED, sku="SAW", location="SHOP"))["events"]["nodes"]
        assert [each["action"] for each in only] == ["RECEIVE", "PUT_AWAY"]
        for wrong in ("nonsense", "LTEuMA", "", "MS4", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5LjE"):
            assert (await staff.error(FEED, after=wrong))["field"] == "after"
        assert (await shop.error(FEED))["code"] == "FORBIDDEN"

    play(world, story)


def test_a_page_of_few_matches_ends_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_api.units.feed.READ_MAX", 3)
    monkeypatch.setattr("hub_api.units.feed.READS_MAX", 2)
    for number in range(10):
        world.receive(f"SN-{number}")
    world.receive("SAW-1", sku="SAW")

    async def story(hub: Hub) -> None:
        staff = await hub.caller(Scope.SCANNER)
        after, found, pages = None, 0, 0
        while True:
            page = (await staff.ask(FEED, after=after, sku="SAW"))["events"]
            after, found, pages = page["endCursor"], found + len(page["nodes"]), pages + 1
            if not page["hasNextPage"]:
                break
        assert (found, pages) == (2, 4)

    play(world, story)


def test_a_client_that_comes_back_misses_nothing(world: World) -> None:
    async def story(url: str) -> None:
        secret = secret_of(world)
        async with server_sent(url, secret, EVENTS, after="MC4w") as events:
            world.receive("SN-1")
            first, payload = await anext(events)
            assert told(payload) == ("SN-1", "RECEIVE")
            assert payload["extensions"]["cursor"] == first
        await asyncio.to_thread(world.receive, "SN-2")
        # By the header of server-sent events, and by the argument over a socket.
        async with server_sent(url, secret, EVENTS, last=first) as events:
            seen = [told((await anext(events))[1]) for _ in range(3)]
        assert seen == [("SN-1", "PUT_AWAY"), ("SN-2", "RECEIVE"), ("SN-2", "PUT_AWAY")]
        async with listening(url, secret) as listener:
            payload = {"query": EVENTS, "variables": {"after": first}}
            await listener.say(type="subscribe", id="1", payload=payload)
            message = await listener.hear()
            assert told(message["payload"]) == ("SN-1", "PUT_AWAY")
            assert message["payload"]["extensions"]["cursor"] != first

    over_a_socket(world, story)


def test_each_event_shows_what_holds_when_it_is_sent(world: World) -> None:
    async def story(url: str) -> None:
        async with server_sent(url, secret_of(world), EVENTS, after="MC4w") as events:
            await asyncio.to_thread(world.receive, "SN-1")
            shown = [(await anext(events))[1]["data"]["unitEvents"]["unit"] for _ in range(2)]
            await asyncio.to_thread(world.do, Action.MOVE, "SN-1", place="WH-A1")
            moved = (await anext(events))[1]["data"]["unitEvents"]["unit"]
        assert len(shown[0]["history"]) == 2
        assert [each["action"] for each in moved["history"]] == ["RECEIVE", "PUT_AWAY", "MOVE"]

    over_a_socket(world, story)


@pytest.mark.parametrize("is_busy", [True, False])
def test_a_stream_ends_when_its_key_is_revoked(
    world: World, monkeypatch: pytest.MonkeyPatch, is_busy: bool
) -> None:
    monkeypatch.setattr(streams, "RECHECK_SECONDS", 0.05)
    monkeypatch.setattr("hub_api.http.access.KEY_SECONDS", 0.05)
    key_id, secret = world.write(lambda tx: keys.create(tx, "x", [Scope.OPS], world.now))

    async def story(url: str) -> None:
        async with server_sent(url, secret, EVENTS, after="MC4w") as events:
            await asyncio.to_thread(world.receive, "SN-1")
            await anext(events)
            await anext(events)
            await asyncio.to_thread(world.write, lambda tx: keys.revoke(tx, key_id, world.now))
            await asyncio.sleep(0.2)
            if is_busy:
                await asyncio.to_thread(world.receive, "SN-2")
            _, last = await anext(events)
            assert last["data"] is None
            assert last["errors"][0]["extensions"]["code"] == "KEY_REVOKED"
            assert [each async for each in events] == []

    over_a_socket(world, story)
