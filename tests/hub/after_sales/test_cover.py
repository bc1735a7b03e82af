"""Cover and service: who pays when a unit fails, and what was done to it."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from hub import catalogue, ledger
from hub.after_sales import cover, repairs
from hub.after_sales.cover import CoverKind, Covers, Entitled, Grant, months_after
from hub.after_sales.repairs import Part, WorkDone, WorkKind
from hub.catalogue import LocationCard, LocationKind, ProductCard, WarrantyStart
from hub.clock import micros, new_id
from hub.commands.context import Document
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference, UnknownUnit
from hub.history import corrections
from hub.history.corrections import Changes
from hub.history.replay import Declaration
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Row, Transaction
from hub.vocabulary import OrderLine
from recording import stage
from world import World


def product(world: World, **more: Any) -> None:
    given = {"warranty_months": 24} | more
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", **given)
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))


def covered(world: World, serial: str = "SN-1", on: date | None = None) -> Covers:
    unit_id = world.unit(serial)["id"]
    return world.read(lambda tx: cover.cover_of(tx, world.context(), unit_id, on))


def sell(world: World, serial: str = "SN-1", receipt: str = "R-1") -> None:
    world.receive(serial, place="SHOP")

    def work(tx: Transaction) -> list[Verdict]:
        context = world.context(document=Document("inv", receipt))
        sale = UnitCommand(action=Action.SELL)
        return ledger.record(Work(tx, context, new_id()), sale, [Scan(serial)])

    assert world.write(work)[0].accepted


def give(world: World, serial: str = "SN-1", **more: Any) -> str:
    given = {"kind": CoverKind.EXTENDED_WARRANTY, "reference": "X-1"} | more
    unit_id = world.unit(serial)["id"]
    return world.write(lambda tx: cover.grant(tx, world.context(), unit_id, Grant(**given)))


def maker_says(world: World, status: str, channel: Row | None = None, **more: Any) -> None:
    given = {"starts": None, "ends": None, "registered": False} | more
    channel = channel or stage(world, manufacturer="ACME")[2]
    unit_id = world.unit("SN-1")["id"]
    world.write(
        lambda tx: tx.run(
            "INSERT INTO warranty_record(unit_id, channel_id, status, registered, starts_on, "
            "ends_on, coverages, observed_at, stale_at) VALUES(:unit, :channel, :status, "
            ":registered, :starts, :ends, '[]', :now, :stale)",
            unit=unit_id,
            channel=channel["id"],
            status=status,
            now=micros(world.now),
            stale=micros(world.now + timedelta(days=7)),
            **given,
        )
    )


@pytest.mark.parametrize(
    ("start", "months", "last"),
    [
        (date(2026, 11, 2), 24, date(2028, 11, 1)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 12, 1), 1, date(2026, 12, 31)),
    ],
)
def test_a_cover_of_months_ends_on_the_day_before(start: date, months: int, last: date) -> None:
    assert months_after(start, months) == last


@pytest.mark.req("R98", "R99", "R100")
def test_a_sold_unit_is_covered_from_its_sale_with_its_basis(world: World) -> None:
    product(world)
    channel = world.channel("shop")
    world.receive("SN-1")
    world.accept(channel, world.order("o-1", customer_ref="c-1"))
    world.pass_time(days=2)
    for action in (Action.PICK, Action.SHIP):
        assert world.do(action, "SN-1")[0].accepted
    found = covered(world)
    (own,) = found.covers
    assert (found.entitled, own.kind) == (Entitled.YES, CoverKind.OWN)
    assert (own.starts_on, own.ends_on) == (date(2026, 11, 2), date(2028, 11, 1))
    assert found.basis == "24 months from its sale on 2026-11-02"
    sale = found.story.sale
    assert sale is not None
    assert sale.order is not None
    assert (sale.channel, sale.order["number"], sale.order["customer_ref"]) == (
        "shop",
        "#o-1",
        "c-1",
    )
    assert covered(world, on=date(2028, 11, 1)).entitled is Entitled.YES
    assert covered(world, on=date(2028, 11, 2)).entitled is Entitled.NO
    assert covered(world, on=date(2026, 11, 1)).entitled is Entitled.NO
    product(world, warranty_start=WarrantyStart.SHIP)
    assert covered(world).covers[0].starts_on == date(2026, 11, 4)


@pytest.mark.req("R100")
def test_a_warranty_may_start_with_the_activation(world: World) -> None:
    product(world, warranty_start=WarrantyStart.ACTIVATION)
    sell(world)
    assert covered(world).entitled is Entitled.UNKNOWN
    world.pass_time(days=5)
    assert world.do(Action.ACTIVATE, "SN-1")[0].accepted
    found = covered(world)
    assert (found.entitled, found.covers[0].starts_on) == (Entitled.YES, date(2026, 11, 7))


@pytest.mark.req("R100", "R107")
def test_a_registration_for_the_customer_starts_the_warranty_and_reaches_the_maker(
    world: World,
) -> None:
    product(world, warranty_start=WarrantyStart.REGISTRATION)
    sell(world)
    assert covered(world).entitled is Entitled.UNKNOWN
    stage(world, manufacturer="ACME")
    world.pass_time(days=3)
    register(world, date(2026, 11, 4))
    register(world, date(2026, 11, 5))
    found = covered(world)
    assert found.covers[0].starts_on == date(2026, 11, 5)
    # The maker is told of one sale once.
    assert world.value("SELECT COUNT(*) FROM outbox WHERE topic = 'registration'") == 1


def register(world: World, on: date, serial: str = "SN-1", reference: str | None = None) -> Verdict:
    return world.write(
        lambda tx: repairs.register(
            Work(tx, world.context(), new_id()), Scan(serial), on, reference
        )
    )


@pytest.mark.req("R107")
def test_a_registration_that_makes_no_sense_is_refused(world: World) -> None:
    world.receive("SN-1")
    with pytest.raises(StepNotAllowed):
        register(world, world.now.date())
    with pytest.raises(UnknownUnit):
        register(world, world.now.date(), "SN-404")
    world.do(Action.SELL, "SN-1")
    for on in (date(2026, 11, 1), date(2026, 11, 3)):
        with pytest.raises(InvalidInput):
            register(world, on)
    with pytest.raises(InvalidInput):
        register(world, world.now.date(), reference="x" * 201)


@pytest.mark.req("R100")
def test_the_makers_registration_counts_where_none_of_ours_is_known(world: World) -> None:
    product(world, warranty_start=WarrantyStart.REGISTRATION)
    sell(world)
    maker_says(world, "covered", registered=True, starts="2026-11-03", ends="2027-11-02")
    own, maker = covered(world, on=date(2026, 12, 1)).covers
    assert (own.starts_on, maker.ends_on) == (date(2026, 11, 3), date(2027, 11, 2))


@pytest.mark.req("R98")
def test_unknown_stays_unknown(world: World) -> None:
    sell(world)
    assert covered(world).entitled is Entitled.NO  # nobody could know more
    channel = stage(world, manufacturer="ACME")[2]
    found = covered(world)
    assert (found.entitled, found.basis) == (
        Entitled.UNKNOWN,
        "the manufacturer was not asked yet",
    )
    maker_says(world, "unknown", channel)
    assert covered(world).entitled is Entitled.UNKNOWN
    world.pass_time(days=8)
    maker = covered(world).of(CoverKind.MANUFACTURER)
    assert maker is not None
    assert (maker.is_stale, maker.source) == (True, "rec")
    assert maker.observed_at is not None


@pytest.mark.parametrize(
    ("status", "ends", "entitled"),
    [
        ("covered", "2027-01-01", "yes"),
        ("covered", "2026-11-01", "no"),
        ("covered", None, "yes"),
        ("expired", None, "no"),
        ("not_covered", None, "no"),
        ("invalid", None, "no"),
    ],
)
def test_what_the_maker_said_is_read_for_the_day(
    world: World, status: str, ends: str | None, entitled: str
) -> None:
    sell(world)
    maker_says(world, status, ends=ends)
    assert covered(world).entitled == entitled


@pytest.mark.req("R101")
def test_further_covers_are_attached_and_revoked(world: World) -> None:
    product(world, warranty_months=0)
    sell(world)
    one = give(world, ends_on=date(2030, 1, 1), provider="Assure")
    give(world, kind=CoverKind.SERVICE_AGREEMENT, reference="S-1", starts_on=date(2027, 1, 1))
    found = covered(world)
    assert [str(each.status) for each in found.covers] == ["covered", "not_started"]
    assert found.basis == "extended warranty of Assure: X-1"
    with pytest.raises(StepNotAllowed):
        give(world)
    assert world.write(lambda tx: cover.revoke(tx, world.context(), one)) == found.unit_id
    assert covered(world).entitled is Entitled.NO
    with pytest.raises(StepNotAllowed):
        world.write(lambda tx: cover.revoke(tx, world.context(), one))
    with pytest.raises(UnknownReference):
        world.write(lambda tx: cover.revoke(tx, world.context(), "none"))
    assert give(world) == one  # what was revoked may be granted anew


@pytest.mark.parametrize(
    "wrong",
    [
        {"reference": " "},
        {"reference": "x" * 201},
        {"provider": "x" * 201},
        {"starts_on": date(2027, 1, 2), "ends_on": date(2027, 1, 1)},
    ],
)
def test_a_cover_that_makes_no_sense_is_refused(world: World, wrong: dict[str, Any]) -> None:
    sell(world)
    with pytest.raises(InvalidInput):
        give(world, **wrong)


@pytest.mark.req("R98")
def test_a_unit_that_is_sold_anew_starts_anew(world: World) -> None:
    product(world)
    world.receive("SN-1")
    found = covered(world)
    assert (found.entitled, found.basis) == (Entitled.NO, "the unit has not been sold")
    world.do(Action.SELL, "SN-1")
    give(world)
    world.pass_time(days=10)
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS")
    world.do(Action.RESTOCK, "SN-1", condition="refurbished")
    assert covered(world).entitled is Entitled.NO
    world.pass_time(days=10)
    world.do(Action.SELL, "SN-1")
    (own,) = covered(world).covers
    assert own.starts_on == date(2026, 11, 22)


@pytest.mark.req("R98")
def test_a_corrected_sale_corrects_the_cover(world: World) -> None:
    product(world)
    sell(world)
    world.pass_time(days=4)
    event = world.history("SN-1")[-1]

    def work(tx: Transaction) -> None:
        corrections.correct(
            Work(tx, world.context(reason="typed late"), new_id()),
            event["id"],
            reason=Declaration.INCORRECT_DATA,
            changes=Changes(occurred_at=world.now - timedelta(days=3)),
        )

    world.write(work)
    assert covered(world).covers[0].starts_on == date(2026, 11, 3)


# --- Service ----------------------------------------------------------------------------------


def record(world: World, serial: str = "SN-1", **more: Any) -> Verdict:
    given = {"kind": WorkKind.REPAIR, "work": "shutter replaced"} | more
    return world.write(
        lambda tx: repairs.record_work(
            Work(tx, world.context(), new_id()), Scan(serial), WorkDone(**given)
        )
    )


def hand_back(world: World, *serials: str) -> list[Verdict]:
    scans = [Scan(each) for each in serials]
    return world.write(lambda tx: repairs.hand_back(Work(tx, world.context(), new_id()), scans))


def served(world: World, serial: str = "SN-1") -> list[Row]:
    unit_id = world.unit(serial)["id"]
    return world.read(lambda tx: repairs.service_history(tx, [unit_id]))[unit_id]


@pytest.mark.req("R49", "R102", "R103")
def test_a_customers_unit_is_repaired_and_handed_back_with_its_history(world: World) -> None:
    product(world)
    sell(world)
    world.receive("P-1", sku="LENS")
    assert world.do(Action.TAKE_IN, "SN-1", place="RETURNS", reason="no picture")[0].accepted
    parts = (
        Part(part="shutter", serial_out="S-OLD", serial_in="p 1"),
        Part(part="screw", quantity=4),
    )
    done = record(world, technician="Tess", parts=parts, cost=4500, currency="EUR")
    assert (done.accepted, done.status) == (True, "in_repair")
    assert hand_back(world, "SN-1")[0].accepted
    taken, repaired, back = served(world)
    assert [each["action"] for each in (taken, repaired, back)] == [
        "take_in",
        "maintain",
        "hand_back",
    ]
    assert taken["reason"] == "no picture"
    first, second = repaired["told"]["parts"]
    assert (first["serial_out"], first["unit_out"]) == ("S-OLD", None)
    assert first["unit_in"] == world.unit("P-1")["id"]
    assert (second["quantity"], second["serial_in"]) == (4, None)
    assert world.unit("P-1")["status"] == "in_stock"
    # It was served, not sold again: its warranty goes on.
    assert covered(world).covers[0].starts_on == date(2026, 11, 2)


@pytest.mark.req("R43")
def test_maintenance_of_equipment_is_recorded_by_serial(world: World) -> None:
    world.receive("SN-1")
    record(world, kind=WorkKind.MAINTENANCE, work="calibrated")
    (row,) = served(world)
    assert (row["told"]["kind"], row["told"]["work"]) == ("maintenance", "calibrated")
    assert world.unit("SN-1")["status"] == "in_stock"
    with pytest.raises(UnknownUnit):
        record(world, "SN-404")


@pytest.mark.parametrize(
    "wrong",
    [
        {"work": " "},
        {"technician": "x" * 201},
        {"parts": (Part(part=" "),)},
        {"parts": (Part(part="p", quantity=0),)},
        {"parts": (Part(part="p", quantity=2, serial_in="1"),)},
        {"parts": (Part(part="p"),) * 101},
        {"cost": 5},
        {"cost": -1, "currency": "EUR"},
        {"cost": 1, "currency": "euro"},
    ],
)
def test_work_that_makes_no_sense_is_refused(world: World, wrong: dict[str, Any]) -> None:
    world.receive("SN-1")
    with pytest.raises(InvalidInput):
        record(world, **wrong)
    assert served(world) == []


def test_only_what_is_with_us_is_handed_back(world: World) -> None:
    world.receive("SN-1")
    sell(world, "SN-2")
    world.do(Action.TAKE_IN, "SN-2", place="RETURNS")
    codes = [each.code for each in hand_back(world, "SN-1", "SN-404", "SN-2")]
    assert codes == ["STEP_NOT_ALLOWED", "UNKNOWN_UNIT", None]


@pytest.mark.req("R98", "R127")
def test_a_part_is_covered_from_the_sale_of_its_set(world: World) -> None:
    product(world)
    world.receive("SN-1")
    details = {"kit": "k", "action": "sell"}
    world.write(lambda tx: tx.run("UPDATE unit SET status = 'in_kit' WHERE serial = 'SN-1'"))
    assert world.do(Action.FOLLOW_KIT, "SN-1", place="SHOP", details=details)[0].accepted
    assert covered(world).covers[0].starts_on == date(2026, 11, 2)


def test_many_units_are_answered_at_once(world: World) -> None:
    product(world)
    sell(world, "SN-1")
    world.receive("SN-2")
    asked = [
        cover.Asked(world.unit(serial)["id"], world.now.date(), world.now)
        for serial in ("SN-1", "SN-2")
    ]
    asked.append(replace(asked[0], on=date(2040, 1, 1)))
    found = world.read(lambda tx: cover.covers(tx, asked))
    assert [str(found[each].entitled) for each in asked] == ["yes", "no", "no"]


def test_a_promise_is_no_sale(world: World) -> None:
    """A unit that was never sold has no sale, whatever it was promised to."""
    channel = world.channel("shop")
    world.receive("SN-1")
    world.accept(channel, world.order("o-1", lines=[OrderLine(ref="l", sku="CAM", quantity=1)]))
    assert covered(world).story.sale is None


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        ("Pacific/Auckland", "2026-11-01T11:30:00+00:00", "2026-11-02"),
        ("America/Los_Angeles", "2026-11-02T07:30:00+00:00", "2026-11-01"),
        (None, "2026-11-02T00:30:00+13:00", "2026-11-02"),  # as the till states it
        (None, "2026-11-01T23:30:00-08:00", "2026-11-01"),
        (None, "2026-11-02T00:30:00+00:00", "2026-11-02"),
        ("Europe/Paris", "2026-11-02T00:30:00+13:00", "2026-11-01"),  # the place knows better
    ],
)
def test_a_day_of_sale_is_that_of_the_place_of_sale(
    world: World, zone: str | None, at: str, day: str
) -> None:
    product(world, warranty_months=12)
    card = LocationCard(code="SHOP", name="Shop", kind=LocationKind.STORE, time_zone=zone)
    shelf = LocationCard(code="SHOP-1", name="Shelf", kind=LocationKind.STORE, site="SHOP")
    world.write(lambda tx: catalogue.register_location(tx, world.context(), card))
    world.write(lambda tx: catalogue.register_location(tx, world.context(), shelf))
    world.pass_time(days=-30)
    world.receive("SN-1", place="SHOP-1")
    world.pass_time(days=31)

    def work(tx: Transaction) -> list[Verdict]:
        context = world.context(occurred_at=datetime.fromisoformat(at))
        sale = UnitCommand(action=Action.SELL)
        return ledger.record(Work(tx, context, new_id()), sale, [Scan("SN-1")])

    assert world.write(work)[0].accepted
    found = covered(world)
    assert found.story.sale is not None
    assert found.story.sale.sold_on.isoformat() == day
    (own,) = [each for each in found.covers if each.kind is CoverKind.OWN]
    assert (own.starts_on, own.ends_on) == (
        date.fromisoformat(day),
        months_after(date.fromisoformat(day), 12),
    )


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe/Paris\0"])
def test_a_time_zone_is_one_of_the_known(world: World, zone: str) -> None:
    card = LocationCard(code="X", name="X", kind=LocationKind.STORE, time_zone=zone)
    with pytest.raises(InvalidInput, match="no time zone"):
        world.write(lambda tx: catalogue.register_location(tx, world.context(), card))
