"""The relay: what changed is told, in order, at least once, and no failure stops the rest."""

import asyncio

import pytest

from connectors import AuthFailed, Conflict, NotFound, RateLimited, Rejected, Transient, Unknown
from hub import orders
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.sync import channels, outbox
from hub.vocabulary import OrderLine
from jobs import relay
from jobs.recovery import ATTEMPTS_MAX, decide
from jobs.runtime import Runtime
from recording import Recording, stage
from world import World


def told(runtime: Runtime, channel_id: str) -> int:
    return asyncio.run(relay.drain(runtime, channel_id))


def level(world: World) -> dict[str, object]:
    return world.rows("SELECT * FROM listing_level")[0]


def sell_and_ship(world: World, channel: dict[str, object], serial: str, ref: str = "o-1") -> None:
    world.accept(channel, world.order(ref))
    world.do(Action.PICK, serial)
    world.write(
        lambda tx: orders.ship(
            Work(tx, world.context(), f"c-{ref}"), [Scan(serial)], Shipment("UPS", "1Z")
        )
    )


def test_many_changes_of_a_product_are_one_push_of_todays_truth(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive(*[f"SN-{number}" for number in range(10)])
    world.do(Action.ALLOCATE, "SN-1")
    world.do(Action.HOLD, "SN-2", hold_kind="quality")
    assert told(runtime, channel["id"]) == 1
    assert connector.shown == {"CAM": 8}
    assert len(connector.pushes) == 1
    assert told(runtime, channel["id"]) == 0


def test_moves_between_bins_tell_nobody_anything_new(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1", put_away=False)
    told(runtime, channel["id"])
    world.do(Action.PUT_AWAY, "SN-1", place="WH-A1")
    told(runtime, channel["id"])
    assert [push.available for push in connector.pushes] == [0, 1]


def test_the_key_comes_from_the_observation_never_from_the_value(world: World) -> None:
    """Writing the same value again after a foreign edit must be a new request (P9)."""
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    told(runtime, channel["id"])
    connector.shown["CAM"] = 9
    world.do(Action.HOLD, "SN-1", hold_kind="quality")
    world.do(Action.UNBLOCK, "SN-1", hold_kind="quality")
    told(runtime, channel["id"])
    assert connector.shown == {"CAM": 1}
    keys = [push.key for push in connector.pushes]
    assert len(set(keys)) == len(keys)


def test_a_stale_comparison_is_read_anew_and_told_again_at_once(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    told(runtime, channel["id"])
    connector.shown["CAM"] = 5
    world.receive("SN-2")
    told(runtime, channel["id"])
    assert connector.shown == {"CAM": 2}
    assert [push.expected for push in connector.pushes] == [None, 1, 5]


def test_a_channel_that_moved_to_the_right_figure_by_itself_is_believed(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    told(runtime, channel["id"])
    connector.shown["CAM"] = 1  # it sold one, and tells us with the order
    world.accept(channel, world.order())
    told(runtime, channel["id"])
    assert level(world)["acknowledged"] == 1
    assert len(connector.pushes) == 2


def test_one_bad_listing_never_blocks_the_others(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel, "CAM")
    world.list_product(channel, "SAW")
    connector.level_failures["CAM"] = Rejected("no such listing")
    world.receive("SN-1", sku="CAM")
    world.receive("SN-2", sku="SAW")
    told(runtime, channel["id"])
    assert connector.shown == {"SAW": 1}
    (case,) = world.rows("SELECT * FROM exception_case")
    assert (case["kind"], case["subject"]) == ("sync_failure", "CAM")
    connector.level_failures.clear()
    world.receive("SN-3", sku="CAM")  # a new change tries again
    told(runtime, channel["id"])
    assert connector.shown == {"SAW": 1, "CAM": 2}
    assert world.value("SELECT state FROM exception_case") == "resolved"


@pytest.mark.parametrize("error", [Transient("no wire"), Unknown("no answer")])
def test_a_transient_failure_waits_and_comes_through(world: World, error: Transient) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.failures = [error, error]
    assert told(runtime, channel["id"]) == 1
    assert connector.shown == {}
    world.pass_time(seconds=2)
    told(runtime, channel["id"])
    world.pass_time(seconds=10)
    told(runtime, channel["id"])
    assert connector.shown == {"CAM": 1}
    assert level(world)["attempts"] == 0


@pytest.mark.req("R142")
def test_a_failure_that_never_ends_becomes_a_dead_letter_and_can_be_replayed(
    world: World,
) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1")
    sell_and_ship(world, channel, "SN-1")
    connector.failures = [Transient("down")] * ATTEMPTS_MAX
    for _ in range(ATTEMPTS_MAX):
        told(runtime, channel["id"])
        world.pass_time(hours=3)
    assert world.value("SELECT state FROM outbox") == "dead"
    assert world.value("SELECT attempts FROM outbox") == ATTEMPTS_MAX
    assert world.value("SELECT kind FROM exception_case") == "sync_failure"
    assert world.write(lambda tx: channels.replay(tx, "rec", None, world.now)) == 1
    told(runtime, channel["id"])
    assert len(connector.fulfillments) == 1
    assert world.value("SELECT state FROM exception_case") == "resolved"


def test_a_slow_down_is_obeyed_and_counts_as_no_attempt(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.failures = [RateLimited("slow", retry_after=30)]
    told(runtime, channel["id"])
    world.pass_time(seconds=29)
    assert told(runtime, channel["id"]) == 0
    assert level(world)["attempts"] == 0
    world.pass_time(seconds=2)
    told(runtime, channel["id"])
    assert connector.shown == {"CAM": 1}


def test_refused_credentials_pause_the_channel_and_call_a_person(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.failures = [AuthFailed("401"), AuthFailed("401")]  # the check too
    told(runtime, channel["id"])
    assert world.value("SELECT state FROM channel") == "paused"
    assert world.value("SELECT kind FROM exception_case") == "authentication"
    assert told(runtime, channel["id"]) == 0
    world.write(lambda tx: channels.resume(tx, channel["id"]))
    told(runtime, channel["id"])
    assert connector.shown == {"CAM": 1}


@pytest.mark.parametrize("error", [Rejected("bad"), NotFound("gone"), KeyError("our own bug")])
def test_what_can_not_succeed_is_given_up_at_once(world: World, error: BaseException) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2")
    sell_and_ship(world, channel, "SN-1", "o-1")
    sell_and_ship(world, channel, "SN-2", "o-2")
    connector.failures = [error]
    told(runtime, channel["id"])
    assert [row["state"] for row in world.rows("SELECT state FROM outbox ORDER BY seq")] == [
        "dead",
        "sent",
    ]
    assert len(connector.fulfillments) == 1


def test_facts_of_one_order_are_told_in_their_order(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2")
    world.accept(channel, world.order())
    facts = [
        outbox.Fact(channel["id"], "fulfillment", "same", f"k{number}", _payload(number))
        for number in range(4)
    ]
    world.write(lambda tx: outbox.put(tx, facts, world.now))
    connector.failures = [Transient("first one fails")]
    told(runtime, channel["id"])
    assert connector.fulfillments == []  # the later ones wait for the first
    world.pass_time(seconds=5)
    told(runtime, channel["id"])
    assert [each.reference for each in connector.fulfillments] == ["r0", "r1", "r2", "r3"]


def _payload(number: int) -> dict[str, object]:
    return {
        "reference": f"r{number}",
        "order_ref": "o",
        "lines": {},
        "carrier": None,
        "tracking": None,
        "shipped_at": 0,
    }


def test_putting_a_fact_twice_is_putting_it_once(world: World) -> None:
    _, _, channel = stage(world)
    fact = outbox.Fact(channel["id"], "fulfillment", "s", "k", {})
    for _ in range(3):
        world.write(lambda tx: outbox.put(tx, [fact], world.now))
    assert world.value("SELECT COUNT(*) FROM outbox") == 1


def test_a_worker_that_died_loses_its_lease_and_can_not_settle_late(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1")
    sell_and_ship(world, channel, "SN-1")
    lease = lambda: world.write(  # noqa: E731 # said twice below
        lambda tx: outbox.lease(tx, channel["id"], world.now, limit=10)
    )
    (late,) = lease()
    assert lease() == []
    world.pass_time(seconds=61)
    assert told(runtime, channel["id"]) == 1
    assert not world.write(lambda tx: outbox.give_up(tx, late, "late", world.now))
    assert world.value("SELECT state FROM outbox") == "sent"
    assert len(connector.fulfillments) == 1


@pytest.mark.req("R107", "R135")
def test_a_sold_unit_is_registered_with_its_manufacturer_once(world: World) -> None:
    connector, runtime, channel = stage(world, manufacturer="ACME")
    world.receive("SN-1", place="SHOP")
    world.receive("SN-2", sku="SAW", place="SHOP")
    connector.serials = {"SN-1"}
    world.do(Action.SELL, "SN-1")
    world.do(Action.SELL, "SN-2")  # another maker's: nobody to tell
    told(runtime, channel["id"])
    assert list(connector.registrations) == ["SN-1"]
    assert connector.registrations["SN-1"].sold_on == world.now.date()
    assert world.value("SELECT registered FROM warranty_record") in (1, True)


def test_the_loop_wakes_up_by_itself_and_serves_new_channels(world: World) -> None:
    connector, runtime, channel = stage(world)

    async def main() -> None:
        task = asyncio.create_task(relay.run(runtime))
        try:
            world.list_product(channel)
            world.receive("SN-1")
            async with asyncio.timeout(10):
                while connector.shown != {"CAM": 1}:
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_a_channel_that_sells_while_it_is_told_is_not_left_alone_for_long(world: World) -> None:
    waits = [decide(Conflict("moved on"), attempts, world.now).due_at for attempts in range(6)]
    seconds = [(due - world.now).total_seconds() for due in waits if due is not None]
    assert seconds[:3] == [0, 0, 0]
    assert all(after < 60 for after in seconds)


def test_conflicts_without_end_become_waits_not_a_storm(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.level_failures["CAM"] = Conflict("again and again", observed=7)
    told(runtime, channel["id"])
    assert len(connector.pushes) <= 5


def test_the_safety_buffer_and_the_sites_of_a_channel_are_kept(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", place="WH")
    world.receive("SN-4", place="SHOP")
    connector, runtime, channel = stage(world, sites=["WH"], safety_buffer=1)
    world.list_product(channel)
    told(runtime, channel["id"])
    assert connector.shown == {"CAM": 2}
    world.do(Action.HOLD, "SN-1", "SN-2", "SN-3", hold_kind="recall")
    told(runtime, channel["id"])
    assert connector.shown == {"CAM": 0}
    assert isinstance(connector, Recording)


def test_a_channel_that_takes_an_order_as_a_whole_gets_its_other_parcels(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2", "SN-3")
    lines = [
        OrderLine(ref="l-1", sku="CAM", quantity=2),
        OrderLine(ref="l-2", sku="CAM", quantity=1),
    ]
    world.accept(channel, world.order("o-1", lines))
    for number, serial in enumerate(("SN-1", "SN-2", "SN-3")):
        if number == 2:
            monkeypatch.setattr(type(connector), "reports_whole_orders", True)
        world.pass_time(minutes=1)
        world.do(Action.PICK, serial)
        world.write(
            lambda tx, serial=serial, number=number: orders.ship(  # type: ignore[misc]
                Work(tx, world.context(), f"c-{number}"),
                [Scan(serial)],
                Shipment("UPS", f"1Z{number}"),
            )
        )
        told(runtime, channel["id"])
    first, second, last = connector.fulfillments
    assert (first.other_parcels, second.other_parcels) == ((), ())
    assert [each.reference for each in last.other_parcels] == [first.reference, second.reference]
    assert [each.tracking for each in last.other_parcels] == ["1Z0", "1Z1"]
    serials = [line.serials for each in last.other_parcels for line in each.lines]
    assert sorted([*serials, *(line.serials for line in last.lines)]) == [
        ("SN-1",),
        ("SN-2",),
        ("SN-3",),
    ]
