"""Time travel: where everything stood at an instant, as it is known now and was known then."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
import pytest

from correcting import never, restate
from hub import ledger
from hub.catalogue import location
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import ContradictsHistory, InvalidInput, UnknownReference
from hub.history import as_of, unit_history
from hub.history.as_of import TrialBalance
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Row, Transaction
from world import NOON, World

HOUR = timedelta(hours=1)


def stood(world: World, at: datetime, serial: str = "SN-1", **more: Any) -> tuple[str, str] | None:
    unit_id = world.unit(serial)["id"]
    found = world.read(lambda tx: as_of.unit_as_of(tx, unit_id, at, **more))
    return (str(found.standing.status), found.place["code"]) if found else None


def stock(world: World, place: str, at: datetime, **more: Any) -> list[str]:
    read = partial(as_of.stock_as_of, location=place, at=at, **({"first": 50} | more))
    return [row["serial"] for row in world.read(read)]


def balance(world: World, at: datetime, **more: Any) -> TrialBalance:
    return world.read(lambda tx: as_of.trial_balance(tx, at, **more))


def counts(found: TrialBalance) -> dict[tuple[str, str, str], int]:
    return {(row["sku"], row["location"], row["status"]): row["units"] for row in found.lines}


def live(world: World) -> None:
    """Noon: received. One: to the shop. Two: there. Three: sold. Four: back."""
    world.receive("SN-1")
    world.pass_time(hours=1)
    world.do(Action.TRANSFER_OUT, "SN-1", place="SHOP")
    world.pass_time(hours=1)
    world.do(Action.TRANSFER_IN, "SN-1", place="SHOP")
    world.pass_time(hours=1)
    world.do(Action.SELL, "SN-1")
    world.pass_time(hours=1)
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS", reason="too small")


def refusal(world: World, action: Action, occurred_at: datetime, place: str) -> str | None:
    """Record now what occurred earlier; return the code of its refusal."""

    def work(tx: Transaction) -> str | None:
        context = replace(world.context(), occurred_at=occurred_at)
        command = UnitCommand(action=action, location=location(tx, place))
        return ledger.record(Work(tx, context, new_id()), command, [Scan("SN-1")])[0].code

    return world.write(work)


def earlier(world: World, action: Action, occurred_at: datetime, place: str) -> None:
    assert refusal(world, action, occurred_at, place) is None


@pytest.mark.req("R39", "R58")
def test_a_unit_stood_where_its_newest_event_had_left_it(world: World) -> None:
    live(world)
    assert stood(world, NOON - timedelta(microseconds=1)) is None
    assert stood(world, NOON) == ("in_stock", "WH")
    assert stood(world, NOON + HOUR - timedelta(microseconds=1)) == ("in_stock", "WH")
    assert stood(world, NOON + HOUR) == ("in_transfer", "IN-TRANSIT")
    assert stood(world, NOON + 2.5 * HOUR) == ("in_stock", "SHOP")
    assert stood(world, NOON + 3 * HOUR) == ("sold", "CUSTOMER")
    assert stood(world, NOON + 99 * HOUR) == ("returned", "RETURNS")


def test_promises_and_blocks_stood_too(world: World) -> None:
    world.receive("SN-1")
    for action, more in (
        (Action.ALLOCATE, {"hold_reference": "cart"}),
        (Action.HOLD, {"hold_kind": "fraud"}),
        (Action.RELEASE, {}),
        (Action.UNBLOCK, {"hold_kind": "fraud"}),
    ):
        world.pass_time(hours=1)
        assert world.do(action, "SN-1", **more)[0].accepted
    unit_id = world.unit("SN-1")["id"]
    found = []
    for hours in range(5):
        read = partial(as_of.unit_as_of, unit_id=unit_id, at=NOON + hours * HOUR)
        at = world.read(read)
        assert at is not None
        found.append((at.standing.promised, len(at.standing.blocks)))
    assert found == [(False, 0), (True, 0), (True, 1), (False, 1), (False, 0)]


@pytest.mark.req("R37")
def test_what_occurred_counts_and_not_when_it_was_recorded(world: World) -> None:
    world.receive("SN-1")
    world.pass_time(hours=5)
    earlier(world, Action.MOVE, NOON + HOUR, "WH-A1")
    assert stood(world, NOON + 2 * HOUR) == ("in_stock", "WH-A1")
    known = NOON + 3 * HOUR
    assert stood(world, NOON + 2 * HOUR, recorded_by=known) == ("in_stock", "WH")
    assert stock(world, "WH-A1", NOON + 2 * HOUR) == ["SN-1"]
    assert stock(world, "WH-A1", NOON + 2 * HOUR, recorded_by=known) == []
    assert stock(world, "WH", NOON + 2 * HOUR, recorded_by=known) == ["SN-1"]


def test_a_step_before_the_receipt_is_refused_and_the_past_stays_as_it_was(world: World) -> None:
    world.receive("SN-1")
    assert refusal(world, Action.MOVE, NOON - HOUR, "WH-A1") == "OUT_OF_ORDER"
    assert stood(world, NOON - HOUR) is None
    assert balance(world, NOON - HOUR) == TrialBalance(0, ())
    assert balance(world, NOON).existed == 1


def test_a_step_before_the_event_that_it_follows_is_refused(world: World) -> None:
    live(world)
    world.do(Action.RESTOCK, "SN-1", place="RETURNS")
    then = counts(balance(world, NOON + 2.5 * HOUR))
    assert refusal(world, Action.MOVE, NOON + 2.5 * HOUR, "RETURNS") == "OUT_OF_ORDER"
    assert counts(balance(world, NOON + 2.5 * HOUR)) == then


def test_a_step_follows_the_corrected_time_of_the_event_before_it(world: World) -> None:
    live(world)
    restate(world, "SN-1", 6, occurred_at=NOON + 3.25 * HOUR)  # the return, recorded at four
    world.pass_time(hours=1)
    assert refusal(world, Action.RESTOCK, NOON + 3 * HOUR, "RETURNS") == "OUT_OF_ORDER"
    earlier(world, Action.RESTOCK, NOON + 3.5 * HOUR, "RETURNS")
    assert stood(world, NOON + 3.5 * HOUR) == ("in_stock", "RETURNS")
    # What did not occur is followed by nothing.
    never(world, "SN-1", 8)
    earlier(world, Action.RESTOCK, NOON + 3.3 * HOUR, "RETURNS")
    assert stood(world, NOON + 3.4 * HOUR) == ("in_stock", "RETURNS")


def test_a_clock_that_is_a_little_behind_is_no_contradiction(world: World) -> None:
    world.receive("SN-1")
    earlier(world, Action.MOVE, NOON - 0.05 * HOUR, "WH-A1")
    assert stood(world, NOON - 0.01 * HOUR) is None
    assert stood(world, NOON) == ("in_stock", "WH-A1")
    details = orjson.loads(world.history("SN-1")[-1]["details"])
    assert details["stated_at"] == (NOON - 0.05 * HOUR).isoformat()


def test_a_correction_keeps_the_order_of_the_events(world: World) -> None:
    live(world)
    for version, hours in ((3, -1), (3, 2.5), (5, 1.5), (6, 2)):
        with pytest.raises(ContradictsHistory, match="prevents it"):
            restate(world, "SN-1", version, occurred_at=NOON + hours * HOUR)
    restate(
        world, "SN-1", 1, occurred_at=NOON - HOUR
    )  # the receipt was earlier: nothing precedes it
    assert stood(world, NOON - HOUR) == ("received", "WH")


def test_a_correction_changes_the_past_and_not_what_was_known_of_it(world: World) -> None:
    live(world)
    world.pass_time(hours=1)
    never(world, "SN-1", 6)  # the return
    never(world, "SN-1", 5)  # the sale
    at, before = NOON + 3.5 * HOUR, world.now - timedelta(microseconds=1)
    assert stood(world, at) == ("in_stock", "SHOP")
    assert stood(world, at, recorded_by=before) == ("sold", "CUSTOMER")
    assert stock(world, "SHOP", at) == ["SN-1"]
    assert stock(world, "SHOP", at, recorded_by=before) == []
    assert counts(balance(world, at)) == {("CAM", "SHOP", "in_stock"): 1}
    assert counts(balance(world, at, recorded_by=before)) == {("CAM", "CUSTOMER", "sold"): 1}


def test_a_restated_time_moves_the_event(world: World) -> None:
    live(world)
    restate(world, "SN-1", 5, occurred_at=NOON + 2.5 * HOUR)
    assert stood(world, NOON + 2.4 * HOUR) == ("in_stock", "SHOP")
    assert stood(world, NOON + 2.6 * HOUR) == ("sold", "CUSTOMER")
    assert counts(balance(world, NOON + 2.6 * HOUR)) == {("CAM", "CUSTOMER", "sold"): 1}


def test_what_follows_a_correction_follows_from_what_holds(world: World) -> None:
    world.receive("SN-1")
    world.pass_time(hours=1)
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    world.pass_time(hours=1)
    world.do(Action.HOLD, "SN-1", hold_kind="fraud")
    never(world, "SN-1", 3)
    world.pass_time(hours=1)
    world.do(Action.UNBLOCK, "SN-1", hold_kind="fraud")
    for hours in range(4):
        assert stock(world, "WH", NOON + hours * HOUR) == ["SN-1"], hours
        assert stood(world, NOON + hours * HOUR) == ("in_stock", "WH")
    restate(world, "SN-1", 3)  # it had been right
    assert [stock(world, "WH", NOON + hours * HOUR) for hours in range(4)] == [["SN-1"], [], [], []]
    assert world.unit("SN-1")["location_code"] == "WH-A1"


@pytest.mark.req("R56", "R58")
def test_the_stock_of_a_place_comes_in_pages(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3")
    world.pass_time(hours=1)
    world.do(Action.MOVE, "SN-2", place="WH-A1")
    assert stock(world, "WH", NOON) == ["SN-1", "SN-2", "SN-3"]
    assert stock(world, "WH", world.now) == ["SN-1", "SN-3"]
    page = world.read(lambda tx: as_of.stock_as_of(tx, "WH", NOON, first=1))
    assert [row["serial"] for row in page] == ["SN-1", "SN-2"]  # one more than asked for
    assert stock(world, "WH", NOON, after=page[0]["id"]) == ["SN-2", "SN-3"]
    with pytest.raises(UnknownReference):
        stock(world, "NOWHERE", NOON)


@pytest.mark.req("R60")
def test_the_trial_balance_adds_up_and_agrees_with_the_units(world: World) -> None:
    live(world)
    world.receive("SN-2", "SN-3", place="SHOP")
    world.receive("LN-1", sku="LENS", put_away=False)
    assert counts(balance(world, world.now)) == {
        ("CAM", "RETURNS", "returned"): 1,
        ("CAM", "SHOP", "in_stock"): 2,
        ("LENS", "WH", "received"): 1,
    }
    assert counts(balance(world, world.now, sku="LENS")) == {("LENS", "WH", "received"): 1}
    for hours in range(-1, 6):
        at = NOON + hours * HOUR
        found = balance(world, at)
        one_by_one = Counter(
            (row["sku"], place, status)
            for row in world.rows(
                "SELECT serial, sku FROM unit JOIN product ON product_id = product.id"
            )
            for status, place in [stood(world, at, row["serial"]) or ("", "")]
            if place
        )
        assert found.adds_up
        assert counts(found) == one_by_one


def test_too_long_a_balance_asks_for_a_product(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.receive("SN-1")
    world.receive("LN-1", sku="LENS")
    monkeypatch.setattr(as_of, "LINES_MAX", 1)
    with pytest.raises(InvalidInput, match="name a product"):
        balance(world, world.now)
    assert balance(world, world.now, sku="CAM").adds_up


# --- Three views --------------------------------------------------------------------------------


def view(world: World, which: unit_history.View) -> list[Row]:
    unit_id = world.unit("SN-1")["id"]
    return world.read(lambda tx: unit_history.VIEWS[which](tx, [unit_id]))[unit_id]


@pytest.mark.req("R36", "R38")
def test_a_history_is_seen_as_recorded_as_corrected_and_both(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    never(world, "SN-1", 3)
    world.do(Action.HOLD, "SN-1", hold_kind="fraud")
    restate(world, "SN-1", 5, reason="chargeback")
    recorded, corrected = (
        view(world, unit_history.View.RECORDED),
        view(world, unit_history.View.CORRECTED),
    )
    both = view(world, unit_history.View.BOTH)
    assert [row["version"] for row in recorded] == [1, 2, 3, 5]
    assert [row["version"] for row in corrected] == [1, 2, 5]
    assert [row["version"] for row in both] == [1, 2, 3, 4, 5, 6]
    assert [row["reason"] for row in corrected] == [None, None, "chargeback"]
    assert [row["reason"] for row in recorded] == [None, None, None, None]
    assert {row["version"]: row["corrected_by"] for row in both if row["corrected_by"]} == {
        3: [both[3]["id"]],
        5: [both[5]["id"]],
    }
    assert [row["corrects"] for row in both] == [
        None,
        None,
        None,
        both[2]["id"],
        None,
        both[4]["id"],
    ]


def test_without_corrections_all_views_are_one(world: World) -> None:
    live(world)
    assert (
        view(world, unit_history.View.RECORDED)
        == view(world, unit_history.View.CORRECTED)
        == view(world, unit_history.View.BOTH)
    )
