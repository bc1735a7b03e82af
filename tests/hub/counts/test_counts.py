"""Counts by serial: confirmed, missing, unexpected, misplaced; and what is done about each."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from hub import catalogue, counts, kits
from hub.catalogue import LocationCard, LocationKind, ProductCard, capture_points
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.counts import Adjusted, CountCard, Kind, Noted
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.kits import Part
from hub.ledger import hash_chain
from hub.ledger.unit_views import units as list_units
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.proof import conservation
from hub.storage.sql import Row, Transaction
from world import World


def start(world: World, location: str = "WH", ref: str = "C-1", **more: Any) -> None:
    card = CountCard(ref=ref, location=location, **more)
    world.write(lambda tx: counts.open_count(tx, world.context(), card))
    world.pass_time(minutes=1)


def scan(
    world: World, *serials: str, place: str | None = None, counter: str = "anna", ref: str = "C-1"
) -> list[Noted]:
    scans = [Scan(serial) for serial in serials]
    context = world.context(actor=counter)
    found = world.write(lambda tx: counts.count_units(tx, context, ref, place, scans))
    world.pass_time(seconds=1)
    return found


def compare(world: World, ref: str = "C-1") -> dict[str, int]:
    return world.write(lambda tx: counts.compare(tx, world.context(), ref))


def adjust(world: World, reason: str | None = "recount", **more: Any) -> list[Adjusted]:
    context = world.context(reason=reason, actor="olga")
    return world.write(lambda tx: counts.adjust(Work(tx, context, new_id()), "C-1", **more))


def close(world: World, reason: str | None = None, ref: str = "C-1") -> int:
    context = world.context(reason=reason)
    return world.write(lambda tx: counts.close(Work(tx, context, new_id()), ref))


def found(world: World, kind: Kind | None = None) -> dict[str, Row]:
    rows = world.read(lambda tx: counts.results(tx, "C-1", first=100, after=None, kind=kind))
    return {row["identifier"]: row | {"evidence": orjson.loads(row["evidence"])} for row in rows}


def kinds(world: World) -> dict[str, str]:
    return {name: row["kind"] for name, row in found(world).items()}


def cases(world: World) -> list[tuple[str, str]]:
    rows = world.rows("SELECT kind, subject FROM exception_case ORDER BY kind, subject")
    return [(row["kind"], row["subject"]) for row in rows]


def whole(world: World) -> None:
    assert world.read(conservation.check).breaches == ()
    assert world.read(hash_chain.verify).breaks == ()


@pytest.mark.req("R61", "R62")
def test_a_count_lists_confirmed_missing_unexpected_and_misplaced_serials(world: World) -> None:
    world.receive("SN-1", "SN-2")
    world.receive("SN-3", place="WH-A1")
    world.receive("SN-4", place="SHOP")
    world.receive("SN-5")
    world.do(Action.SELL, "SN-5")
    start(world)
    scan(world, "SN-1", "SN-4", "SN-5", "NOBODY-9")
    assert compare(world) == {"confirmed": 1, "missing": 2, "unexpected": 2, "misplaced": 1}
    assert kinds(world) == {
        "SN-1": "confirmed",
        "SN-2": "missing",  # phantom stock, by its serial
        "SN-3": "missing",
        "SN-4": "misplaced",
        "SN-5": "unexpected",
        "NOBODY-9": "unexpected",
    }
    row = found(world)["SN-4"]
    assert (row["expected_code"], row["found_code"]) == ("SHOP", "WH")
    assert found(world)["SN-5"]["evidence"]["status"] == "sold"
    assert set(found(world, Kind.MISSING)) == {"SN-2", "SN-3"}


@pytest.mark.req("R65")
def test_a_missing_unit_is_named_with_when_where_and_by_whom_it_was_last_seen(
    world: World,
) -> None:
    world.receive("SN-1")
    world.pass_time(hours=3)
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    seen_at = micros(world.now)
    world.pass_time(hours=3)
    world.do(Action.ALLOCATE, "SN-1", hold_reference="cart-7")  # nobody sees a unit by this
    start(world)
    compare(world)
    evidence = found(world)["SN-1"]["evidence"]
    assert evidence["last_seen"] == {
        "at": seen_at,
        "location": "WH-A1",
        "by": "tester",
        "action": "move",
    }
    assert evidence["promised_to"] == "cart-7"
    adjust(world, kind=Kind.MISSING)
    (case,) = world.rows("SELECT * FROM exception_case")
    assert (case["kind"], case["subject"]) == ("missing_unit", "SN-1")
    assert "at WH-A1 by tester" in case["summary"]
    assert "promised to cart-7" in case["summary"]
    whole(world)


@pytest.mark.req("R63")
def test_a_count_is_partial_by_bin_product_category_and_value(world: World) -> None:
    card = ProductCard(
        sku="LENS", name="Lens", manufacturer="ACME", category="optics", value=90_000,
        currency="EUR",
    )  # fmt: skip
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
    world.receive("SN-1")
    world.receive("SN-2", place="WH-A1")
    world.receive("L-1", sku="LENS")
    for ref, location, more, missing in (
        ("bin", "WH-A1", {}, {"SN-2"}),
        ("product", "WH", {"product": "CAM"}, {"SN-1", "SN-2"}),
        ("category", "WH", {"category": "optics"}, {"L-1"}),
        ("value", "WH", {"value_from": 90_000}, {"L-1"}),
        ("more", "WH", {"value_from": 90_001}, set()),
    ):
        start(world, location, ref=ref, **more)
        compare(world, ref)
        rows = world.read(lambda tx, r=ref: counts.results(tx, r, first=9, after=None))
        assert {row["identifier"] for row in rows} == missing, ref
    # Of what is not asked for, only what stands wrong is named.
    start(world, "WH", ref="narrow", product="LENS")
    scan(world, "SN-1", "L-1", ref="narrow")
    assert compare(world, "narrow")["confirmed"] == 1


@pytest.mark.req("R63")
def test_work_goes_on_while_people_count(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", "SN-4")
    world.receive("SN-5", place="SHOP")
    start(world)
    scan(world, "SN-2", "SN-3", place="WH")
    world.do(Action.SELL, "SN-1")  # left before it was read
    world.do(Action.SELL, "SN-2")  # left after it was read
    world.do(Action.MOVE, "SN-3", place="WH-A1")
    world.do(Action.TRANSFER_OUT, "SN-5", place="WH")
    world.do(Action.TRANSFER_IN, "SN-5", place="WH-A1")  # came where was counted already
    world.receive("SN-6", place="WH-A1")
    scan(world, "SN-4")
    compare(world)
    assert kinds(world) == {"SN-2": "confirmed", "SN-3": "confirmed", "SN-4": "confirmed"}
    assert close(world) == 2  # what was sold meanwhile is not recorded as seen here
    whole(world)


@pytest.mark.req("R61")
def test_a_bin_is_counted_by_its_own_and_a_building_confirms_all_its_bins(world: World) -> None:
    world.receive("SN-1", place="WH-A1")
    world.receive("SN-2")
    start(world)
    scan(world, "SN-1")  # read somewhere in the building
    scan(world, "SN-2", place="WH-A1")  # read in a bin where the ledger does not have it
    compare(world)
    assert kinds(world) == {"SN-1": "confirmed", "SN-2": "misplaced"}
    with pytest.raises(InvalidInput, match="not counted here"):
        scan(world, "SN-1", place="SHOP")
    with pytest.raises(UnknownReference):
        scan(world, "SN-1", place="NOWHERE")


def test_a_blind_count_tells_nothing_and_an_open_one_everything_at_once(world: World) -> None:
    world.receive("SN-1", place="WH-A1")
    world.receive("SN-2", place="SHOP")
    start(world, blind=True)
    given = ("SN-1", "SN-2", "NOBODY-9", "")
    assert [each.answer for each in scan(world, *given)] == ["noted", "noted", "noted", None]
    start(world, ref="C-2")
    answers = scan(world, *given, place="WH-A1", ref="C-2")
    assert [each.answer for each in answers] == ["expected", "misplaced", "unexpected", None]
    refusal = answers[3].refusal
    assert refusal is not None
    assert refusal.code == "INVALID_BARCODE"


def test_the_same_reading_again_is_counted_once(world: World) -> None:
    world.receive("SN-1")
    start(world)
    scan(world, "SN-1", "sn 1", counter="anna")
    scan(world, "SN-1", counter="ben")
    (row,) = world.rows("SELECT * FROM count_scan")
    assert (row["reads"], row["counter"]) == (3, "anna")
    assert compare(world)["confirmed"] == 1
    assert compare(world)["confirmed"] == 1


@pytest.mark.req("R63")
def test_several_people_count_at_once_and_two_places_at_once_are_shown(world: World) -> None:
    world.receive("SN-1")
    world.receive("SN-2", place="WH-A1")
    start(world)

    async def race() -> None:
        def reading(counter: str, place: str | None, *serials: str) -> Any:
            context = world.context(actor=counter)
            scans = [Scan(serial) for serial in serials]
            return lambda tx: counts.count_units(tx, context, "C-1", place, scans)

        await asyncio.gather(
            world.database.write(reading("anna", "WH", "SN-1")),
            world.database.write(reading("ben", "WH-A1", "SN-1", "SN-2")),
            world.database.write(reading("cleo", "WH-A1", "SN-2", "SN-1")),
        )

    asyncio.run(race())
    compare(world)
    assert kinds(world) == {"SN-1": "misplaced", "SN-2": "confirmed"}
    evidence = found(world)["SN-1"]["evidence"]
    assert evidence["conflict"]
    assert {each["location"] for each in evidence["scans"]} == {"WH", "WH-A1"}
    assert adjust(world, kind=Kind.MISPLACED) == []  # a person decides, and names it
    (done,) = adjust(world, subjects=[world.unit("SN-1")["id"]])
    assert done.action == "move"
    assert world.unit("SN-1")["location_code"] == "WH-A1"


@pytest.mark.req("R64")
def test_every_adjustment_has_its_reason_actor_and_reference(world: World) -> None:
    world.receive("SN-1")
    start(world)
    compare(world)
    for reason in (None, "  ", "x" * 201):
        with pytest.raises(InvalidInput, match="no variance stays unexplained"):
            adjust(world, reason=reason, kind=Kind.MISSING)
    assert world.unit("SN-1")["status"] == "in_stock"
    (done,) = adjust(world, reason="gone from the shelf", kind=Kind.MISSING)
    assert (done.action, done.code) == ("lose", None)
    event = world.history("SN-1")[-1]
    assert (event["reason"], event["actor"]) == ("gone from the shelf", "olga")
    assert (event["document_type"], event["document_ref"]) == ("stock_count", "C-1")
    assert (event["status"], event["biz_step"]) == ("missing", "cycle_counting")
    row = found(world)["SN-1"]
    assert (row["state"], row["reason"], row["resolved_by"]) == (
        "adjusted",
        "gone from the shelf",
        "olga",
    )
    whole(world)


@pytest.mark.req("R61", "R65")
def test_what_stands_wrong_is_moved_within_a_site_and_relocated_across_sites(
    world: World,
) -> None:
    channel = world.channel()
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    world.receive("SN-3", place="SHOP")
    world.write(lambda tx: tx.run("DELETE FROM listing_level"))
    start(world)
    scan(world, "SN-1", "SN-3", place="WH-A1")
    scan(world, "SN-2")
    compare(world)
    done = adjust(world, kind=Kind.MISPLACED)
    assert {each.identifier: each.action for each in done} == {"SN-1": "move", "SN-3": "relocate"}
    assert world.unit("SN-3")["location_code"] == "WH-A1"
    assert world.unit("SN-3")["location_site_id"] == world.unit("SN-2")["location_id"]
    assert compare(world) == {"confirmed": 1, "missing": 0, "unexpected": 0, "misplaced": 2}
    assert adjust(world, kind=Kind.MISPLACED) == []
    whole(world)


def test_a_missing_unit_that_is_read_is_found_again_and_restocked_on_request(
    world: World,
) -> None:
    world.receive("SN-1", "SN-2", "SN-3")
    start(world)
    compare(world)
    adjust(world, kind=Kind.MISSING)
    assert cases(world) == [("missing_unit", f"SN-{number}") for number in (1, 2, 3)]
    world.do(Action.REPORT_STOLEN, "SN-3")
    start(world, ref="C-2")
    scan(world, "SN-1", "SN-3", ref="C-2", place="WH-A1")
    compare(world, "C-2")
    context = world.context(reason="behind the shelf")
    done = world.write(
        lambda tx: counts.adjust(
            Work(tx, context, new_id()), "C-2", kind=Kind.UNEXPECTED, restock=True
        )
    )
    assert {each.action for each in done} == {"find"}
    assert (world.unit("SN-1")["status"], world.unit("SN-1")["location_code"]) == (
        "in_stock",
        "WH-A1",
    )
    assert world.unit("SN-3")["status"] == "returned"  # it was stolen: it is looked at first
    open_cases = world.rows("SELECT subject FROM exception_case WHERE state <> 'resolved'")
    assert [case["subject"] for case in open_cases] == ["SN-2"]
    whole(world)


def test_what_nobody_knows_and_what_is_gone_become_cases(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")
    start(world)
    scan(world, "SN-1", "NOBODY-9")
    compare(world)
    done = adjust(world, kind=Kind.UNEXPECTED)
    assert {each.identifier: each.case for each in done} == {
        "SN-1": "wrong_status",
        "NOBODY-9": "unknown_serial",
    }
    assert cases(world) == [("unknown_serial", "NOBODY-9"), ("wrong_status", "SN-1")]
    assert world.unit("SN-1")["status"] == "sold"


def test_what_changed_since_the_comparison_is_not_adjusted(world: World) -> None:
    world.receive("SN-1", "SN-2")
    start(world)
    compare(world)
    world.do(Action.SELL, "SN-1")
    by_name = {each.identifier: each for each in adjust(world, kind=Kind.MISSING)}
    assert (by_name["SN-1"].code, by_name["SN-2"].action) == ("VERSION_CONFLICT", "lose")
    assert world.unit("SN-1")["status"] == "sold"
    assert compare(world)["missing"] == 1  # what was adjusted stays, what was sold is gone
    again = adjust(world, subjects=[world.unit("SN-2")["id"]])
    assert again[0].code == "STEP_NOT_ALLOWED"


def test_an_order_that_loses_its_unit_gets_another_or_a_case(world: World) -> None:
    channel = world.channel()
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    world.accept(channel, world.order("o-1"))
    promised = world.value("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    other = {"SN-1": "SN-2", "SN-2": "SN-1"}[promised]
    start(world)
    scan(world, other)
    compare(world)
    adjust(world, kind=Kind.MISSING)
    assert world.value("SELECT serial FROM unit WHERE promised_to IS NOT NULL") == other
    assert cases(world) == [("missing_unit", promised)]
    # And when the last one is gone too, the order has its case.
    start(world, ref="C-2")
    compare(world, "C-2")
    context = world.context(reason="gone")
    world.write(lambda tx: counts.adjust(Work(tx, context, new_id()), "C-2", kind=Kind.MISSING))
    assert ("oversold", "o-1/l-1") in cases(world)
    whole(world)


def test_closing_records_what_was_seen_and_leaves_nothing_unexplained(world: World) -> None:
    world.receive("SN-1", "SN-2")
    start(world)
    scan(world, "SN-1")
    with pytest.raises(StepNotAllowed, match="compare"):
        close(world)
    with pytest.raises(StepNotAllowed, match="compare"):
        adjust(world, kind=Kind.MISSING)
    compare(world)
    with pytest.raises(StepNotAllowed, match="1 differences"):
        close(world)
    assert close(world, reason="the shop lends it out") == 1
    event = world.history("SN-1")[-1]
    assert (event["action"], event["document_ref"]) == ("count", "C-1")
    row = found(world)["SN-2"]
    assert (row["state"], row["reason"]) == ("left", "the shop lends it out")
    for late in (lambda: scan(world, "SN-2"), lambda: compare(world), lambda: close(world)):
        with pytest.raises(StepNotAllowed, match="closed"):
            late()
    whole(world)


def test_a_cancelled_count_changes_nothing(world: World) -> None:
    world.receive("SN-1")
    start(world)
    events = world.value("SELECT COUNT(*) FROM event")
    world.write(lambda tx: counts.cancel(tx, world.context(), "C-1"))
    with pytest.raises(StepNotAllowed, match="cancelled"):
        compare(world)
    assert world.value("SELECT COUNT(*) FROM event") == events


@pytest.mark.parametrize(
    ("card", "field"),
    [
        ({"ref": " "}, "ref"),
        ({"ref": "C-1"}, "ref"),
        ({"category": ""}, "category"),
        ({"value_from": -1}, "valueFrom"),
    ],
)
def test_a_count_that_makes_no_sense_is_refused(
    world: World, card: dict[str, Any], field: str
) -> None:
    start(world)
    good = CountCard(ref="C-2", location="WH")
    with pytest.raises(InvalidInput) as refusal:
        world.write(lambda tx: counts.open_count(tx, world.context(), replace(good, **card)))
    assert refusal.value.details["field"] == field


@pytest.mark.parametrize(
    "given",
    [{}, {"kind": Kind.MISSING, "subjects": ["x"]}, {"kind": Kind.CONFIRMED}, {"subjects": []}],
)
def test_an_adjustment_names_serials_or_one_kind(world: World, given: dict[str, Any]) -> None:
    start(world)
    compare(world)
    with pytest.raises(InvalidInput):
        adjust(world, **given)
    with pytest.raises(UnknownReference):
        adjust(world, subjects=["nothing"])


@pytest.mark.req("R66")
def test_the_accuracy_of_a_place_and_its_drift_are_followed(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", "SN-4")
    for ref, seen in (("C-1", 4), ("C-2", 3), ("C-3", 2)):
        start(world, ref=ref)
        scan(world, *(f"SN-{number}" for number in range(1, seen + 1)), ref=ref)
        compare(world, ref)
        close(world, reason="as counted", ref=ref)
        world.pass_time(days=30)
    found = world.read(lambda tx: counts.accuracy(tx, "WH"))
    assert [tally.accuracy for _, tally in found.counts] == [1.0, 0.75, 0.5]
    assert found.drift == -0.5
    since = world.read(lambda tx: counts.accuracy(tx, "WH", since=world.now))
    assert (since.counts, since.drift) == ((), None)
    assert world.read(lambda tx: counts.accuracy(tx, "SHOP")).counts == ()


def test_parts_are_counted_with_their_kit_and_confirm_by_their_own_label(world: World) -> None:
    world.receive("SN-1")
    world.receive("L-1", "L-2", sku="LENS")
    parts = [Part(Scan("L-1")), Part(Scan("L-2"))]
    world.write(lambda tx: kits.assemble(Work(tx, world.context(), new_id()), Scan("SN-1"), parts))
    start(world)
    scan(world, "SN-1", "L-1")
    assert compare(world) == {"confirmed": 2, "missing": 0, "unexpected": 0, "misplaced": 0}
    assert close(world) == 2


def test_a_large_site_compares_with_a_handful_of_statements(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.receive(*(f"SN-{number}" for number in range(600)))
    start(world)
    scan(world, *(f"SN-{number}" for number in range(500)))
    kind = type(world.write(lambda tx: tx))
    ask, asked = kind.rows, []

    def rows(tx: Transaction, statement: str, **values: Any) -> list[Row]:
        asked.append(statement)
        return ask(tx, statement, **values)

    monkeypatch.setattr(kind, "rows", rows)
    assert compare(world) == {"confirmed": 500, "missing": 100, "unexpected": 0, "misplaced": 0}
    assert len(asked) < 20


@pytest.mark.req("R58", "R59")
def test_places_cover_every_kind_and_each_lists_its_serials(world: World) -> None:
    for code, kind in (("FIX", LocationKind.REPAIR),):
        card = LocationCard(code=code, name=code, kind=kind)
        world.write(lambda tx, c=card: catalogue.register_location(tx, world.context(), c))
    world.receive(*(f"SN-{number}" for number in range(1, 7)))
    world.do(Action.TRANSFER_OUT, "SN-2", "SN-3", place="SHOP")
    world.do(Action.TRANSFER_IN, "SN-3", place="SHOP")
    world.do(Action.SELL, "SN-4", "SN-5", "SN-6")
    world.do(Action.ACCEPT_RETURN, "SN-5", place="RETURNS")
    world.do(Action.TAKE_IN, "SN-6", place="FIX")
    held = {
        "WH": "SN-1",
        "IN-TRANSIT": "SN-2",
        "SHOP": "SN-3",
        "CUSTOMER": "SN-4",
        "RETURNS": "SN-5",
        "FIX": "SN-6",
    }
    for code, serial in held.items():
        rows = world.read(lambda tx, c=code: list_units(tx, first=9, after=None, location=c))
        assert [row["serial"] for row in rows] == [serial]
        assert world.unit(serial)["location_code"] == code
    known = {row["kind"] for row in world.rows("SELECT DISTINCT kind FROM location")}
    assert known == {str(kind) for kind in LocationKind}
    whole(world)


@pytest.mark.req("R60")
def test_availability_is_the_count_of_the_sellable_serials_there(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", "SN-4")
    world.receive("SN-5", place="SHOP")
    world.do(Action.ALLOCATE, "SN-2", hold_reference="cart")
    world.do(Action.HOLD, "SN-3", hold_kind="quality")
    start(world)
    scan(world, "SN-1", "SN-2", "SN-3")
    compare(world)
    adjust(world, kind=Kind.MISSING)  # phantom stock is for sale no longer
    assert world.read(conservation.check).available == 2
    whole(world)


def test_a_product_that_must_be_scanned_to_be_counted_is(world: World) -> None:
    card = ProductCard(
        sku="SAW", name="Saw", manufacturer="BOLT", capture_points=(str(Action.COUNT),)
    )
    assert Action.COUNT not in capture_points.NO_POINTS
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
    world.receive("S-1", sku="SAW")
    start(world)
    scan(world, "S-1")
    compare(world)
    assert close(world) == 0  # it was typed, so nobody is sure
