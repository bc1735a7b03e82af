"""The feed for those who tell others: from any time on nothing is left out, little is doubled."""

import random
import time
from datetime import timedelta

import pytest

from hub.clock import micros
from hub.history import event_feed
from hub.history.event_feed import Position
from hub.lifecycle import Action
from hub.storage.sql import Row, Transaction
from world import World


def settle(world: World) -> None:
    """Wait until the feed shows everything: on PostgreSQL, for others' transactions."""
    for _ in range(3_000):
        if world.read(event_feed.end).seq >= (world.value("SELECT MAX(seq) FROM event") or 0):
            return
        time.sleep(0.01)


def read(world: World, position: Position) -> list[Row]:
    """Read everything after a position, a few at a time."""
    found: list[Row] = []
    while some := world.read(lambda tx, here=position: event_feed.after(tx, here, limit=3)):
        found += some
        position = Position.behind(some[-1])
    return found


@pytest.mark.parametrize("seed", range(4))
def test_from_any_time_on_nothing_is_left_out(world: World, seed: int) -> None:
    print("seed", seed)
    dice = random.Random(seed)
    began = world.now
    for number in range(15):
        world.receive(f"SN-{number}")
        world.pass_time(seconds=dice.choice((0, 1, 30, 90, 4_000)))
    settle(world)
    every = read(world, Position())
    assert len(every) == 30
    assert [row["seq"] for row in every] == sorted(row["seq"] for row in every)
    for _ in range(25):
        since = began + (world.now - began) * dice.uniform(-0.1, 1.1)
        told = read(world, world.read(lambda tx, at=since: event_feed.at(tx, at)))
        wanted = [row["id"] for row in every if row["recorded_at"] >= micros(since)]
        assert [row["id"] for row in told][len(told) - len(wanted) :] == wanted
        margin = micros(since - event_feed.SKEW - timedelta(seconds=1))
        assert not [row for row in told if row["recorded_at"] < margin], since


def test_an_empty_ledger_has_a_feed_without_an_event(world: World) -> None:
    assert world.read(event_feed.end) == Position()
    assert world.read(lambda tx: event_feed.at(tx, world.now)) == Position()
    assert read(world, Position()) == []


def test_what_is_told_outside_names_places_of_ours_only(world: World) -> None:
    world.receive("SN-1", place="WH-A1")
    world.do(Action.TRANSFER_OUT, "SN-1", place="SHOP")
    settle(world)

    def told(tx: Transaction) -> list[tuple[str, str, str | None]]:
        rows = event_feed.after(tx, Position(), limit=10)
        return [
            (each.biz_step, each.read_point, each.location)
            for each in event_feed.ledger_events(tx, rows)
        ]

    assert world.read(told) == [
        ("receiving", "WH-A1", "WH"),
        ("storing", "WH-A1", "WH"),
        ("shipping", "WH-A1", None),  # on the road
    ]
