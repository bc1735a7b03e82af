"""Deliveries: what is announced is expected, what comes is compared, what differs is a case."""

import asyncio
from datetime import date
from typing import Any

import orjson
import pytest

from hub import catalogue
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.inbound import receiving, ship_notices
from hub.inbound.ship_notice_check import DeliveryCheck, compare
from hub.inbound.ship_notices import DeliveryCard, LineCard
from hub.ledger.arrivals import Arrival, Condition, Fact, RecordOrigin
from hub.ledger.event_writer import Verdict
from hub.lifecycle import Action
from hub.proof import conservation
from hub.storage.sql import Row
from hub.vocabulary import CaptureMethod
from world import World


def codes(verdicts: list[Verdict]) -> list[str | None]:
    return [verdict.code for verdict in verdicts]


def line(ref: str, *serials: str, product: str = "CAM", quantity: int = 0, **more: Any) -> LineCard:
    return LineCard(
        ref=ref, product=product, quantity=quantity or len(serials), serials=serials, **more
    )


def announce(world: World, *lines: LineCard, ref: str = "ASN-1") -> tuple[str, list[Verdict]]:
    card = DeliveryCard(
        supplier="ACME", ref=ref, lines=lines, purchase_order="PO-7", expected_on=date(2026, 11, 3)
    )
    return world.write(lambda tx: ship_notices.announce(Work(tx, world.context(), new_id()), card))


def arrive(
    world: World, *arrivals: str | Arrival, delivery: str | None = None, **more: Any
) -> list[Verdict]:
    given = [
        Arrival(serial=each, product="CAM") if isinstance(each, str) else each for each in arrivals
    ]
    context = world.context(**more.pop("context", {}))
    return world.write(
        lambda tx: receiving.receive(
            Work(tx, context, new_id()),
            given,
            catalogue.location(tx, "WH"),
            delivery=ship_notices.find(tx, "ACME", delivery) if delivery else None,
            **more,
        )
    )


def commission(world: World, point: RecordOrigin, place: str | None, *given: Arrival) -> Any:
    return world.write(
        lambda tx: receiving.commission(
            Work(tx, world.context(), new_id()),
            given,
            catalogue.location(tx, place) if place else None,
            point=point,
        )
    )


def close(world: World, delivery_id: str, **more: Any) -> DeliveryCheck:
    more = {"give_up": False} | more
    return world.write(
        lambda tx: ship_notices.close(Work(tx, world.context(), new_id()), delivery_id, **more)
    )


def check(world: World, delivery_id: str) -> DeliveryCheck:
    return world.read(lambda tx: compare(tx, delivery_id))


def case(world: World) -> Row:
    (found,) = world.rows("SELECT * FROM exception_case WHERE kind = 'delivery_variance'")
    return found


def told(event: Row) -> Any:
    return orjson.loads(event["details"])


@pytest.mark.req("R2")
def test_a_unit_is_born_where_it_is_made_labelled_or_received_and_the_point_is_kept(
    world: World,
) -> None:
    commission(world, RecordOrigin.MANUFACTURING, None, Arrival(serial="M-1", product="CAM"))
    commission(world, RecordOrigin.LABELLING, "WH", Arrival(serial="L-1", product="CAM"))
    arrive(world, "R-1")
    stood = {
        serial: (unit["origin"], unit["status"], unit["location_code"])
        for serial in ("M-1", "L-1", "R-1")
        if (unit := world.unit(serial))
    }
    assert stood == {
        "M-1": ("manufacturing", "expected", "SUPPLIER"),
        "L-1": ("labelling", "received", "WH"),
        "R-1": ("receiving", "received", "WH"),
    }
    for serial in ("M-1", "L-1"):
        (event,) = world.history(serial)
        assert (event["action"], event["biz_step"]) == ("commission", "commissioning")
        assert told(event)["origin"] == stood[serial][0]
    assert world.unit("M-1")["received_at"] is None
    again = commission(world, RecordOrigin.LABELLING, "WH", Arrival(serial="m1", product="CAM"))
    assert codes(again) == ["DUPLICATE_SERIAL"]
    assert world.read(conservation.check).holds


@pytest.mark.req("R2", "R4")
def test_a_unit_that_was_made_is_received_with_its_own_record(world: World) -> None:
    commission(world, RecordOrigin.MANUFACTURING, None, Arrival(serial="M-1", product="CAM"))
    arrival = Arrival(
        serial="m1", product="CAM", supplier="ACME", purchase_order="PO-7", lot="L7",
        identifiers=(("imei", "490154203237518"),), condition=Condition.OPEN_BOX,
    )  # fmt: skip
    assert codes(arrive(world, arrival, put_away=True)) == [None]
    unit = world.unit("490154203237518")
    assert [unit[name] for name in ("serial", "origin", "status", "lot", "supplier", "condition")] \
        == ["M-1", "manufacturing", "in_stock", "L7", "ACME", "open_box"]  # fmt: skip
    assert [event["action"] for event in world.history("M-1")] == [
        "commission", "receive", "put_away",
    ]  # fmt: skip
    assert unit["received_at"] == micros(world.now)
    assert codes(arrive(world, "M-1")) == ["DUPLICATE_SERIAL"]
    assert world.value("SELECT COUNT(*) FROM unit") == 1
    assert world.read(conservation.check).holds


@pytest.mark.req("R4", "R5", "R45")
def test_a_receipt_keeps_order_supplier_time_place_lot_and_client(world: World) -> None:
    world.write(
        lambda tx: tx.run(
            "INSERT INTO client(id, code, name, created_at) VALUES('c-1', 'NORD', 'Nord', 0)"
        )
    )
    arrival = Arrival(
        serial="SN-1", product="CAM", supplier="ACME", purchase_order="PO-7", lot="L7",
        client="NORD", expires_on=date(2030, 1, 31),
    )  # fmt: skip
    wrong = Arrival(serial="SN-2", product="CAM", client="SUED")
    long = Arrival(serial="SN-3", product="CAM", supplier="x" * 101)
    assert codes(arrive(world, arrival, wrong, long)) == [
        None, "UNKNOWN_REFERENCE", "INVALID_INPUT",
    ]  # fmt: skip
    unit = world.unit("SN-1")
    kept = ("supplier", "purchase_order", "lot", "client_id", "expires_on", "location_code")
    assert [unit[name] for name in kept] == ["ACME", "PO-7", "L7", "c-1", "2030-01-31", "WH"]
    assert unit["received_at"] == micros(world.now)
    sealed = told(world.history("SN-1")[0])
    assert (sealed["supplier"], sealed["purchase_order"], sealed["lot"]) == ("ACME", "PO-7", "L7")


@pytest.mark.req("R42")
def test_what_happened_before_the_receipt_is_sealed_in_the_first_event(world: World) -> None:
    arrival = Arrival(
        serial="SN-1", product="CAM", batch="B-4", designed_on=date(2025, 1, 2),
        tested_on=date(2026, 3, 4), produced_on=date(2026, 3, 1),
        history=(Fact(what="burn-in", on=date(2026, 3, 3), reference="T-9"),),
    )  # fmt: skip
    many = Arrival(serial="SN-2", product="CAM", history=(Fact(what="x"),) * 51)
    empty = Arrival(serial="SN-3", product="CAM", history=(Fact(what=""),))
    assert codes(arrive(world, arrival, many, empty)) == [None, "INVALID_INPUT", "INVALID_INPUT"]
    sealed = told(world.history("SN-1")[0])
    assert sealed["produced_on"] == "2026-03-01"
    assert (sealed["batch"], sealed["designed_on"], sealed["tested_on"]) == (
        "B-4", "2025-01-02", "2026-03-04",
    )  # fmt: skip
    assert sealed["history"] == [{"what": "burn-in", "on": "2026-03-03", "reference": "T-9"}]


@pytest.mark.req("R3")
def test_a_unit_that_was_not_received_is_not_put_away(world: World) -> None:
    announce(world, line("1", "A-1"))
    (unknown,) = world.do(Action.PUT_AWAY, "NOBODY", place="WH")
    (expected,) = world.do(Action.PUT_AWAY, "A-1", place="WH")
    assert (unknown.code, expected.code) == ("UNKNOWN_UNIT", "STEP_NOT_ALLOWED")
    arrive(world, "A-1")
    (received,) = world.do(Action.PUT_AWAY, "A-1", place="WH")
    assert received.accepted


@pytest.mark.req("R6")
def test_a_delivery_is_checked_unit_by_unit(world: World) -> None:
    delivery, verdicts = announce(
        world,
        line("1", "A-1", "A-2", "A-3"),
        line("2", product="LENS", quantity=2, lot="L7"),
        line("3", "S-1", product="SAW"),
    )
    assert codes(verdicts) == [None] * 4
    before = check(world, delivery)
    assert (before.matched, before.short, before.missing) == ([], ["A-1", "A-2", "A-3", "S-1"], 6)
    stranger = Arrival(serial="S-1", product="LENS", lot="L7")  # announced as a saw
    arrive(world, "A-1", "X-1", stranger, delivery="ASN-1")
    arrive(world, "A-2")  # nobody names the delivery: it is known all the same
    lenses = [Arrival(serial=f"L-{number}", product="LENS", lot="L7") for number in range(3)]
    arrive(world, *lenses, delivery="ASN-1")
    found = check(world, delivery)
    cams, lens, saw = found.lines
    assert (cams.matched, cams.short, cams.unexpected) == (["A-1", "A-2"], ["A-3"], ["X-1"])
    assert (lens.matched, lens.over, lens.unexpected) == (["L-0", "L-1"], ["L-2"], ["S-1"])
    assert (saw.matched, saw.short) == ([], ["S-1"])
    assert (found.missing, found.agrees) == (2, False)
    for serial in ("A-1", "X-1", "L-0"):
        unit = world.unit(serial)
        assert (unit["supplier"], unit["purchase_order"]) == ("ACME", "PO-7")
        assert unit["delivery_id"] == delivery


def test_what_nobody_announced_is_a_stranger_and_another_lot_fills_no_line(world: World) -> None:
    delivery, _ = announce(world, line("1", quantity=2, lot="L1"))
    lots = [Arrival(serial=f"C-{lot}", product="CAM", lot=lot) for lot in ("L2", "L1")]
    arrive(world, *lots, Arrival(serial="W-1", product="SAW"), delivery="ASN-1")
    found = check(world, delivery)
    assert (found.matched, found.strangers, found.over) == (["C-L1"], ["W-1"], [])
    assert (found.unexpected, found.missing) == (["C-L2", "W-1"], 1)


@pytest.mark.req("R6", "R22")
def test_a_serial_that_is_known_is_refused_by_itself(world: World) -> None:
    world.receive("A-1")
    delivery, verdicts = announce(world, line("1", "A-1", "A-2", "a2", ""), line("2", "A-3"))
    assert codes(verdicts) == [None if n in {1, 4} else code for n, code in enumerate(
        ["DUPLICATE_SERIAL", None, "DUPLICATE_SERIAL", "INVALID_BARCODE", None])]  # fmt: skip
    assert world.unit("A-2")["status"] == "expected"
    assert world.unit("A-1")["delivery_id"] is None
    (event,) = world.history("A-2")
    assert (event["document_type"], event["document_ref"]) == ("desadv", "ASN-1")
    assert check(world, delivery).missing == 5


def test_what_is_announced_must_make_sense_and_is_announced_once(world: World) -> None:
    announce(world, line("1", "A-1"))
    for lines, field in (
        ([line("1", "B-1")], "ref"),  # the same reference again
        ([], "lines"),
        ([line("1", "B-1"), line("1", "B-2")], "lines"),
        ([line("1", "B-1", "B-2", quantity=1)], "serials"),
        ([line("1", quantity=1_000_001)], "quantity"),
        ([line("", "B-1")], "ref"),
        ([line("1", "B-1", lot="x" * 51)], "lot"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            announce(world, *lines, ref="ASN-1" if field == "ref" else "ASN-2")
        assert refusal.value.details["field"] == field
    with pytest.raises(UnknownReference):
        announce(world, line("1", "B-1", product="NONE"), ref="ASN-3")
    with pytest.raises(UnknownReference):
        arrive(world, "B-1", delivery="ASN-9")
    assert world.value("SELECT COUNT(*) FROM delivery") == 1
    assert world.value("SELECT COUNT(*) FROM unit") == 1


@pytest.mark.req("R6", "R21")
def test_what_is_short_becomes_a_case_that_ends_when_it_comes_late(world: World) -> None:
    delivery, _ = announce(world, line("1", "A-1", "A-2", "A-3"))
    arrive(world, "A-1", delivery="ASN-1")
    found = close(world, delivery, give_up=True, owner="dock")
    assert found.short == ["A-2", "A-3"]
    opened = case(world)
    assert (opened["state"], opened["owner"], opened["subject"]) == (
        "assigned", "dock", "ACME/ASN-1",
    )  # fmt: skip
    assert told(opened)["short"] == ["A-2", "A-3"]
    lost = world.history("A-2")[-1]
    assert (lost["status"], lost["reason"]) == ("missing", "not in the delivery")
    with pytest.raises(StepNotAllowed):
        close(world, delivery)
    world.pass_time(hours=1)
    assert codes(arrive(world, "A-2", put_away=True)) == [None]
    unit = world.unit("A-2")  # given up and found: somebody looks at it first
    assert (unit["status"], unit["received_at"]) == ("returned", micros(world.now))
    assert told(case(world))["short"] == ["A-3"]
    arrive(world, "A-3", delivery="ASN-1")
    assert (case(world)["state"], check(world, delivery).agrees) == ("resolved", True)
    assert world.read(conservation.check).holds


def test_what_is_short_may_stay_expected_and_what_is_right_is_no_case(world: World) -> None:
    short, _ = announce(world, line("1", "A-1", "A-2"))
    right, _ = announce(world, line("1", "B-1"), line("2", quantity=1), ref="ASN-2")
    arrive(world, "A-1")
    arrive(world, "B-1", "B-2", delivery="ASN-2")
    assert close(world, right, give_up=True).agrees
    close(world, short)
    assert case(world)["subject"] == "ACME/ASN-1"
    assert world.unit("A-2")["status"] == "expected"
    arrive(world, "A-2")
    assert case(world)["state"] == "resolved"
    arrive(world, "A-3", delivery="ASN-1")  # one too many, after the closing
    assert told(world.rows("SELECT * FROM exception_case ORDER BY id")[-1])["over"] == ["A-3"]


def test_an_expected_unit_of_another_lot_or_with_a_foreign_name_is_refused(world: World) -> None:
    announce(world, line("1", "A-1", lot="L1"))
    world.write(
        lambda tx: receiving.receive(
            Work(tx, world.context(), new_id()),
            [Arrival(serial="B-1", product="CAM", identifiers=(("imei", "490154203237518"),))],
            catalogue.location(tx, "WH"),
        )
    )  # fmt: skip
    other = Arrival(serial="A-1", product="CAM", lot="L2")
    foreign = Arrival(serial="A-1", product="CAM", identifiers=(("imei", "490154203237518"),))
    assert codes(arrive(world, other, foreign)) == ["INVALID_INPUT", "DUPLICATE_SERIAL"]
    assert world.unit("A-1")["status"] == "expected"
    assert codes(arrive(world, "A-1", "a1")) == [None, "DUPLICATE_SERIAL"]


@pytest.mark.req("R8")
def test_an_expected_unit_must_be_scanned_where_its_product_says_so(world: World) -> None:
    announce(world, line("1", "A-1"))
    world.write(
        lambda tx: tx.run(
            "UPDATE product SET capture_points = :points WHERE sku = 'CAM'", points='["receive"]'
        )
    )
    assert codes(arrive(world, "A-1")) == ["CAPTURE_REQUIRED"]
    scanned = {"captured_by": CaptureMethod.SCAN}
    assert codes(arrive(world, "A-1", context=scanned)) == [None]


@pytest.mark.req("R20")
def test_two_docks_receive_one_expected_unit_once(world: World) -> None:
    announce(world, line("1", "A-1"))
    given = [Arrival(serial="A-1", product="CAM")]

    async def both() -> list[Any]:
        def one(tx: Any) -> Any:
            place = catalogue.location(tx, "WH")
            return receiving.receive(Work(tx, world.context(), new_id()), given, place)

        return list(await asyncio.gather(*(world.database.write(one) for _ in range(4))))

    verdicts = [verdict for (verdict,) in asyncio.run(both())]
    assert sum(verdict.accepted for verdict in verdicts) == 1
    assert {each.code for each in verdicts} <= {None, "DUPLICATE_SERIAL", "STEP_NOT_ALLOWED"}
    assert [event["action"] for event in world.history("A-1")] == ["commission", "receive"]


@pytest.mark.req("R32")
def test_units_that_bear_no_serial_get_one_of_ours(world: World) -> None:
    pattern = Arrival(serial="", product="SAW", lot="L7")
    made = receiving.unlabelled(pattern, 3)
    verdicts = commission(world, RecordOrigin.LABELLING, "WH", *made)
    assert codes(verdicts) == [None] * 3
    assert len({each.identifier for each in verdicts}) == 3
    assert world.unit(verdicts[0].identifier)["lot"] == "L7"
    with pytest.raises(InvalidInput):
        receiving.unlabelled(pattern, 1_001)


@pytest.mark.req("R15")
def test_a_product_has_a_rule_for_serials_of_its_own(world: World) -> None:
    world.write(
        lambda tx: tx.run(
            "UPDATE product SET serial_pattern = :rule WHERE sku = 'CAM'", rule=r"CX\d{4}"
        )
    )
    lens = Arrival(serial="12", product="LENS")  # the rule is that of one product alone
    assert codes(arrive(world, "CX0001", "CX01", "cx-0002", lens)) == [
        None, "INVALID_BARCODE", "INVALID_BARCODE", None,
    ]  # fmt: skip
    _, verdicts = announce(world, line("1", "CX0009", "9"))
    assert codes(verdicts) == [None, "INVALID_BARCODE"]


def test_a_name_that_is_given_twice_is_one_name(world: World) -> None:
    arrival = Arrival(
        serial="SN-1",
        product="CAM",
        identifiers=(("imei", "49-015420-323751-8"), ("imei", "490154203237518")),
    )
    (verdict,) = world.write(
        lambda tx: receiving.receive(
            Work(tx, world.context(), new_id()), [arrival], catalogue.location(tx, "WH")
        )
    )
    assert verdict.accepted
    assert [row["canonical"] for row in world.rows("SELECT canonical FROM identifier")] == [
        "490154203237518"
    ]
