"""unitEvents over a real WebSocket: in the order of the commits, and nothing is skipped."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

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
from subscribing import SECONDS_MAX, begun, listening, over_a_socket, socket_to, told
from world import World

WRITERS = 8
UNITS_EACH = 12


def secret_of(world: World, scope: Scope = Scope.SCANNER) -> str:
    return world.write(lambda tx: keys.create(tx, "screen", [scope], world.now))[1]


def arrive(tx: Transaction, world: World, serial: str, place: str = "WH") -> list[Verdict]:
    return receiving.receive(
        Work(tx, world.context(), new_id()),
        [Arrival(serial=serial, product="CAM")],
        catalogue.location(tx, place),
        put_away=True,
    )


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


def happen(world: World) -> None:
    world.receive("CAM-1", sku="CAM", place="WH")
    world.receive("SAW-1", sku="SAW", place="SHOP")
    world.do(Action.MOVE, "CAM-1", place="WH-A1")
    world.do(Action.SELL, "SAW-1")


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
                results = arrive(tx, world, "SLOW-1")
                loop.call_soon_threadsafe(started.set)
                asyncio.run_coroutine_threadsafe(may_commit.wait(), loop).result(SECONDS_MAX)
                return results

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
