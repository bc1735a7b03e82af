"""Of each try it is kept what a channel was told, why, and what it answered."""

import asyncio
from datetime import timedelta

from connectors import Rejected, Transient
from hub import orders
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.sync import push_log
from jobs import relay
from jobs.maintenance import sweep
from recording import stage
from world import World


def lines(world: World, subject: str | None = None) -> list[tuple[str, str, str]]:
    channel = world.value("SELECT id FROM channel")
    rows = world.read(lambda tx: push_log.recent(tx, channel, subject, None, 100))
    return [(row["topic"], row["outcome"], row["answer"]) for row in reversed(rows)]


def test_each_try_of_a_level_is_kept_with_its_reason_and_its_answer(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.failures = [Transient("503")]
    asyncio.run(relay.drain(runtime, channel["id"]))
    world.pass_time(seconds=5)
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert lines(world, "CAM") == [
        ("level", "waits", "Transient: 503"),
        ("level", "accepted", "shows 1"),
    ]
    told = world.rows("SELECT key, sent FROM push_attempt ORDER BY id")
    assert [row["sent"] for row in told] == ['{"quantity":1,"expected":null}'] * 2
    assert told[0]["key"] == connector.pushes[0].key


def test_a_fact_is_kept_with_what_was_sent_and_the_channels_own_words(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1")
    world.accept(channel, world.order("o-1"))
    world.do(Action.PICK, "SN-1")
    parcel = Shipment("UPS", "1Z")
    world.write(lambda tx: orders.ship(Work(tx, world.context(), "c-1"), [Scan("SN-1")], parcel))
    connector.failures = [Rejected("the order is locked")]
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert ("fulfillment", "given_up", "Rejected: the order is locked") in lines(world)
    sent = world.value("SELECT sent FROM push_attempt WHERE topic = 'fulfillment'")
    assert '"SN-1"' in sent


def test_lines_are_dropped_after_a_month_and_not_before(world: World) -> None:
    _, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    asyncio.run(relay.drain(runtime, channel["id"]))
    world.now += timedelta(days=29)
    asyncio.run(sweep.sweep(runtime))
    assert len(lines(world)) == 1
    world.now += timedelta(days=2)
    asyncio.run(sweep.sweep(runtime))
    assert lines(world) == []
