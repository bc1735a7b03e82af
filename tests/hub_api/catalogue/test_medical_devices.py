"""Medical devices through the API: asked once, remembered, and honest about what nobody said."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api_client import Caller, Hub, play
from connectors.gudid.simulator import GudidSimulator
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from hub.access.keys import Scope
from world import World

ASK = """query($di: String!) { medicalDevice(identifier: $di) {
  identifier source isStale observedAt device { brand company bearsSerial bearsLot terms
    publishedOn } } }"""
GTIN = "887517567062"  # of twelve digits
DI = "00887517567062"


def with_registry(
    world: World, story: Callable[[Hub, Caller, GudidSimulator], Awaitable[None]]
) -> None:
    async def told(hub: Hub) -> None:
        twin = GudidSimulator()
        async with serve(twin.app) as url:
            world.channel("fda", "gudid", twin.settings(url))
            await story(hub, await hub.caller(Scope.SCANNER), twin)

    play(world, told)


async def ask(caller: Caller, identifier: str = DI) -> Any:
    return (await caller.ask(ASK, di=identifier))["medicalDevice"]


def test_a_device_is_looked_up_once_and_remembered(world: World) -> None:
    async def story(hub: Hub, caller: Caller, twin: GudidSimulator) -> None:
        twin.register(DI, "CoRoent")
        for identifier in (GTIN, f" {DI} ", DI):
            found = await ask(caller, identifier)
            assert found["identifier"] == DI
            assert found["device"] == {
                "brand": "CoRoent",
                "company": "Nuvasive, Inc.",
                "bearsSerial": False,
                "bearsLot": True,
                "terms": [],
                "publishedOn": "2015-10-24",
            }
            assert (found["source"], found["isStale"]) == ("fda", False)
        assert len(twin.calls) == 1
        world.pass_time(days=31)
        assert (await ask(caller))["isStale"] is True  # at once, and asked again meanwhile
        await hub.runtime.flights.settle()
        assert (await ask(caller))["isStale"] is False
        assert len(twin.calls) == 2

    with_registry(world, story)


def test_that_a_device_is_not_registered_is_an_answer_for_a_day(world: World) -> None:
    async def story(hub: Hub, caller: Caller, twin: GudidSimulator) -> None:
        for _ in range(2):
            found = await ask(caller)
            assert (found["identifier"], found["device"]) == (DI, None)
        assert len(twin.calls) == 1
        twin.register(DI, "CoRoent")
        world.pass_time(days=1)
        assert (await ask(caller))["device"]["brand"] == "CoRoent"

    with_registry(world, story)


def test_a_registry_that_fails_says_nothing_and_is_left_alone(world: World) -> None:
    async def story(hub: Hub, caller: Caller, twin: GudidSimulator) -> None:
        twin.register(DI, "CoRoent")
        twin.fail_next(Fault.SERVER_ERROR, times=3)
        assert await ask(caller) is None
        calls = len(twin.calls)
        assert await ask(caller) is None
        assert len(twin.calls) == calls
        world.pass_time(seconds=31)
        assert (await ask(caller))["device"]["brand"] == "CoRoent"

    with_registry(world, story)


def test_many_who_ask_at_once_are_one_question(world: World) -> None:
    async def story(hub: Hub, caller: Caller, twin: GudidSimulator) -> None:
        twin.register(DI, "CoRoent")
        found = await asyncio.gather(*(ask(caller) for _ in range(8)))
        assert {each["device"]["brand"] for each in found} == {"CoRoent"}
        assert len(twin.calls) == 1

    with_registry(world, story)


def test_without_a_registry_nobody_says_anything(world: World) -> None:
    async def story(hub: Hub) -> None:
        assert await ask(await hub.caller(Scope.OPS)) is None

    play(world, story)


@pytest.mark.parametrize(
    "identifier", ["", "12345", "00887517567063", "x" * 24, "A-B-C-D-E", "é" * 8]
)
def test_what_can_be_no_device_is_refused(world: World, identifier: str) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.SCANNER)
        refused = await caller.error(ASK, di=identifier)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "identifier")
        stranger = await hub.caller(Scope.STOREFRONT)
        assert (await stranger.error(ASK, di=DI))["code"] == "FORBIDDEN"

    play(world, story)
