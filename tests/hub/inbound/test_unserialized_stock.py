"""Serialization: serial tracking for stock that was there before; what is unknown is said so."""

import threading
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from hub import catalogue, counts
from hub.catalogue import ProductCard, Tracking, Trait
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.counts import CountCard, Kind
from hub.errors import InvalidInput, NotEnoughStock, UnknownReference
from hub.inbound import serialization, unserialized_stock
from hub.inbound.receiving import Arrival
from hub.inbound.unserialized_stock import Phase, SerializationOrder, UnserializedQuantity
from hub.ledger import hash_chain
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.proof import conservation
from hub.storage.sql import Transaction
from hub.sync import listings
from hub.vocabulary import CaptureMethod
from world import World


def product(world: World, sku: str, **more: Any) -> None:
    given: dict[str, Any] = {"name": sku, "manufacturer": "ACME", "tracking": Tracking.NONE}
    card = ProductCard(sku=sku, **(given | more))
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))


def start(world: World, sku: str = "OLD", reason: str = "phase 1", **stock: int) -> list[str]:
    there = [
        UnserializedQuantity(sku=sku, location=code.replace("_", "-"), quantity=quantity)
        for code, quantity in stock.items()
    ]
    context = world.context(reason=reason)
    return world.write(lambda tx: unserialized_stock.start(tx, context, sku, there))


def begun(world: World, **stock: int) -> None:
    product(world, "OLD")
    start(world, **stock)


def do(world: World, action: Action, *scans: Scan, place: str | None = None) -> list[Verdict]:
    def work(tx: Transaction) -> list[Verdict]:
        where = catalogue.location(tx, place) if place else None
        told = UnitCommand(action=action, location=where)
        return serialization.record(Work(tx, world.context(), new_id()), told, scans)

    return world.write(work)


def left(world: World) -> dict[str, int]:
    rows = world.read(lambda tx: unserialized_stock.listed(tx, first=50, after=None))
    return {row["code"]: row["quantity"] for row in rows}


def codes(verdicts: Sequence[Verdict]) -> list[str | None]:
    return [verdict.code for verdict in verdicts]


def whole(world: World) -> None:
    assert world.read(conservation.check).breaches == ()
    assert world.read(hash_chain.verify).breaks == ()


@pytest.mark.req("R202")
def test_tracking_is_switched_on_for_a_product_that_has_stock(world: World) -> None:
    product(world, "OLD", tracking=Tracking.LOT)
    assert start(world, WH=3, SHOP=2) == ["OLD"]
    (row,) = world.rows("SELECT tracking, tracked_since FROM product WHERE sku = 'OLD'")
    assert row == {"tracking": "serial_lot", "tracked_since": micros(world.now)}
    assert left(world) == {"WH": 3, "SHOP": 2}
    # It is counted apart: nothing of it can be promised before its serial is read.
    channel = world.channel()
    ids = [world.value("SELECT id FROM product WHERE sku = 'OLD'")]
    assert world.read(lambda tx: listings.available(tx, channel, ids)) == {ids[0]: 0}


@pytest.mark.req("R202")
def test_old_stock_only_becomes_less(world: World) -> None:
    begun(world, WH=3)
    since = world.value("SELECT tracked_since FROM product WHERE sku = 'OLD'")
    world.pass_time(days=1)
    start(world, reason="two are scrap", WH=1)
    with pytest.raises(NotEnoughStock):
        start(world, WH=2)
    start(world, reason="forgotten", SHOP=4)  # a further place
    assert left(world) == {"WH": 1, "SHOP": 4}
    assert world.value("SELECT tracked_since FROM product WHERE sku = 'OLD'") == since


@pytest.mark.req("R202")
def test_a_catalogue_that_is_sent_again_does_not_switch_tracking_off(world: World) -> None:
    begun(world, WH=1)
    product(world, "OLD", name="Older")
    (row,) = world.rows("SELECT name, tracking FROM product WHERE sku = 'OLD'")
    assert row == {"name": "Older", "tracking": "serial"}
    product(world, "OLD", tracking=Tracking.SERIAL_LOT)
    assert world.value("SELECT tracking FROM product WHERE sku = 'OLD'") == "serial_lot"


def test_a_start_that_makes_no_sense_is_refused(world: World) -> None:
    product(world, "OLD")
    for reason, stock, refusal in (
        (" ", {"WH": 1}, InvalidInput),
        ("x" * 201, {"WH": 1}, InvalidInput),
        ("why", {"WH": -1}, InvalidInput),
        ("why", {"WH": 10**9}, InvalidInput),
        ("why", {"NOWHERE": 1}, UnknownReference),
    ):
        with pytest.raises(refusal):
            start(world, reason=reason, **stock)
    with pytest.raises(UnknownReference):
        start(world, sku="NONE", WH=1)
    twice = [UnserializedQuantity(sku="OLD", location="WH", quantity=1)] * 2
    context = world.context(reason="why")
    with pytest.raises(InvalidInput):
        world.write(lambda tx: unserialized_stock.start(tx, context, "OLD", twice))
    assert world.value("SELECT tracking FROM product WHERE sku = 'OLD'") == "none"


@pytest.mark.req("R203")
def test_tracking_starts_by_category_or_by_value(world: World) -> None:
    product(world, "A", category="optics", value=100, currency="EUR")
    product(world, "B", category="optics", value=90_000, currency="EUR")
    product(world, "C", category="tools", value=95_000, currency="EUR")
    product(world, "D", category="tools", value=95_000, currency="JPY")
    context = world.context(reason="phase")
    stock = [UnserializedQuantity(sku="C", location="WH", quantity=7)]
    dear = Phase(value_from=90_000, currency="EUR")
    done = world.write(lambda tx: unserialized_stock.start_phase(tx, context, dear, stock))
    assert done == ["B", "C"]
    assert left(world) == {"WH": 7}
    optics = Phase(category="optics")
    assert world.write(lambda tx: unserialized_stock.start_phase(tx, context, optics, [])) == ["A"]
    for wrong in (Phase(), Phase(value_from=1), Phase(currency="EUR", category="x")):
        with pytest.raises(InvalidInput):
            world.write(
                lambda tx, each=wrong: unserialized_stock.start_phase(tx, context, each, [])
            )
    other = [UnserializedQuantity(sku="A", location="WH", quantity=1)]
    tools = Phase(category="tools")
    with pytest.raises(UnknownReference):
        world.write(lambda tx: unserialized_stock.start_phase(tx, context, tools, other))


@pytest.mark.req("R204", "R207")
@pytest.mark.parametrize(
    ("action", "place", "status"),
    [
        (Action.MOVE, "WH-A1", "in_stock"),
        (Action.TRANSFER_OUT, "SHOP", "in_transfer"),
        (Action.SELL, None, "sold"),
    ],
)
def test_a_serial_of_old_stock_is_captured_at_its_next_movement(
    world: World, action: Action, place: str | None, status: str
) -> None:
    begun(world, WH=2)
    world.pass_time(days=3)
    assert codes(do(world, action, Scan("SN-1", "OLD"), place=place)) == [None]
    unit = world.unit("SN-1")
    assert (unit["status"], unit["origin"]) == (status, "unserialized_stock")
    assert left(world) == {"WH": 1}
    history = world.history("SN-1")
    assert [event["action"] for event in history] == ["commission", "put_away", str(action)]
    gap = "history before 2026-11-05 is unknown"
    assert orjson.loads(history[0]["details"])["gap"] == gap
    assert world.read(lambda tx: serialization.gaps(tx, [unit["id"]])) == {unit["id"]: gap}
    whole(world)


@pytest.mark.req("R204")
def test_old_stock_is_picked_or_shipped_for_an_order_that_lacks_units(world: World) -> None:
    begun(world, WH=3)
    channel = world.channel()
    line = world.order("o-1").lines[0]
    order = world.order("o-1", lines=[type(line)(ref="l-1", sku="OLD", quantity=2)])
    world.list_product(channel, "OLD")
    world.accept(channel, order)
    line_id = world.value("SELECT id FROM order_line")

    def pick(tx: Transaction) -> list[Verdict]:
        told = UnitCommand(action=Action.PICK, line=line_id)
        return serialization.record(
            Work(tx, world.context(), new_id()), told, [Scan("SN-1", "OLD")]
        )

    def ship(tx: Transaction) -> list[Verdict]:
        scans = [Scan("SN-1"), Scan("SN-2", "OLD"), Scan("SN-3", "OLD")]
        return serialization.ship(
            Work(tx, world.context(), new_id()), scans, Shipment(), line=line_id
        )

    assert codes(world.write(pick)) == [None]
    # The line lacks one more, and no third: what is not needed stays old stock.
    assert codes(world.write(ship)) == [None, None, "UNKNOWN_UNIT"]
    assert left(world) == {"WH": 1}
    assert {world.unit(each)["status"] for each in ("SN-1", "SN-2")} == {"shipped"}
    whole(world)


@pytest.mark.req("R204")
def test_what_is_no_old_stock_stays_unknown(world: World) -> None:
    begun(world, WH=1)
    scans = (Scan("SN-1"), Scan("SN-2", "CAM"), Scan("SN-3", "OLD"), Scan("SN-4", "OLD"))
    verdicts = do(world, Action.MOVE, *scans, place="WH-A1")
    assert codes(verdicts) == ["UNKNOWN_UNIT", "UNKNOWN_UNIT", None, "NOT_ENOUGH_STOCK"]
    assert left(world) == {"WH": 0}  # never below zero
    assert codes(do(world, Action.SELL, Scan("SN-5", "OLD"))) == ["UNKNOWN_UNIT"]
    # Released or inspected is only what has its record.
    assert codes(do(world, Action.RELEASE, Scan("SN-6", "OLD"))) == ["UNKNOWN_UNIT"]
    whole(world)


@pytest.mark.req("R204")
def test_where_several_places_have_old_stock_the_scan_says_which(world: World) -> None:
    begun(world, WH=1, SHOP=1)
    assert codes(do(world, Action.SELL, Scan("SN-1", "OLD"))) == ["INVALID_INPUT"]
    assert codes(do(world, Action.SELL, Scan("SN-1", "OLD", at="SHOP"))) == [None]
    assert left(world) == {"WH": 1, "SHOP": 0}
    # A move tells the building by its destination.
    start(world, reason="found", **{"WH_A1": 5})
    assert codes(do(world, Action.MOVE, Scan("SN-2", "OLD", at="WH-A1"), place="WH")) == [None]
    assert left(world) == {"WH": 1, "SHOP": 0, "WH-A1": 4}
    whole(world)


def test_the_same_serial_twice_is_one_unit(world: World) -> None:
    begun(world, WH=5)
    scans = (Scan("SN-1", "OLD"), Scan("sn 1", "OLD"))
    assert codes(do(world, Action.MOVE, *scans, place="WH-A1")) == [None, None]
    assert left(world) == {"WH": 4}
    assert world.unit("SN-1")["version"] == 4


def test_a_serial_that_breaks_the_rule_or_must_be_scanned_is_not_captured(world: World) -> None:
    product(world, "OLD", serial_pattern=r"SN-\d+", capture_points=("sell",))
    start(world, WH=5)
    wrong = do(world, Action.MOVE, Scan("ABC", "OLD"), place="WH-A1")
    assert codes(wrong) == ["INVALID_BARCODE"]
    assert codes(do(world, Action.SELL, Scan("SN-1", "OLD"))) == ["CAPTURE_REQUIRED"]
    assert left(world) == {"WH": 5}

    def scanned(tx: Transaction) -> list[Verdict]:
        context = world.context(captured_by=CaptureMethod.SCAN)
        told = UnitCommand(action=Action.SELL)
        return serialization.record(Work(tx, context, new_id()), told, [Scan("SN-1", "OLD")])

    assert codes(world.write(scanned)) == [None]


def test_two_who_scan_the_last_one_make_one_record(world: World) -> None:
    begun(world, WH=1)
    done: list[list[str | None]] = []

    def scan(serial: str) -> None:
        done.append(codes(do(world, Action.SELL, Scan(serial, "OLD"))))

    threads = [threading.Thread(target=scan, args=(f"SN-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each == [None] for each in done) == 1
    assert left(world) == {"WH": 0}
    assert world.value("SELECT COUNT(*) FROM unit") == 1
    whole(world)


@pytest.mark.req("R205")
def test_a_count_captures_the_serials_of_old_stock(world: World) -> None:
    begun(world, WH=2)
    world.receive("NEW-1", sku="OLD")
    card = CountCard(ref="C-1", location="WH")
    world.write(lambda tx: counts.open_count(tx, world.context(), card))
    scans = [Scan("SN-1", "OLD"), Scan("SN-2"), Scan("SN-3", "OLD"), Scan("NEW-1", "OLD")]
    world.write(lambda tx: counts.count_units(tx, world.context(), "C-1", "WH-A1", scans))
    extra = [Scan("SN-4", "OLD")]
    world.write(lambda tx: counts.count_units(tx, world.context(), "C-1", None, extra))
    world.write(lambda tx: counts.compare(tx, world.context(), "C-1"))
    context = world.context(reason="unserialized_stock")
    done = world.write(
        lambda tx: counts.adjust(Work(tx, context, new_id()), "C-1", kind=Kind.UNEXPECTED)
    )
    told = {each.identifier: (each.action, each.case) for each in done}
    captured = [name for name, (action, _) in told.items() if action == "commission"]
    assert len(captured) == 2  # as many as there are; the third and the nameless are looked into
    assert told["SN-2"] == (None, "unknown_serial")
    assert left(world) == {"WH": 0}
    unit = world.unit("SN-1")
    assert (unit["origin"], unit["location_code"]) == ("unserialized_stock", "WH-A1")
    whole(world)


@pytest.mark.req("R205")
def test_a_serial_that_was_captured_since_the_comparison_is_compared_again(world: World) -> None:
    begun(world, WH=2)
    card = CountCard(ref="C-1", location="WH", product="OLD")
    world.write(lambda tx: counts.open_count(tx, world.context(), card))
    scans = [Scan("SN-1")]  # the count is of this product alone
    world.write(lambda tx: counts.count_units(tx, world.context(), "C-1", None, scans))
    world.write(lambda tx: counts.compare(tx, world.context(), "C-1"))
    do(world, Action.MOVE, Scan("SN-1", "OLD"), place="WH-A1")
    context = world.context(reason="unserialized_stock")
    (said,) = world.write(
        lambda tx: counts.adjust(Work(tx, context, new_id()), "C-1", kind=Kind.UNEXPECTED)
    )
    assert said.code == "DUPLICATE_SERIAL"
    assert left(world) == {"WH": 1}


@pytest.mark.req("R206")
def test_what_is_dear_or_risky_comes_first(world: World) -> None:
    product(world, "CHEAP", value=10, currency="EUR")
    product(world, "DEAR", value=90_000, currency="EUR")
    risky = (Trait.REGULATED, Trait.THEFT_RISK)
    product(world, "RISKY", value=500, currency="EUR", traits=risky)
    product(world, "MANY", value=50, currency="EUR", traits=(Trait.SERVICED,))
    start(world, "MANY", WH=10_000, SHOP=1)

    def ranked(by: SerializationOrder, **more: int) -> list[str]:
        rows = world.read(lambda tx: unserialized_stock.priorities(tx, by, **({"first": 9} | more)))
        return [row["sku"] for row in rows]

    assert ranked(SerializationOrder.RISK) == ["RISKY", "MANY", "DEAR", "CHEAP"]
    assert ranked(SerializationOrder.VALUE) == ["DEAR", "RISKY", "MANY", "CHEAP"]
    assert ranked(SerializationOrder.WORTH)[0] == "MANY"
    assert ranked(SerializationOrder.VALUE, first=1, skip=1) == ["RISKY"]
    with pytest.raises(InvalidInput):
        ranked(SerializationOrder.VALUE, skip=-1)
    start(world, "MANY", reason="all read", WH=0, SHOP=0)
    assert "MANY" not in ranked(SerializationOrder.RISK)


@pytest.mark.req("R204", "R207")
def test_old_stock_is_read_where_it_lies(world: World) -> None:
    product(world, "OLD", tracking=Tracking.LOT)
    start(world, WH=2)
    arrivals = [
        Arrival(serial="SN-1", product="OLD", lot="L-1"),
        Arrival(serial="SN-1", product="OLD", lot="L-1"),
        Arrival(serial="SN-2", product="OLD"),
        Arrival(serial="SN-3", product="CAM"),
        Arrival(serial="SN-4", product="OLD", lot="L-1"),
        Arrival(serial="SN-5", product="OLD", lot="L-1"),
    ]

    def work(tx: Transaction) -> list[Verdict]:
        place = catalogue.location(tx, "WH-A1")
        return serialization.capture_units(Work(tx, world.context(), new_id()), arrivals, place)

    verdicts = world.write(work)
    assert codes(verdicts) == [
        None,
        "DUPLICATE_SERIAL",
        "INVALID_INPUT",  # its lot is not known
        "NOT_ENOUGH_STOCK",  # never declared
        None,
        "NOT_ENOUGH_STOCK",
    ]
    assert left(world) == {"WH": 0}
    assert (world.unit("SN-4")["status"], world.unit("SN-4")["lot"]) == ("in_stock", "L-1")
    # A unit that is received as every other has no gap.
    world.receive("SN-9")
    unit = world.unit("SN-9")
    assert world.read(lambda tx: serialization.gaps(tx, [unit["id"]])) == {unit["id"]: None}
    whole(world)
