"""Orders that change: edited, cancelled, split, late, repeated; before and after units left."""

import asyncio
import itertools
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub import orders
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.storage.sql import Row
from hub.vocabulary import Order, OrderLine, OrderState, Return, ReturnLine, ReturnState
from jobs.maintenance import sweep
from world import World


def line(quantity: int = 1, sku: str = "CAM", ref: str = "l-1", **more: Any) -> OrderLine:
    return OrderLine(ref=ref, sku=sku, quantity=quantity, **more)


def ship(world: World, *serials: str, command: str = "c-1") -> None:
    world.do(Action.PICK, *serials)
    scans = [Scan(serial) for serial in serials]
    verdicts = world.write(
        lambda tx: orders.ship(Work(tx, world.context(), command), scans, Shipment())
    )
    assert all(verdict.accepted for verdict in verdicts), verdicts


def bring_back(world: World, serial: str, *, restock: bool = False) -> None:
    (verdict,) = world.do(Action.ACCEPT_RETURN, serial, place="RETURNS")
    assert verdict.accepted, verdict
    if restock:
        world.do(Action.RESTOCK, serial, grade="A")


def state(world: World, ref: str) -> tuple[Any, ...]:
    """Return all that an order came to: its state, its lines with their units, its open cases."""
    known = world.rows("SELECT * FROM sales_order WHERE ref = :ref", ref=ref)
    lines = world.rows(
        "SELECT order_line.ref, order_line.sku, order_line.quantity, unit.serial, unit.status "
        "FROM order_line JOIN sales_order ON sales_order.id = order_line.order_id "
        "LEFT JOIN unit ON unit.order_line_id = order_line.id WHERE sales_order.ref = :ref "
        "ORDER BY order_line.ref, unit.serial",
        ref=ref,
    )
    # A line that was never seen and one that asks for nothing any more are the same.
    kept = [tuple(row.values()) for row in lines if row["quantity"] or row["serial"]]
    cases = [
        (kind, subject.removeprefix(ref)) for kind, subject in world.open_cases() if ref in subject
    ]
    return known[0]["state"], tuple(kept), tuple(cases)


def tell(world: World, channel: Row, said: Order | Return) -> None:
    if isinstance(said, Order):
        world.accept(channel, said)
    else:
        world.announce(channel, said)


def orderings(count: int, seed: int, doubled: int = 2) -> list[list[int]]:
    """Return every permutation, and as many again with some of the messages repeated."""
    dice = random.Random(seed)
    plain = [list(each) for each in itertools.permutations(range(count))]
    doubles = []
    for each in plain:
        mixed = each + dice.choices(range(count), k=doubled)
        dice.shuffle(mixed)
        doubles.append(mixed)
    return plain + doubles


@pytest.mark.slow
@pytest.mark.req("R142")
def test_any_order_and_repetition_of_versions_ends_in_the_same_ledger(world: World) -> None:
    """240 orderings of five versions: more, a line more, another SKU, fewer, some cancelled."""
    shop = world.channel()
    world.receive("CAM-1", "CAM-2", "CAM-3", "CAM-4")
    world.receive("LENS-1", "LENS-2", sku="LENS")
    versions = [
        {"lines": (line(1),)},
        {"lines": (line(3), line(1, "LENS", "l-2"))},
        {"lines": (line(5), line(1, "NONE", "l-2"))},
        {"lines": (line(2, "LENS"), line(1, "CAM", "l-3"))},
        {"lines": (line(2), line(0, "LENS", "l-2"), line(1, "LENS", "l-3"))},
    ]
    seen = {}
    for index, ordering in enumerate(orderings(5, seed=1)):
        ref = f"p{index}-"
        world.pass_time(hours=1)
        said = [
            world.order(ref, updated_at=world.now + timedelta(seconds=nth), **version)
            for nth, version in enumerate(versions)
        ]
        for nth in ordering:
            world.accept(shop, said[nth])
        seen[state(world, ref)] = ordering
        assert len(seen) == 1, seen
        last = replace(said[-1], updated_at=world.now + timedelta(minutes=1))
        world.accept(shop, replace(last, state=OrderState.CANCELLED))
        assert world.value("SELECT COUNT(*) FROM hold WHERE released_at IS NULL") == 0
        assert world.open_cases() == []
    ((_, lines, cases),) = seen
    assert [row[3] for row in lines] == ["CAM-1", "CAM-2", "LENS-1"]
    assert cases == ()


def test_any_order_of_changes_after_a_shipment_ends_in_the_same_ledger(world: World) -> None:
    shop = world.channel()
    final = set()
    for index, ordering in enumerate(orderings(4, seed=2, doubled=1)):
        ref, serials = f"s{index}-", [f"S{index}-{nth}" for nth in range(4)]
        world.receive(*serials)
        world.accept(shop, world.order(ref, lines=[line(2)]))
        ship(world, serials[0], serials[1], command=ref)
        world.pass_time(hours=1)
        later = [
            {"lines": (line(3),)},
            {"lines": (line(1),)},
            {"lines": (line(2, "LENS"),)},
            {"lines": (line(1), line(1, "CAM", "l-2")), "state": OrderState.OPEN},
        ]
        said = [
            world.order(ref, updated_at=world.now + timedelta(seconds=nth), **version)
            for nth, version in enumerate(later)
        ]
        for nth in ordering:
            world.accept(shop, said[nth])
        found = state(world, ref)
        final.add((found[0], str(found[1]).replace(f"S{index}-", "S-"), found[2]))
        world.accept(
            shop, replace(said[-1], state=OrderState.CANCELLED, updated_at=world.now + timedelta(1))
        )
        world.do(Action.WRITE_OFF, serials[2], serials[3])
    ((order_state, lines, cases),) = final
    assert order_state == "open"
    assert "S-2" in lines
    assert cases == (("shipped_too_many", "/l-1"),)


def test_any_order_of_an_order_and_its_returns_ends_in_the_same_ledger(world: World) -> None:
    """Shipped, partly returned, refunded, lowered by the channel: orders and returns mixed."""
    shop = world.channel()
    final = set()
    for index, ordering in enumerate(orderings(4, seed=3, doubled=2)):
        ref, serials = f"r{index}-", [f"R{index}-{nth}" for nth in range(3)]
        world.receive(*serials)
        world.accept(shop, world.order(ref, lines=[line(3)]))
        ship(world, serials[0], serials[1], command=ref)
        world.pass_time(hours=1)
        paid = world.now + timedelta(seconds=3)
        coming = ReturnLine(order_line_ref="l-1", quantity=1)
        done = replace(coming, arrived=1, refunded=1, taken_off=1)
        closed = {"state": ReturnState.CLOSED, "updated_at": paid, "refunded_at": paid}
        told: list[Order | Return] = [
            world.order(ref, lines=[line(3, fulfilled=2)], updated_at=world.now),
            world.returned(f"{ref}ret", ref, coming, updated_at=world.now),
            world.returned(f"{ref}ret", ref, done, **closed),
            world.order(ref, lines=[line(2, fulfilled=1)], updated_at=paid),
        ]
        for nth in ordering:
            tell(world, shop, told[nth])
        found = state(world, ref)
        final.add((found[0], str(found[1]).replace(f"R{index}-", "R-"), found[2]))
    assert len(final) == 1, final
    ((order_state, lines, cases),) = final
    assert order_state == "open"
    # The third unit is still to be sent, and no fourth one is.
    assert lines.count("'in_stock'") == 1
    assert cases == (("return_not_scanned", "ret"),)


def test_of_two_versions_of_one_second_the_cancelled_one_is_the_newer(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1")
    world.accept(shop, world.order(state=OrderState.CANCELLED))
    assert world.accept(shop, world.order()) is None
    assert world.value("SELECT COUNT(*) FROM hold WHERE released_at IS NULL") == 0


def test_a_smaller_order_keeps_the_units_that_leave_first_and_those_that_are_picked(
    world: World,
) -> None:
    shop = world.channel()
    world.receive("SN-1")
    world.pass_time(hours=1)
    world.receive("SN-2", "SN-3")
    world.accept(shop, world.order(lines=[line(3)]))
    world.do(Action.PICK, "SN-3")
    world.accept(shop, world.order(lines=[line(2)]))
    promised = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL ORDER BY serial")
    assert [row["serial"] for row in promised] == ["SN-1", "SN-3"]


def test_a_line_of_another_sku_gives_its_units_back_and_takes_the_right_ones(world: World) -> None:
    shop = world.channel()
    world.receive("CAM-1")
    world.receive("LENS-1", sku="LENS")
    world.accept(shop, world.order(lines=[line()]))
    world.accept(shop, world.order(lines=[line(sku="LENS")]))
    assert world.unit("CAM-1")["promised_to"] is None
    assert world.unit("LENS-1")["promised_to"] is not None
    world.accept(shop, world.order(lines=[line(sku="NONE")]))
    assert world.unit("LENS-1")["promised_to"] is None
    assert world.open_cases() == [("unmapped_listing", "NONE")]
    world.accept(shop, world.order(lines=[line(sku="LENS")]))
    assert world.open_cases() == []


def test_a_line_whose_unit_left_and_that_asks_for_another_sku_is_a_case(world: World) -> None:
    shop = world.channel()
    world.receive("CAM-1")
    world.receive("LENS-1", sku="LENS")
    world.accept(shop, world.order(lines=[line()]))
    ship(world, "CAM-1")
    world.accept(shop, world.order(lines=[line(sku="LENS")]))
    assert world.open_cases() == [("shipped_too_many", "o-1/l-1")]
    assert world.value("SELECT state FROM sales_order") == "open"
    ship(world, "LENS-1", command="c-2")
    assert world.value("SELECT state FROM sales_order") == "fulfilled"


@pytest.mark.req("R142", "R149")
def test_a_cancellation_after_units_left_is_a_case_until_they_are_back(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order(lines=[line(2)]))
    ship(world, "SN-1")
    world.accept(shop, world.order(lines=[line(2)], state=OrderState.CANCELLED))
    assert world.open_cases() == [("shipped_too_many", "o-1/l-1")]
    assert world.unit("SN-2")["promised_to"] is None
    (case,) = world.rows("SELECT * FROM exception_case")
    assert "SN-1" in case["details"]
    bring_back(world, "SN-1")
    asyncio.run(sweep.sweep(world.runtime()))
    assert world.open_cases() == []


def test_an_edit_below_what_left_is_a_case_and_ends_when_the_order_grows_again(
    world: World,
) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order(lines=[line(2)]))
    ship(world, "SN-1", "SN-2")
    world.accept(shop, world.order(lines=[line(1)]))
    assert world.open_cases() == [("shipped_too_many", "o-1/l-1")]
    world.accept(shop, world.order(lines=[]))
    assert world.open_cases() == [("shipped_too_many", "o-1/l-1")]
    world.accept(shop, world.order(lines=[line(2)]))
    assert world.open_cases() == []
    assert world.value("SELECT state FROM sales_order") == "fulfilled"


def test_a_line_that_is_dropped_takes_its_shortage_with_it(world: World) -> None:
    shop = world.channel()
    lines = [line(1), line(1, "NONE", "l-2")]
    world.accept(shop, world.order(lines=lines))
    assert [kind for kind, _ in world.open_cases()] == ["oversold", "unmapped_listing"]
    world.accept(shop, world.order(lines=[line(0, ref="l-3")]))
    assert world.open_cases() == []
    world.accept(shop, world.order(lines=lines))
    world.accept(shop, world.order(lines=lines, state=OrderState.CANCELLED))
    assert world.open_cases() == []


def test_a_line_that_is_added_to_a_fulfilled_order_opens_it_again(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1")
    world.accept(shop, world.order())
    ship(world, "SN-1")
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    more = [line(1, fulfilled=1), line(1, ref="l-2")]
    world.accept(shop, world.order(lines=more))
    assert world.value("SELECT state FROM sales_order") == "open"
    world.receive("SN-2")
    world.write(lambda tx: orders.retry_backorders(tx, world.context(), limit=10))
    assert world.unit("SN-2")["promised_to"] is not None
    assert world.open_cases() == []


@pytest.mark.parametrize("order_of_messages", [(0, 1), (1, 0)])
def test_an_order_that_is_split_in_two_is_served_once(
    world: World, order_of_messages: tuple[int, int]
) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order("a", lines=[line(2)]))
    parts = [world.order("a", lines=[line(1)]), world.order("b", lines=[line(1)])]
    for nth in order_of_messages:
        world.accept(shop, parts[nth])
    asyncio.run(sweep.sweep(world.runtime()))
    bound = world.rows(
        "SELECT order_line_id FROM unit WHERE promised_to IS NOT NULL ORDER BY order_line_id"
    )
    assert len({row["order_line_id"] for row in bound}) == 2
    assert world.open_cases() == []


def test_one_line_over_two_shipments_is_told_twice_and_done_once(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order(lines=[line(2)]))
    ship(world, "SN-1")
    world.accept(shop, world.order(lines=[line(2, fulfilled=1)]))
    ship(world, "SN-2", command="c-2")
    world.accept(shop, world.order(lines=[line(2, fulfilled=2)], state=OrderState.FULFILLED))
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    assert world.value("SELECT COUNT(*) FROM outbox WHERE topic = 'fulfillment'") == 2
    assert world.open_cases() == []


def test_a_partial_cancellation_frees_only_what_is_cancelled(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2", "SN-3")
    world.accept(shop, world.order(lines=[line(3)]))
    ship(world, "SN-1")
    world.accept(shop, world.order(lines=[line(2, fulfilled=1)]))
    promised = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    assert [row["serial"] for row in promised] == ["SN-2"]
    assert world.open_cases() == []


@pytest.mark.req("R97")
@pytest.mark.parametrize("restock", [False, True])
def test_what_came_back_is_not_sent_again_when_its_order_is_read_again(
    world: World, restock: bool
) -> None:
    """A channel that does not lower its lines for returns states the same order for ever."""
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order())
    ship(world, "SN-1")
    bring_back(world, "SN-1", restock=restock)
    world.accept(shop, world.order(lines=[line(1, fulfilled=1)]))
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 0
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    assert world.open_cases() == []


def test_a_till_sale_that_came_back_is_not_sold_again_when_it_is_read_again(world: World) -> None:
    till = world.channel("till", "square")
    world.receive("SN-1", place="SHOP")
    sold: Order = world.order(
        lines=[line(1, serials=("SN-1",))], state=OrderState.FULFILLED, at_counter=True
    )
    world.accept(till, sold)
    bring_back(world, "SN-1", restock=True)
    world.accept(till, sold)
    assert world.unit("SN-1")["status"] == "in_stock"
    assert world.unit("SN-1")["promised_to"] is None
    assert world.open_cases() == []
