"""Returns and refunds of a channel, compared with those of the ledger."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from connectors import AuthFailed
from hub.reconciliation.kinds import Scope
from hub.storage.sql import Row
from hub.vocabulary import Return, ReturnLine, ReturnState
from jobs import poll
from jobs.reconciliation import returns
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from reconciling_orders import LOOK, Shop, is_live, only, proofs, run
from recording import stage
from world import World


def shop(world: World) -> tuple[Shop, Runtime, Row]:
    connector, runtime, channel = stage(world, Shop)
    assert isinstance(connector, Shop)
    world.receive("SN-1", "SN-2")
    connector.orders["o-1"] = world.order("o-1")
    world.accept(channel, connector.orders["o-1"])
    return connector, runtime, channel


def refund(world: World, ref: str = "r-1", **more: object) -> Return:
    line = ReturnLine(order_line_ref="l-1", quantity=1, comes_back=False, refunded=1)
    return world.returned(ref, "o-1", line, refunded_at=world.now, **more)


def test_a_refund_that_never_came_is_found_and_taken_in(world: World) -> None:
    connector, runtime, channel = shop(world)
    connector.returns = [refund(world)]
    world.pass_time(minutes=5)
    last, found = run(world, runtime, channel, Scope.RETURNS)
    missing = only(found)
    assert (missing["kind"], missing["cause"], missing["severity"]) == (
        "missing_return",
        "missed_order",
        "high",
    )
    assert proofs(missing) == ["channel"]
    assert orjson.loads(missing["remote_claim"])["lines"] == {"l-1": [1, 1, 0]}
    assert (missing["state"], last["healed"]) == ("healed", 1)
    assert world.value("SELECT ref FROM channel_return") == "r-1"


def test_returns_that_agree_are_matched_once(world: World) -> None:
    connector, runtime, channel = shop(world)
    connector.returns = [refund(world), refund(world)]  # lists may name one twice
    world.announce(channel, connector.returns[0])
    world.pass_time(minutes=5)
    last, found = run(world, runtime, channel, Scope.RETURNS)
    assert (last["compared"], last["matched"], found) == (1, 1, [])


@pytest.mark.parametrize(
    "change",
    [
        {"state": ReturnState.CLOSED},
        {"refunded_at": None},
        {"lines": (ReturnLine(order_line_ref="l-1", quantity=2),)},
    ],
)
def test_a_return_that_was_changed_there_is_taken_in(
    world: World, change: dict[str, object]
) -> None:
    connector, runtime, channel = shop(world)
    world.announce(channel, refund(world))
    world.pass_time(minutes=5)
    connector.returns = [replace(refund(world), updated_at=world.now, **change)]
    world.pass_time(minutes=5)
    found = only(run(world, runtime, channel, Scope.RETURNS)[1])
    assert (found["kind"], found["state"]) == ("return_state", "healed")


def test_a_young_return_is_on_its_way(world: World) -> None:
    connector, runtime, channel = shop(world)
    connector.returns = [refund(world)]
    last, found = run(world, runtime, channel, Scope.RETURNS, RunOptions(trigger="test"))
    assert (last["in_flight"], found) == (1, [])


def test_a_return_that_the_channel_no_longer_has_is_a_question(world: World) -> None:
    connector, runtime, channel = shop(world)
    world.announce(channel, refund(world))
    world.pass_time(minutes=5)
    gone = only(run(world, runtime, channel, Scope.RETURNS)[1])
    assert (gone["kind"], gone["cause"], gone["fix"]) == ("unknown_return", "removed_there", "ask")
    assert proofs(gone) == ["channel_return", "observed_order"]
    connector.returns = [refund(world)]
    world.pass_time(minutes=5)
    world.announce(channel, replace(connector.returns[0], updated_at=world.now))
    run(world, runtime, channel, Scope.RETURNS)
    assert not is_live(world, gone)


def test_one_look_at_a_missing_return_is_no_proof(world: World) -> None:
    _, runtime, channel = shop(world)
    world.announce(channel, refund(world))
    world.pass_time(minutes=5)
    options = RunOptions(trigger="test", grace=timedelta(minutes=1))
    last, found = run(world, runtime, channel, Scope.RETURNS, options)
    assert (last["in_flight"], found) == (1, [])
    world.pass_time(minutes=1)
    assert only(run(world, runtime, channel, Scope.RETURNS, options)[1])["kind"] == "unknown_return"


def test_the_list_goes_on_from_the_run_before_the_last_one(world: World) -> None:
    connector, runtime, channel = shop(world)
    cursors: list[str] = []
    pull = connector.pull_returns

    async def noted(cursor: str):
        cursors.append(cursor)
        return await pull(cursor)

    connector.pull_returns = noted
    for number in range(4):
        connector.returns.append(refund(world, f"r-{number}"))
        run(world, runtime, channel, Scope.RETURNS, LOOK)
        world.pass_time(minutes=5)
    assert cursors == ["", "", "1", "2"]


def test_what_polling_took_as_read_is_found(world: World) -> None:
    connector, runtime, channel = shop(world)
    connector.returns = [refund(world)]
    asyncio.run(poll.poll(runtime, channel))  # the cursor of the polling is past it now
    world.write(lambda tx: tx.run("DELETE FROM inbox"))
    world.pass_time(minutes=5)
    missing = only(run(world, runtime, channel, Scope.RETURNS)[1])
    assert (missing["kind"], missing["cause"], missing["state"]) == (
        "missing_return",
        "missed_order",
        "healed",
    )
    assert proofs(missing) == ["cursor"]


def test_a_channel_that_forbids_its_returns_is_not_called_compared(world: World) -> None:
    connector, runtime, channel = shop(world)
    connector.returns_forbidden = AuthFailed("no scope for returns")
    last, _ = run(world, runtime, channel, Scope.RETURNS)
    assert (last["compared"], last["not_compared"]) == (0, 1)
    assert "no scope for returns" in last["skipped"]
    assert world.value("SELECT state FROM channel WHERE id = :id", id=channel["id"]) == "active"


def test_no_unfinished_return_is_forgotten_when_there_are_more_than_a_run_reads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returns, "READS_MAX", 2)
    monkeypatch.setattr(returns, "READ_BATCH", 1)
    _, runtime, channel = shop(world)
    for number in range(5):
        world.announce(channel, refund(world, f"r-{number}"))
    found = set[str]()
    for _ in range(3):
        world.pass_time(minutes=5)
        found |= {each["about"] for each in run(world, runtime, channel, Scope.RETURNS)[1]}
    assert found == {f"r-{number}" for number in range(5)}
