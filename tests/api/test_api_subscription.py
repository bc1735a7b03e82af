"""unitEvents over a real WebSocket: in the order of the commits, and nothing is skipped."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from api.api_client import Hub, play
from connectors.testing.serving import serve
from hub import catalogue, ledger
from hub.access import keys
from hub.access.keys import Scope
from hub.clock import new_id
from hub.commands.work import Work
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Transaction
from world import World

SECONDS_MAX = 20.0
QUIET_SECONDS = 1.5  # longer than the subscription sleeps between two looks
EVENTS = """subscription($sku: String, $location: String) {
  unitEvents(sku: $sku, location: $location) { id version action location unit { serial } } }"""
Event = dict[str, Any]
WRITERS = 8
UNITS_EACH = 12


class Listener:
    """One client of graphql-transport-ws with one subscription."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> Any:
        async with asyncio.timeout(SECONDS_MAX):
            message = await self.socket.recv()
        assert isinstance(message, str)  # text frames: browsers read no binary ones
        return json.loads(message)

    async def introduce(self, secret: str) -> None:
        payload = {"authorization": f"Bearer {secret}"}
        await self.say(type="connection_init", payload=payload)

    async def refusal(self) -> str:
        """Hear that the subscription is refused, before it began or at once, and return why."""
        message = await self.hear()
        payload = message["payload"]
        if message["type"] == "next":
            assert payload["data"] is None
            payload = payload["errors"]
            assert (await self.hear())["type"] == "complete"
        return str(payload[0]["extensions"]["code"])

    async def subscribe(self, **variables: Any) -> None:
        payload = {"query": EVENTS, "variables": variables}
        await self.say(type="subscribe", id="1", payload=payload)

    async def events(self, count: int) -> list[Event]:
        """Hear so many events."""
        return [await self.event() for _ in range(count)]

    async def event(self) -> Event:
        message = await self.hear()
        assert (message["type"], message["id"]) == ("next", "1"), message
        assert "errors" not in message["payload"], message
        event: Event = message["payload"]["data"]["unitEvents"]
        return event

    async def is_quiet(self) -> bool:
        """Say whether nothing more comes."""
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self.socket.recv()
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def socket_to(url: str) -> AsyncIterator[Listener]:
    """Open a socket."""
    address = url.replace("http://", "ws://") + "/graphql"
    protocol = Subprotocol("graphql-transport-ws")
    async with connect(address, subprotocols=[protocol]) as socket:
        assert socket.subprotocol == protocol
        yield Listener(socket)


@asynccontextmanager
async def listening(url: str, secret: str) -> AsyncIterator[Listener]:
    """Connect, introduce oneself, and be let in."""
    async with socket_to(url) as listener:
        await listener.introduce(secret)
        assert (await listener.hear())["type"] == "connection_ack"
        yield listener


def secret_of(world: World, scope: Scope = Scope.SCANNER) -> str:
    return world.write(lambda tx: keys.create(tx, "screen", [scope], world.now))[1]


def arrive(tx: Transaction, world: World, serial: str, place: str = "WH") -> list[Verdict]:
    return receiving.receive(
        Work(tx, world.context(), new_id()),
        [Arrival(serial=serial, product="CAM")],
        catalogue.location(tx, place),
        put_away=True,
    )


def over_a_socket(world: World, story: Callable[[str], Awaitable[None]]) -> None:
    """Serve the application with its sockets while a story lasts."""

    async def told(hub: Hub) -> None:
        async with serve(hub.app, lifespan="on") as url:
            await story(url)

    play(world, told)


def committed(world: World) -> list[tuple[str, str]]:
    """Return the events of the ledger in the order in which they were committed."""
    rows = world.rows("SELECT id, unit_id FROM event ORDER BY transaction_id, seq")
    return [(row["id"], row["unit_id"]) for row in rows]


def test_events_arrive_as_they_are_committed_and_as_far_as_they_are_asked_for(
    world: World,
) -> None:
    world.receive("OLD-1")

    async def story(url: str) -> None:
        secret = secret_of(world)
        async with (
            listening(url, secret) as everything,
            listening(url, secret) as saws,
            listening(url, secret) as shop,
        ):
            await everything.subscribe()
            await saws.subscribe(sku="SAW")
            await shop.subscribe(location="SHOP")
            await begun(world, [everything, saws, shop])
            await asyncio.to_thread(happen, world)
            assert told(await everything.events(6)) == [
                ("CAM-1", "RECEIVE"),
                ("CAM-1", "PUT_AWAY"),
                ("SAW-1", "RECEIVE"),
                ("SAW-1", "PUT_AWAY"),
                ("CAM-1", "MOVE"),
                ("SAW-1", "SELL"),
            ]
            assert told(await saws.events(3)) == [
                ("SAW-1", "RECEIVE"),
                ("SAW-1", "PUT_AWAY"),
                ("SAW-1", "SELL"),
            ]
            assert told(await shop.events(2)) == [("SAW-1", "RECEIVE"), ("SAW-1", "PUT_AWAY")]
            quiet = await asyncio.gather(*(each.is_quiet() for each in (everything, saws, shop)))
            assert quiet == [True] * 3

    over_a_socket(world, story)


def told(events: list[Event]) -> list[tuple[str, str]]:
    return [(event["unit"]["serial"], event["action"]) for event in events]


def happen(world: World) -> None:
    world.receive("CAM-1", sku="CAM", place="WH")
    world.receive("SAW-1", sku="SAW", place="SHOP")
    world.do(Action.MOVE, "CAM-1", place="WH-A1")
    world.do(Action.SELL, "SAW-1")


async def begun(world: World, listeners: list[Listener]) -> None:
    """Wait until every subscription stands: until each has heard of a unit that it asks for."""
    waiting = dict.fromkeys(listeners)
    number = 0
    while waiting:
        number += 1
        await asyncio.to_thread(world.receive, f"BEGIN-{number}", sku="SAW", place="SHOP")
        for listener in list(waiting):
            try:
                async with asyncio.timeout(0.3):
                    await listener.event()
            except TimeoutError:
                continue
            del waiting[listener]
        assert number < 50
    for listener in listeners:
        last = (f"BEGIN-{number}", "PUT_AWAY")
        while told([await listener.event()]) != [last]:
            pass


def test_nothing_is_skipped_while_eight_writers_commit_at_once(world: World) -> None:
    async def story(url: str) -> None:
        async with listening(url, secret_of(world)) as listener:
            await listener.subscribe()
            await begun(world, [listener])
            before = len(committed(world))
            serials = [f"W{number}" for number in range(WRITERS * UNITS_EACH)]
            await asyncio.gather(*(written(world, serial) for serial in serials))
            after = committed(world)[before:]
            assert len(after) == 3 * len(serials)
            heard = await listener.events(len(after))
            assert [event["id"] for event in heard] == [event_id for event_id, _ in after]
            assert await listener.is_quiet()

    over_a_socket(world, story)


async def written(world: World, serial: str) -> None:
    """Receive and sell one unit, in two transactions among many."""
    await world.database.write(lambda tx: arrive(tx, world, serial))
    sale = UnitCommand(action=Action.SELL)
    (verdict,) = await world.database.write(
        lambda tx: ledger.record(Work(tx, world.context(), new_id()), sale, [Scan(serial)])
    )
    assert verdict.accepted


def test_a_transaction_that_commits_late_is_heard_in_its_place(world: World, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has one writer: no transaction is open beside another")

    async def story(url: str) -> None:
        async with listening(url, secret_of(world)) as listener:
            await listener.subscribe()
            await begun(world, [listener])
            started, may_commit = asyncio.Event(), asyncio.Event()
            loop = asyncio.get_running_loop()

            def slow(tx: Transaction) -> list[Verdict]:
                verdicts = arrive(tx, world, "SLOW-1")
                loop.call_soon_threadsafe(started.set)
                asyncio.run_coroutine_threadsafe(may_commit.wait(), loop).result(SECONDS_MAX)
                return verdicts

            late = asyncio.create_task(world.database.write(slow))
            await started.wait()
            await world.database.write(lambda tx: arrive(tx, world, "FAST-1"))
            # Told now, FAST-1 would stand before what began earlier, and SLOW-1 would be passed.
            assert await listener.is_quiet()
            may_commit.set()
            await late
            serials = [event["unit"]["serial"] for event in await listener.events(4)]
            assert serials == ["SLOW-1", "SLOW-1", "FAST-1", "FAST-1"]

    over_a_socket(world, story)


@pytest.mark.parametrize("secret", ["shk_nobody", ""])
def test_a_wrong_key_is_not_let_in(world: World, secret: str) -> None:
    async def story(url: str) -> None:
        async with socket_to(url) as listener:
            await listener.introduce(secret)
            with pytest.raises(ConnectionClosed):
                await listener.hear()
            assert listener.socket.close_code == 4403

    over_a_socket(world, story)


def test_a_key_that_was_revoked_hears_nothing_more(world: World) -> None:
    key_id, secret = world.write(lambda tx: keys.create(tx, "x", [Scope.OPS], world.now))

    async def story(url: str) -> None:
        async with listening(url, secret) as listener:
            world.write(lambda tx: keys.revoke(tx, key_id, world.now))
            await listener.subscribe()
            assert await listener.refusal() == "UNAUTHENTICATED"

    over_a_socket(world, story)


def test_a_storefront_hears_nothing_of_the_house(world: World) -> None:
    async def story(url: str) -> None:
        async with listening(url, secret_of(world, Scope.STOREFRONT)) as listener:
            await listener.subscribe()
            assert await listener.refusal() == "FORBIDDEN"
            world.receive("SN-1")
            assert await listener.is_quiet()

    over_a_socket(world, story)
