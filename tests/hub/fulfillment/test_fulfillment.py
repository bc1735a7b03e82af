"""Fulfillment: the right unit is promised, picked, packed and leaves; nothing else does."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson
import pytest

from hub import catalogue, orders
from hub.catalogue import Picking, ProductCard
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import (
    CaptureRequired,
    InvalidInput,
    StepNotAllowed,
    UnitBlocked,
    UnitExpired,
    UnitPromised,
    WrongUnit,
)
from hub.fulfillment import bindings, dispatch, picking
from hub.fulfillment.dispatch import DispatchFinding, NotWhole
from hub.inbound.receiving import Arrival, receive
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.vocabulary import OrderLine, OrderState
from world import World

F = DispatchFinding
TODAY = "2026-11-02"


def line(quantity: int, sku: str = "CAM", ref: str = "l-1") -> OrderLine:
    return OrderLine(ref=ref, sku=sku, quantity=quantity)


def by_expiry(world: World) -> None:
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", picking=Picking.FEFO)
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))


def receive_dated(world: World, days: dict[str, str | None], place: str = "WH") -> None:
    arrivals = [
        Arrival(serial=serial, product="CAM", expires_on=date.fromisoformat(day) if day else None)
        for serial, day in days.items()
    ]
    verdicts = world.write(
        lambda tx: receive(
            Work(tx, world.context(), new_id()),
            arrivals,
            catalogue.location(tx, place),
            put_away=True,
        )
    )
    assert all(each.accepted for each in verdicts), verdicts


def promised(world: World) -> set[str]:
    rows = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    return {row["serial"] for row in rows}


def order_line(world: World, ref: str = "o-1") -> str:
    return str(
        world.value(
            "SELECT order_line.id FROM order_line JOIN sales_order "
            "ON sales_order.id = order_line.order_id WHERE sales_order.ref = :ref",
            ref=ref,
        )
    )


def pick(world: World, *serials: str, line_id: str | None = None, **more: Any) -> list[Verdict]:
    scans = [Scan(serial) for serial in serials]
    context = world.context(reason=more.pop("reason", None))
    return world.write(
        lambda tx: picking.pick(Work(tx, context, new_id()), scans, line_id=line_id, **more)
    )


def swap(world: World, line_id: str, old: str, new: str, reason: str | None = "torn box") -> Any:
    context = world.context(reason=reason)
    return world.write(
        lambda tx: picking.substitute(Work(tx, context, new_id()), line_id, Scan(old), Scan(new))
    )


def ship(world: World, *serials: str, line_id: str | None = None) -> list[Verdict]:
    scans = [Scan(serial) for serial in serials]
    return world.write(
        lambda tx: orders.ship(
            Work(tx, world.context(), new_id()), scans, Shipment("UPS", "1Z9"), line=line_id
        )
    )


def verify(world: World, order_id: str, *serials: str, action: Action = Action.SHIP) -> Any:
    scans = [Scan(serial) for serial in serials]
    return world.read(lambda tx: dispatch.verify(tx, world.context(), order_id, scans, action))


def pack(world: World, order_id: str, *serials: str, **more: Any) -> Any:
    scans = [Scan(serial) for serial in serials]
    return world.write(
        lambda tx: dispatch.pack(Work(tx, world.context(), new_id()), order_id, scans, **more)
    )


def codes(verdicts: Sequence[Verdict]) -> list[str | None]:
    return [verdict.code for verdict in verdicts]


def details(world: World, serial: str, action: Action) -> Any:
    rows = [row for row in world.history(serial) if row["action"] == action]
    return orjson.loads(rows[-1]["details"])


# --- What is promised ------------------------------------------------------------------------


@pytest.mark.req("R67", "R68")
def test_units_that_expire_first_leave_first_where_the_product_says_so(world: World) -> None:
    shop = world.channel()
    receive_dated(world, {"OLD-1": "2027-12-31", "NONE-1": None})
    world.pass_time(hours=1)
    receive_dated(world, {"NEW-1": "2027-01-31"})
    by_expiry(world)
    world.accept(shop, world.order(lines=[line(1)]))
    assert promised(world) == {"NEW-1"}
    world.accept(shop, world.order("o-2", lines=[line(2)]))
    assert promised(world) == {"NEW-1", "OLD-1", "NONE-1"}


@pytest.mark.req("R67")
def test_without_that_rule_the_receipt_decides(world: World) -> None:
    shop = world.channel()
    receive_dated(world, {"OLD-1": "2027-12-31"})
    world.pass_time(hours=1)
    receive_dated(world, {"NEW-1": "2027-01-31"})
    world.accept(shop, world.order(lines=[line(1)]))
    assert promised(world) == {"OLD-1"}


@pytest.mark.req("R68")
def test_what_has_expired_is_neither_promised_nor_picked_nor_shipped(world: World) -> None:
    shop = world.channel()
    receive_dated(world, {"GONE-1": "2026-11-01", "LAST-1": TODAY})
    world.accept(shop, world.order(lines=[line(2)]))
    assert promised(world) == {"LAST-1"}  # its last day belongs to it
    assert world.value("SELECT kind FROM exception_case") == "oversold"
    (verdict,) = world.do(Action.ALLOCATE, "GONE-1", hold_reference="cart")
    assert (verdict.code, verdict.details) == ("UNIT_EXPIRED", {"expires_on": "2026-11-01"})
    assert codes(world.do(Action.SELL, "GONE-1")) == ["UNIT_EXPIRED"]
    world.pass_time(days=1)
    assert codes(pick(world, "LAST-1")) == ["UNIT_EXPIRED"]
    world.now -= world.now - world.now.replace(day=2)
    assert codes(pick(world, "LAST-1")) == [None]
    world.pass_time(days=1)
    assert codes(world.do(Action.PACK, "LAST-1")) == ["UNIT_EXPIRED"]
    assert codes(ship(world, "LAST-1")) == ["UNIT_EXPIRED"]


def test_an_order_is_served_from_one_site_where_one_has_it_all(world: World) -> None:
    shop = world.channel()
    world.receive("WH-1")
    world.receive("WH-2", sku="LENS")
    world.pass_time(hours=1)
    world.receive("SH-1", "SH-2", place="SHOP")
    world.receive("SH-3", place="SHOP", sku="LENS")
    lines = [line(2), line(1, "LENS", "l-2")]
    world.accept(shop, world.order(lines=lines))
    assert promised(world) == {"SH-1", "SH-2", "SH-3"}
    # Where no site has it all, the oldest leave first, wherever they are.
    world.receive("SH-4", place="SHOP")
    world.accept(shop, world.order("o-2", lines=[line(2)]))
    assert promised(world) >= {"WH-1", "SH-4"}


def test_of_several_whole_sites_the_one_with_the_oldest_unit_serves(world: World) -> None:
    shop = world.channel()
    world.receive("SH-1", "SH-2", place="SHOP")
    world.pass_time(hours=1)
    world.receive("WH-1", "WH-2")
    world.accept(shop, world.order(lines=[line(2)]))
    assert promised(world) == {"SH-1", "SH-2"}


# --- Picking ---------------------------------------------------------------------------------


def two_promised_one_free(world: World) -> str:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.pass_time(hours=1)
    world.receive("SN-3")
    world.accept(shop, world.order(lines=[line(2)]))
    return order_line(world)


@pytest.mark.req("R70")
def test_the_list_directs_to_serial_and_bin_in_walking_order(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1")
    world.receive("SN-2", place="WH")
    world.receive("SN-3", place="WH-A1")
    world.accept(shop, world.order(lines=[line(3)]))
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    order_id = world.value("SELECT id FROM sales_order")
    site = world.value("SELECT site_id FROM location WHERE code = 'WH'")

    def listed(**of: Any) -> list[tuple[str, str]]:
        given = {"order_id": None, "site_id": None, "first": 50} | of
        rows = world.read(lambda tx: picking.pick_list(tx, world.now, **given))
        return [(row["bin"], row["serial"]) for row in rows]

    every = [("WH", "SN-2"), ("WH-A1", "SN-1"), ("WH-A1", "SN-3")]
    assert listed(order_id=order_id) == every
    assert listed(site_id=site) == every
    assert len(listed(site_id=site, first=2)) == 2
    pick(world, "SN-2")
    assert listed(order_id=order_id) == every[1:]
    for wrong in ({}, {"order_id": order_id, "site_id": site}):
        with pytest.raises(InvalidInput):
            listed(**wrong)


@pytest.mark.req("R71")
def test_another_unit_than_the_directed_is_refused_and_the_directed_are_named(
    world: World,
) -> None:
    line_id = two_promised_one_free(world)
    world.receive("L-1", sku="LENS")
    verdicts = pick(world, "SN-3", "SN-1", "L-1", "SN-9", line_id=line_id)
    assert codes(verdicts) == ["WRONG_UNIT", None, "WRONG_UNIT", "UNKNOWN_UNIT"]
    assert verdicts[0].details == {"directed": ["SN-1", "SN-2"]}
    assert "LENS" in (verdicts[2].message or "")
    assert codes(pick(world, "SN-3")) == ["STEP_NOT_ALLOWED"]  # promised to nobody
    assert codes(pick(world, "SN-1", line_id=line_id)) == ["STEP_NOT_ALLOWED"]  # picked already
    with pytest.raises(InvalidInput):
        pick(world, "SN-3", substitute=True, reason="torn box")
    with pytest.raises(InvalidInput):
        pick(world, "SN-3", line_id=line_id, substitute=True)


@pytest.mark.req("R71")
def test_another_unit_takes_the_place_by_name_and_both_histories_tell(world: World) -> None:
    line_id = two_promised_one_free(world)
    done = swap(world, line_id, "SN-1", "SN-3")
    assert (done.picked.accepted, done.broken) == (True, Picking.FIFO)
    old, new = world.unit("SN-1"), world.unit("SN-3")
    assert (old["status"], old["promised_to"], old["order_line_id"]) == ("in_stock", None, None)
    assert (new["status"], new["order_line_id"]) == ("picked", line_id)
    told = details(world, "SN-1", Action.RELEASE)
    assert told == {"substituted_by": new["id"], "rule_broken": "fifo"}
    assert details(world, "SN-3", Action.ALLOCATE)["substitutes"] == old["id"]
    for serial in ("SN-1", "SN-3"):
        row = world.history(serial)[-1]
        assert (row["reason"], row["document_ref"]) == ("torn box", "#o-1")
    # The order's own record keeps both.
    order_id = world.value("SELECT id FROM sales_order")
    found = world.read(lambda tx: bindings.of_orders(tx, [order_id]))[order_id]
    assert {each.unit_id: each.released_at is not None for each in found} == {
        old["id"]: True, world.unit("SN-2")["id"]: False, new["id"]: False,
    }  # fmt: skip


def test_a_picked_unit_can_still_be_replaced_and_a_packed_one_not(world: World) -> None:
    line_id = two_promised_one_free(world)
    pick(world, "SN-1", "SN-2")
    assert swap(world, line_id, "SN-1", "SN-3").picked.accepted
    world.do(Action.PACK, "SN-2")
    with pytest.raises(StepNotAllowed):
        swap(world, line_id, "SN-2", "SN-1")
    assert world.unit("SN-1")["status"] == "in_stock"


@pytest.mark.req("R71")
def test_only_an_available_unit_of_the_product_takes_the_place(world: World) -> None:
    line_id = two_promised_one_free(world)
    world.receive("L-1", sku="LENS")
    world.receive("HELD-1", "CART-1", "BACK-1", "NEW-1")
    receive_dated(world, {"DATED-1": "2026-01-01"})
    world.do(Action.HOLD, "HELD-1", hold_kind="quality")
    world.do(Action.ALLOCATE, "CART-1", hold_reference="cart")
    world.do(Action.MOVE, "BACK-1", place="WH-A1")
    events = world.value("SELECT COUNT(*) FROM event")
    for old, new, refusal in (
        ("SN-1", "L-1", WrongUnit),
        ("SN-1", "HELD-1", UnitBlocked),
        ("SN-1", "CART-1", UnitPromised),
        ("SN-1", "DATED-1", UnitExpired),
        ("SN-1", "SN-2", UnitPromised),
        ("SN-1", "SN-1", InvalidInput),
        ("NEW-1", "SN-3", WrongUnit),
    ):
        with pytest.raises(refusal):
            swap(world, line_id, old, new)
    with pytest.raises(InvalidInput):
        swap(world, line_id, "SN-1", "SN-3", reason=" ")
    assert world.value("SELECT COUNT(*) FROM event") == events


@pytest.mark.req("R71")
def test_substitutes_among_many_scans_take_the_places_that_were_not_scanned(world: World) -> None:
    line_id = two_promised_one_free(world)
    world.receive("SN-4")
    verdicts = pick(
        world, "SN-3", "SN-2", "SN-4", line_id=line_id, substitute=True, reason="torn box"
    )
    assert codes(verdicts) == [None, None, "WRONG_UNIT"]
    assert [verdict.index for verdict in verdicts] == [0, 1, 2]
    assert {each: world.unit(each)["status"] for each in ("SN-1", "SN-2", "SN-3", "SN-4")} == {
        "SN-1": "in_stock", "SN-2": "picked", "SN-3": "picked", "SN-4": "in_stock",
    }  # fmt: skip


def test_what_must_be_scanned_to_be_picked_is_no_substitute_by_typing(world: World) -> None:
    line_id = two_promised_one_free(world)
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", capture_points=("pick",))
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
    more = {"line_id": line_id, "substitute": True, "reason": "torn box"}
    assert codes(pick(world, "SN-3", **more)) == ["CAPTURE_REQUIRED"]
    with pytest.raises(CaptureRequired):
        swap(world, line_id, "SN-1", "SN-3")


def test_a_substitute_tells_when_it_expires_later_than_the_directed(world: World) -> None:
    shop = world.channel()
    by_expiry(world)
    receive_dated(world, {"SOON-1": "2027-01-31", "LATE-1": "2028-01-31"})
    world.accept(shop, world.order(lines=[line(1)]))
    assert swap(world, order_line(world), "SOON-1", "LATE-1").broken is Picking.FEFO
    receive_dated(world, {"SOON-2": "2026-12-31"})
    assert swap(world, order_line(world), "LATE-1", "SOON-2").broken is None


# --- Packing and dispatch --------------------------------------------------------------------


def picked_order(world: World, *serials: str, ref: str = "o-1", **more: Any) -> str:
    shop = world.channel()
    world.receive(*serials)
    order_id = world.accept(shop, world.order(ref, lines=[line(len(serials))], **more))
    assert order_id is not None
    pick(world, *serials)
    return order_id


@pytest.mark.req("R72", "R69")
def test_an_order_is_packed_when_every_serial_of_it_was_scanned_again(world: World) -> None:
    order_id = picked_order(world, "SN-1", "SN-2")
    world.receive("SN-3")
    world.receive("L-1", sku="LENS")
    scanned = ("SN-1", "SN-3", "L-1", "SN-1", "SN-9", "")
    with pytest.raises(NotWhole) as amiss:
        pack(world, order_id, *scanned)
    check = amiss.value.check
    assert [each.finding for each in check.scanned] == [
        F.FITS, F.NOT_PROMISED, F.WRONG_PRODUCT, F.TWICE, F.UNKNOWN, F.UNREADABLE,
    ]  # fmt: skip
    assert check.missing == (world.unit("SN-2")["id"],)
    assert world.unit("SN-1")["status"] == "picked"
    check, verdicts = pack(world, order_id, *scanned, partial=True)
    assert (check.whole, codes(verdicts)) == (False, [None])
    assert world.unit("SN-1")["status"] == "packed"
    check, _ = pack(world, order_id, "SN-2")
    assert check.whole
    assert world.history("SN-2")[-1]["document_ref"] == "#o-1"


def test_an_order_that_still_lacks_units_is_not_whole(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1")
    order_id = world.accept(shop, world.order(lines=[line(2)]))
    assert order_id is not None
    pick(world, "SN-1")
    check = verify(world, order_id, "SN-1", action=Action.PACK)
    assert (check.whole, check.lacking, check.missing) == (False, 1, ())


@pytest.mark.req("R73")
def test_before_dispatch_each_serial_is_checked_against_the_order(world: World) -> None:
    order_id = picked_order(world, "SN-1", "SN-2", "SN-3", "SN-4", "SN-5")
    world.receive("X-1")
    world.accept(world.channel("other"), world.order("x", lines=[line(1)]))
    ship(world, "SN-2")
    world.do(Action.HOLD, "SN-3", hold_kind="quality")
    world.do(Action.RELEASE, "SN-4")
    events = world.value("SELECT COUNT(*) FROM event")
    check = verify(world, order_id, "SN-1", "SN-2", "SN-3", "SN-4", "X-1")
    assert [each.finding for each in check.scanned] == [
        F.FITS, F.GONE, F.BLOCKED, F.NOT_PROMISED, F.OTHER_ORDER,
    ]  # fmt: skip
    assert check.missing == (world.unit("SN-5")["id"],)
    assert not check.whole
    assert world.value("SELECT COUNT(*) FROM event") == events
    world.do(Action.RELEASE, "SN-5")
    world.do(Action.ALLOCATE, "SN-5", line=order_line(world), hold_reference="#o-1")
    check = verify(world, order_id, "SN-5")
    assert [each.finding for each in check.scanned] == [F.WRONG_STATUS]


@pytest.mark.req("R73")
def test_a_unit_of_another_product_than_its_line_asks_for_does_not_leave(world: World) -> None:
    shop = world.channel()
    world.receive("L-1", sku="LENS")
    world.accept(shop, world.order(lines=[line(1)]))
    world.do(Action.ALLOCATE, "L-1", line=order_line(world), hold_reference="#o-1")
    assert codes(pick(world, "L-1")) == ["WRONG_UNIT"]
    assert codes(world.do(Action.PICK, "L-1")) == ["WRONG_UNIT"]  # by whatever way it comes
    assert codes(ship(world, "L-1")) == ["WRONG_UNIT"]
    assert world.unit("L-1")["status"] == "in_stock"


@pytest.mark.req("R69", "R74")
def test_a_line_lets_no_more_units_leave_than_it_asks_for(world: World) -> None:
    order_id = picked_order(world, "SN-1")
    world.receive("SN-2")
    world.do(Action.ALLOCATE, "SN-2", line=order_line(world), hold_reference="#o-1")
    pick(world, "SN-2")
    assert codes(ship(world, "SN-1", "SN-2", "SN-1")) == [
        None, "STEP_NOT_ALLOWED", "STEP_NOT_ALLOWED",
    ]  # fmt: skip
    assert codes(ship(world, "SN-2")) == ["STEP_NOT_ALLOWED"]
    assert world.value("SELECT state FROM sales_order WHERE id = :id", id=order_id) == "fulfilled"


@pytest.mark.req("R73", "R74")
def test_a_unit_leaves_on_one_order_only_and_never_on_a_cancelled_one(world: World) -> None:
    order_id = picked_order(world, "SN-1")
    world.receive("SN-2")
    world.accept(world.channel("other"), world.order("x", lines=[line(1)]))
    other = order_line(world, "x")
    assert codes(ship(world, "SN-1", line_id=other)) == ["UNIT_PROMISED"]
    assert codes(ship(world, "SN-1")) == [None]
    assert codes(ship(world, "SN-1", line_id=other)) == ["STEP_NOT_ALLOWED"]
    world.write(
        lambda tx: tx.run("UPDATE sales_order SET state = 'cancelled' WHERE id <> :id", id=order_id)
    )
    assert codes(pick(world, "SN-2")) == ["STEP_NOT_ALLOWED"]
    world.do(Action.PICK, "SN-2")
    (verdict,) = ship(world, "SN-2")
    assert "cancelled" in (verdict.message or "")
    assert codes(ship(world, "SN-2", line_id="none")) == ["UNKNOWN_REFERENCE"]


@pytest.mark.req("R75")
def test_what_an_order_had_stays_known_when_the_unit_is_sold_anew(world: World) -> None:
    order_id = picked_order(world, "SN-1", customer_ref="cust-1")
    unit_id = world.unit("SN-1")["id"]
    ship(world, "SN-1")
    left = world.now
    world.pass_time(days=2)
    world.do(Action.ACCEPT_RETURN, "SN-1", place="WH", reason="too big")
    world.do(Action.RESTOCK, "SN-1")
    assert world.unit("SN-1")["order_line_id"] is None
    second = picked_order_of_known(world, "SN-1", "o-2")
    found = world.read(lambda tx: bindings.of_orders(tx, [order_id, second]))
    ((first,), (again,)) = found[order_id], found[second]
    assert (first.unit_id, again.unit_id) == (unit_id, unit_id)
    assert first.left_at == int(left.timestamp() * 1_000_000)
    assert first.returned_at is not None
    assert (again.left_at, again.returned_at) == (None, None)


@pytest.mark.req("R76")
def test_the_unit_knows_every_customer_that_it_went_to(world: World) -> None:
    picked_order(world, "SN-1", customer_ref="cust-1")
    ship(world, "SN-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="WH", reason="too big")
    world.do(Action.RESTOCK, "SN-1")
    world.do(Action.SELL, "SN-1")
    unit_id = world.unit("SN-1")["id"]
    sales = world.read(lambda tx: bindings.sales_of(tx, [unit_id]))[unit_id]
    (first, back), (second, kept) = sales
    assert first.order is not None
    assert (first.order["customer_ref"], first.order["number"]) == ("cust-1", "#o-1")
    assert back is not None
    assert (second.order, kept) == (None, None)


def picked_order_of_known(world: World, serial: str, ref: str) -> str:
    shop = world.read(lambda tx: catalogue.reference(tx, "channel", "code", "shop"))
    order_id = world.accept(shop, world.order(ref, lines=[line(1)]))
    assert order_id is not None
    assert codes(pick(world, serial)) == [None]
    return order_id


def test_a_cancelled_order_is_not_packed(world: World) -> None:
    order_id = picked_order(world, "SN-1")
    shop = world.read(lambda tx: catalogue.reference(tx, "channel", "code", "shop"))
    world.pass_time(minutes=1)
    world.accept(shop, world.order(lines=[line(1)], state=OrderState.CANCELLED))
    with pytest.raises(StepNotAllowed):
        pack(world, order_id, "SN-1")
    check = verify(world, order_id, "SN-1")
    assert (check.cancelled, check.whole) == (True, False)
