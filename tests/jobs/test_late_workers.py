"""Workers that are slow, late or dead: what they leave behind is finished by others, once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from connectors import AuthFailed, Page, PushedLevel, Transient
from hub import orders
from hub.commands.work import Work
from hub.errors import RunUnderWay
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.reconciliation import healing, runs
from hub.reconciliation.kinds import Compared, Kind, Scope
from hub.reconciliation.runs import Run
from hub.storage.sql import Transaction
from hub.sync import channels, circuit, inbox
from hub.vocabulary import Fulfillment, OrderLine, StockLevel
from jobs import intake, leases, poll, relay
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from jobs.recovery import apply_to_channel, decide
from jobs.runtime import Runtime
from reconciling_orders import compared
from recording import stage
from world import World


def told(runtime: Runtime, channel: dict[str, object]) -> int:
    return asyncio.run(relay.drain(runtime, str(channel["id"])))


def ship(world: World, channel: dict[str, object], serial: str, ref: str) -> None:
    world.accept(channel, world.order(ref))
    world.do(Action.PICK, serial)
    parcel = Shipment("UPS", "1Z")
    world.write(
        lambda tx: orders.ship(Work(tx, world.context(), f"c-{ref}"), [Scan(serial)], parcel)
    )


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for an answer."""
    monkeypatch.setattr(leases, "CALL_SECONDS_MAX", 0.001)


@pytest.mark.usefixtures("hurried")
def test_a_fact_that_gets_no_answer_in_time_is_told_again(world: World) -> None:
    """It may have arrived: that is no bug of ours, and no dead letter."""
    connector, runtime, channel = stage(world)
    world.receive("SN-1")
    ship(world, channel, "SN-1", "o-1")
    connector.push_fulfillment = _never  # type: ignore[method-assign]
    told(runtime, channel)
    fact = world.rows("SELECT * FROM outbox")[0]
    assert (fact["state"], fact["attempts"]) == ("waiting", 1)
    assert fact["last_error"].startswith("Unknown: no answer")
    del connector.push_fulfillment
    world.pass_time(seconds=5)
    told(runtime, channel)
    assert len(connector.fulfillments) == 1


@pytest.mark.usefixtures("hurried")
def test_a_level_that_gets_no_answer_in_time_is_told_again(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.push_stock = _never  # type: ignore[method-assign]
    told(runtime, channel)
    level = world.rows("SELECT * FROM listing_level")[0]
    assert (level["state"], level["attempts"], level["lease_until"]) == ("live", 1, 0)
    del connector.push_stock
    world.pass_time(seconds=5)
    told(runtime, channel)
    assert connector.shown == {"CAM": 1}


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


def test_a_fact_whose_lease_ran_out_in_the_queue_is_left_to_who_has_it_now(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2")
    ship(world, channel, "SN-1", "o-1")
    ship(world, channel, "SN-2", "o-2")
    push = connector.push_fulfillment
    calls: list[str] = []

    async def slow(fulfillment: Fulfillment) -> str:
        calls.append(fulfillment.order_ref)
        if len(calls) == 1:
            world.pass_time(seconds=61)  # the leases end, and another worker goes on
            await relay.relay(runtime, channel["id"])
        return await push(fulfillment)

    connector.push_fulfillment = slow  # type: ignore[method-assign]
    told(runtime, channel)
    assert sorted(calls) == ["o-1", "o-1", "o-2"]  # the first was under way already
    assert world.rows("SELECT DISTINCT state FROM outbox") == [{"state": "sent"}]


def test_facts_that_wait_a_while_keep_their_leases(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2")
    ship(world, channel, "SN-1", "o-1")
    ship(world, channel, "SN-2", "o-2")
    push = connector.push_fulfillment
    until: list[int] = []

    async def slow(fulfillment: Fulfillment) -> str:
        until.append(world.value("SELECT MAX(lease_until) FROM outbox WHERE state = 'leased'"))
        world.pass_time(seconds=40)
        return await push(fulfillment)

    connector.push_fulfillment = slow  # type: ignore[method-assign]
    told(runtime, channel)
    assert until[1] - until[0] == 40_000_000
    assert len(connector.fulfillments) == 2


def test_a_figure_that_came_late_is_told_anew(world: World) -> None:
    """A worker that lost its lease may have put an older figure over a newer one."""
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    push = connector.push_stock
    calls: list[int] = []

    async def late(levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        calls.append(levels[0].available)
        if len(calls) == 1:
            world.pass_time(seconds=61)
            await runtime.database.write(
                lambda tx: channels.slow_down(tx, channel["id"], world.now)
            )
            await _receive(world, runtime)
            await relay.relay(runtime, channel["id"])  # another worker tells the newer one
            connector.shown["CAM"] = levels[0].available  # and the older one arrives behind it
            return [PushedLevel(levels[0].listing, levels[0].available)]
        return await push(levels)

    connector.push_stock = late  # type: ignore[method-assign]
    told(runtime, channel)
    assert calls[:2] == [1, 2]
    assert connector.shown == {"CAM": 2}


async def _receive(world: World, runtime: Runtime) -> None:
    await asyncio.to_thread(world.receive, "SN-2")


def test_a_difference_is_healed_when_the_channel_comes_round_by_itself(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    told(runtime, channel)
    connector.shown["CAM"] = 9
    look = RunOptions(trigger="test", heal=False)
    asyncio.run(reconcile.reconcile(runtime, channel, look, Scope.LEVELS))
    (found,) = world.rows("SELECT * FROM reconciliation_difference")
    world.write(lambda tx: healing.heal(tx, world.context(), found["id"]))
    connector.shown["CAM"] = 2  # somebody put it right meanwhile
    told(runtime, channel)
    asyncio.run(reconcile.look_again(runtime, channel, [found["id"]]))
    assert world.value("SELECT state FROM reconciliation_difference") == "healed"


def test_a_run_whose_process_died_does_not_run_for_ever(world: World) -> None:
    _, _, channel = stage(world)

    def start() -> Run:
        return world.write(lambda tx: runs.start(tx, channel, Scope.LEVELS, "test", world.now))

    dead = start()
    with pytest.raises(RunUnderWay) as refusal:
        start()
    assert refusal.value.details == {"run": dead.id}
    world.pass_time(minutes=2)  # its lease is over
    start()
    assert (
        world.value("SELECT state FROM reconciliation_run WHERE id = :id", id=dead.id) == "failed"
    )


def test_a_shipment_that_was_told_since_the_channel_was_looked_at_is_not_missing(
    world: World,
) -> None:
    """Telling it again would ship it twice."""
    _, runtime, channel = stage(world)
    world.receive("SN-1")
    looked_at = world.now
    ship(world, channel, "SN-1", "o-1")
    seen = world.order("o-1")  # as it was before it was told
    world.pass_time(seconds=1)
    told(runtime, channel)

    def compare() -> Compared:
        return compared(world, channel, seen, looked_at, timedelta(minutes=1))

    assert compare().result == "in_flight"
    looked_at += timedelta(minutes=10)
    found = compare().difference
    assert found is not None
    assert found.kind is Kind.MISSING_FULFILLMENT


def test_the_case_of_a_delivery_closes_when_it_is_replayed_and_worked_in(world: World) -> None:
    _, runtime, channel = stage(world)
    message = inbox.Message(channel["id"], "d1", "pull", "order", b"[]")
    world.write(lambda tx: inbox.accept(tx, [message], world.now))
    asyncio.run(intake.drain(runtime))
    assert world.value("SELECT state FROM exception_case") == "open"
    body = intake.ORDERS.dump_json(world.order())
    world.write(lambda tx: tx.run("UPDATE inbox SET body = :body", body=body))
    world.write(lambda tx: channels.replay(tx, "rec", None, world.now))
    asyncio.run(intake.drain(runtime))
    assert world.value("SELECT state FROM exception_case WHERE kind = 'sync_failure'") == "resolved"


@pytest.mark.parametrize("by", ["poll", "level", "fact"])
def test_the_case_of_refused_credentials_closes_with_the_next_success(
    world: World, by: str
) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.failures = [AuthFailed("401"), AuthFailed("401")]  # the check too
    told(runtime, channel)
    assert world.value("SELECT state FROM exception_case") == "open"
    if by == "fact":
        world.write(lambda tx: tx.run("UPDATE listing_level SET done_version = wanted_version"))
        ship(world, channel, "SN-1", "o-1")
        world.write(lambda tx: tx.run("UPDATE listing_level SET done_version = wanted_version"))
    world.write(lambda tx: channels.resume(tx, channel["id"]))
    if by == "poll":
        connector.pages = [Page((), "c1")]
        asyncio.run(poll.poll(runtime, world.rows("SELECT * FROM channel")[0]))
    else:
        told(runtime, channel)
    assert world.value("SELECT state FROM exception_case") == "resolved"


def test_a_line_that_is_dropped_lacks_nothing_any_more(world: World) -> None:
    _, _, channel = stage(world)
    world.receive("SN-1")
    first = OrderLine(ref="l-1", sku="CAM", quantity=1)
    second = OrderLine(ref="l-2", sku="SAW", quantity=1)
    world.accept(channel, world.order(lines=[first, second]))
    assert world.value("SELECT state FROM exception_case") == "open"
    world.pass_time(seconds=1)
    world.accept(channel, world.order(lines=[first]))
    assert world.value("SELECT state FROM exception_case") == "resolved"


def test_a_call_that_was_under_way_when_a_channel_went_down_closes_its_case(world: World) -> None:
    """Its success closes the circuit: nobody asks again whether the channel is back."""
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    push = connector.push_stock

    async def under_way(levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        await asyncio.to_thread(world.write, _go_down)
        return await push(levels)

    def _go_down(tx: Transaction) -> None:
        for number in range(circuit.FAILURES_MAX):
            decision = decide(Transient("503"), 0, world.now)
            apply_to_channel(tx, channel, decision, world.now, f"message {number}")

    connector.push_stock = under_way  # type: ignore[method-assign]
    told(runtime, channel)
    assert world.value("SELECT kind FROM exception_case") == "channel_down"
    assert world.value("SELECT state FROM exception_case") == "resolved"
