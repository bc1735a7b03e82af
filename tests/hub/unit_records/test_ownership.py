"""Owners, measurements and licenses: what belongs to one unit and stays with its history."""

from datetime import timedelta

import pytest

from hub.clock import moment, new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.ledger import hash_chain
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.unit_records import licenses, ownership, sensors
from hub.unit_records.licenses import License
from hub.unit_records.ownership import OwnerKind
from hub.unit_records.sensors import Limits, Reading
from hub.vocabulary import OrderLine
from world import NOON, World

# --- Owners ---------------------------------------------------------------------------------


def periods(world: World, serial: str) -> list[tuple[str, str | None, bool]]:
    unit_id = world.unit(serial)["id"]
    found = world.read(lambda tx: ownership.periods(tx, [unit_id]))[unit_id]
    assert [each.until for each in found[:-1]] == [each.since for each in found[1:]]
    return [(str(each.kind), each.owner, each.until is None) for each in found]


def change(world: World, owner: str, *serials: str) -> list[Verdict]:
    scans = [Scan(each) for each in serials]
    return world.write(
        lambda tx: ownership.change(Work(tx, world.context(), new_id()), owner, scans)
    )


@pytest.mark.req("R44", "R46")
def test_every_owner_of_a_unit_is_visible_with_his_time(world: World) -> None:
    channel = world.channel()
    world.list_product(channel)
    world.receive("SN-1")
    order = world.order(lines=[OrderLine(ref="l-1", sku="CAM", quantity=1)], customer_ref="c-17")
    world.accept(channel, order)
    world.pass_time(days=1)
    world.do(Action.PICK, "SN-1")
    world.do(Action.SHIP, "SN-1")
    world.pass_time(days=300)
    (verdict,) = change(world, "c-42", "SN-1")
    assert verdict.accepted
    world.pass_time(days=10)
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS", reason="broken")
    world.do(Action.RESTOCK, "SN-1", place="RETURNS", grade="refurbished")
    assert periods(world, "SN-1") == [
        (OwnerKind.OWN, None, False),
        (OwnerKind.CUSTOMER, "c-17", False),
        (OwnerKind.CUSTOMER, "c-42", False),
        (OwnerKind.OWN, None, True),
    ]
    assert world.read(hash_chain.verify).breaks == ()


def test_a_client_owns_what_a_warehouse_keeps_for_him(world: World) -> None:
    world.receive("SN-1")
    world.write(
        lambda tx: tx.run("INSERT INTO client(id, code, name, created_at) VALUES('c', 'K', 'K', 0)")
    )
    world.write(lambda tx: tx.run("UPDATE unit SET client_id = 'c' WHERE serial = 'SN-1'"))
    assert periods(world, "SN-1") == [(OwnerKind.CLIENT, "K", True)]


def test_only_what_was_sold_changes_hands(world: World) -> None:
    world.receive("SN-1")
    (refused,) = change(world, "c-1", "SN-1")
    assert refused.code == "STEP_NOT_ALLOWED"
    with pytest.raises(InvalidInput):
        change(world, "  ", "SN-1")


# --- Measurements ---------------------------------------------------------------------------


def warm(*values: float) -> list[Reading]:
    return [
        Reading("Temperature", value, "CEL", NOON - timedelta(hours=len(values) - n), "logger-1")
        for n, value in enumerate(values)
    ]


def measure(world: World, readings: list[Reading], *serials: str, **more: object) -> list[Verdict]:
    scans = [Scan(each) for each in serials]
    given: dict[str, object] = dict(more)
    return world.write(
        lambda tx: sensors.record(
            Work(tx, world.context(), new_id()),
            scans,
            readings,
            limits=[Limits("Temperature", 2.0, 8.0)] if given.get("limited") else [],
            hold=bool(given.get("hold")),
        )
    )


@pytest.mark.req("R51")
def test_the_exposure_of_each_unit_is_kept_by_its_serial(world: World) -> None:
    world.receive("SN-1", "SN-2")
    first, unknown = measure(world, warm(4.5, 6.5, 5.5), "SN-1", "nobody")
    assert first.accepted
    assert unknown.code == "UNKNOWN_UNIT"
    unit_id = world.unit("SN-1")["id"]
    (found,) = world.read(lambda tx: sensors.exposure(tx, unit_id, NOON - timedelta(days=1), NOON))
    assert (found.type, found.unit_of_measure, found.count) == ("Temperature", "CEL", 3)
    assert (found.lowest, found.highest, found.mean) == (4.5, 6.5, 5.5)
    later = world.read(lambda tx: sensors.exposure(tx, unit_id, NOON - timedelta(hours=1), NOON))
    assert [each.count for each in later] == [1]
    rows = world.read(lambda tx: sensors.readings(tx, unit_id, first=2, after=None, type_=None))
    assert [row["value"] for row in rows] == [4.5, 6.5, 5.5]
    assert moment(rows[0]["measured_at"]) == NOON - timedelta(hours=3)
    event = world.history("SN-1")[-1]
    assert (event["action"], event["biz_step"]) == ("sense", "sensor_reporting")
    assert '"min":4.5' in event["details"]
    other = world.unit("SN-2")["id"]
    assert world.read(lambda tx: sensors.exposure(tx, other, NOON - timedelta(days=1), NOON)) == []


@pytest.mark.req("R51")
def test_a_limit_that_was_left_blocks_where_that_is_wanted(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3")
    measure(world, warm(4.0, 9.5), "SN-1", limited=True)
    assert world.unit("SN-1")["blocks"] == 0
    measure(world, warm(4.0, 9.5), "SN-2", limited=True, hold=True)
    assert world.unit("SN-2")["blocks"] == 1
    measure(world, warm(4.0, 9.5), "SN-2", limited=True, hold=True)
    assert world.unit("SN-2")["blocks"] == 1
    measure(world, warm(4.0, 7.5), "SN-3", limited=True, hold=True)
    assert world.unit("SN-3")["blocks"] == 0
    sensed = next(each for each in world.history("SN-2") if each["action"] == "sense")
    assert '"left_limits"' in sensed["details"]


@pytest.mark.parametrize(
    "reading",
    [
        Reading("", 1.0, "CEL", NOON),
        Reading("Temperature", 1.0, "degrees", NOON),
        Reading("Temperature", float("nan"), "CEL", NOON),
        Reading("Temperature", 1.0, "CEL", NOON + timedelta(hours=1)),
    ],
)
def test_what_is_no_reading_is_refused_and_nothing_is_kept(world: World, reading: Reading) -> None:
    world.receive("SN-1")
    with pytest.raises(InvalidInput):
        measure(world, [*warm(4.0), reading], "SN-1")
    assert world.value("SELECT COUNT(*) FROM sensor_reading") == 0


# --- Licenses -------------------------------------------------------------------------------


def link(world: World, serial: str, reference: str = "KEY-1") -> Verdict:
    given = License(reference=reference, provider="Soft Ltd")
    (verdict,) = world.write(
        lambda tx: licenses.link(Work(tx, world.context(), new_id()), Scan(serial), given)
    )
    return verdict


def unlink(world: World, reference: str = "KEY-1") -> None:
    world.write(
        lambda tx: licenses.unlink(Work(tx, world.context(), new_id()), reference, "Soft Ltd")
    )


@pytest.mark.req("R52")
def test_a_license_runs_on_one_unit_at_a_time_and_both_histories_tell(world: World) -> None:
    world.receive("SN-1", "SN-2")
    assert link(world, "SN-1").accepted
    with pytest.raises(StepNotAllowed, match="SN-1"):
        link(world, "SN-2")
    holder = world.read(lambda tx: licenses.holder_of(tx, "KEY-1", "Soft Ltd"))
    assert holder is not None
    assert holder["serial"] == "SN-1"
    unlink(world)
    assert link(world, "SN-2").accepted
    unlink(world)
    assert link(world, "SN-1").accepted
    unit_id = world.unit("SN-1")["id"]
    (kept,) = world.read(lambda tx: licenses.of_unit(tx, unit_id))
    assert kept["revoked_at"] is None
    notes = [event["details"] for event in world.history("SN-1") if event["action"] == "annotate"]
    assert ['"linked":true' in each for each in notes] == [True, False, True]


def test_what_is_no_license_is_refused(world: World) -> None:
    world.receive("SN-1")
    with pytest.raises(InvalidInput):
        link(world, "SN-1", " ")
    with pytest.raises(UnknownReference):
        unlink(world, "KEY-9")
    assert link(world, "nobody").code == "UNKNOWN_UNIT"
    assert world.value("SELECT COUNT(*) FROM entitlement") == 0
