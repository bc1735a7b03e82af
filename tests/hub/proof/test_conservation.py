"""Conservation: every unit counts once, in one place, and whoever cooks the books is found out."""

import asyncio

import pytest

from hub.catalogue import CUSTOMER
from hub.lifecycle import Action
from hub.proof import conservation
from hub.proof.conservation import Balance, Law
from jobs.maintenance import integrity
from tampering import unguarded
from world import World

COOKED = {
    "a place that does not fit the status": (
        f"UPDATE unit SET location_id = '{CUSTOMER}' WHERE serial = 'SN-1'",
        {Law.PLACE, Law.COUNT, Law.AVAILABLE},
    ),
    "a status that no event says": (
        "UPDATE unit SET status = 'returned' WHERE serial = 'SN-1'",
        {Law.COUNT, Law.AVAILABLE},
    ),
    "a status that is none": (
        "UPDATE unit SET status = 'lost' WHERE serial = 'SN-1'",
        {Law.PLACE, Law.COUNT, Law.AVAILABLE},
    ),
    "a promise that names no hold": (
        "UPDATE unit SET promised_to = 'nobody' WHERE serial = 'SN-1'",
        {Law.PROMISE, Law.AVAILABLE},
    ),
    "a hold that no unit knows": (
        "UPDATE unit SET promised_to = NULL WHERE serial = 'SN-2'",
        {Law.PROMISE, Law.AVAILABLE},
    ),
    "a hold that was released behind the unit's back": (
        "UPDATE hold SET released_at = 1 WHERE kind = 'sale'",
        {Law.PROMISE, Law.AVAILABLE},
    ),
    "a block that nobody placed": (
        "UPDATE unit SET blocks = 1 WHERE serial = 'SN-1'",
        {Law.BLOCK, Law.AVAILABLE},
    ),
    "a block that vanished": (
        "UPDATE unit SET blocks = 0 WHERE serial = 'SN-3'",
        {Law.BLOCK, Law.AVAILABLE},
    ),
}


def stock(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", "SN-4", place="SHOP")
    world.receive("LN-1", sku="LENS", place="WH-A1", put_away=False)
    world.do(Action.ALLOCATE, "SN-2", hold_reference="cart")
    world.do(Action.HOLD, "SN-3", hold_kind="fraud")
    world.do(Action.SELL, "SN-4")


def balance(world: World) -> Balance:
    return world.read(conservation.check)


def test_nothing_adds_up_to_nothing(world: World) -> None:
    assert balance(world) == Balance(0, 0, 0, 0, 0, ())
    assert balance(world).holds


@pytest.mark.req("R39", "R60")
def test_each_unit_counts_once(world: World) -> None:
    stock(world)
    found = balance(world)
    assert found.breaches == ()
    counted = (found.units, found.available, found.promised, found.blocked, found.elsewhere)
    assert counted == (5, 1, 1, 1, 2)
    assert found.holds


@pytest.mark.req("R60", "R64")
@pytest.mark.parametrize("what", COOKED)
def test_cooked_books_are_found_out(world: World, what: str) -> None:
    stock(world)
    statement, laws = COOKED[what]
    world.write(lambda tx: tx.run(statement))
    found = balance(world)
    assert not found.holds
    assert {each.law for each in found.breaches} == laws


@pytest.mark.req("R39")
def test_a_unit_whose_last_event_vanished_is_found(world: World) -> None:
    stock(world)
    world.write(lambda tx: unguarded(tx, "DELETE FROM event WHERE action = 'sell'"))
    messages = [each.message for each in balance(world).breaches]
    assert "sold of CAM at CUSTOMER: 1 by the units, 0 by their events" in messages


@pytest.mark.req("R64")
def test_the_job_opens_a_case_when_it_does_not_add_up(world: World) -> None:
    stock(world)
    runtime = world.runtime()
    assert asyncio.run(integrity.conserve(runtime)) == "5 units add up"
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
    world.write(lambda tx: tx.run("UPDATE unit SET blocks = 7 WHERE serial = 'SN-1'"))
    assert asyncio.run(integrity.conserve(runtime)) == "2 breaches"
    case = world.rows("SELECT * FROM exception_case")[0]
    assert (case["kind"], case["subject"]) == ("ledger_broken", "conservation")
    assert "SN-1 counts 7 blocks of 0" in case["details"]
