"""Serials that a channel shows, compared with the units that left on its orders."""

import asyncio
from dataclasses import replace

import orjson
import pytest

from connectors.contract import SnapshotOrders
from connectors.registry import installed
from hub.catalogue import ProductCard, Tracking, register_product
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment, ship
from hub.reconciliation import healing
from hub.reconciliation.kinds import Scope
from hub.storage.sql import Row
from hub.vocabulary import OrderLine
from jobs import relay
from jobs.reconciliation.shipments import is_possible
from jobs.runtime import Runtime
from reconciling_orders import LOOK, NOW, Shop, is_live, only, proofs, run
from recording import Recording, stage
from world import World


def shop(world: World) -> tuple[Shop, Runtime, Row]:
    connector, runtime, channel = stage(world, Shop)
    assert isinstance(connector, Shop)
    world.receive("SN-1", "SN-2", "SN-3", "SN-4")
    return connector, runtime, channel


def sold(
    world: World, connector: Shop, runtime: Runtime, channel: Row, **parcels: tuple[str, ...]
) -> None:
    """Sell an order for each parcel, with one line, and ship its serials."""
    for ref, serials in parcels.items():
        line = OrderLine(ref="l-1", sku="CAM", quantity=len(serials), shown_serials=())
        connector.orders[ref] = world.order(ref, lines=[line])
        world.accept(channel, connector.orders[ref])
        line_id = world.value(
            "SELECT order_line.id FROM order_line JOIN sales_order "
            "ON sales_order.id = order_id WHERE sales_order.ref = :ref",
            ref=ref,
        )
        send(world, line_id, *serials)
    asyncio.run(relay.drain(runtime, channel["id"]))
    world.pass_time(minutes=5)


def send(world: World, line_id: str, *serials: str) -> None:
    for serial in serials:
        if world.unit(serial)["order_line_id"] != line_id:
            promised = world.rows(
                "SELECT serial FROM unit WHERE order_line_id = :line AND status = 'in_stock' "
                "AND promised_to IS NOT NULL ORDER BY serial LIMIT 1",
                line=line_id,
            )
            world.do(Action.RELEASE, *(each["serial"] for each in promised))
            if world.unit(serial)["promised_to"] is not None:
                world.do(Action.RELEASE, serial)
            world.do(Action.ALLOCATE, serial, line=line_id, hold_reference="test")
    world.do(Action.PICK, *serials)
    scans = [Scan(each) for each in serials]
    world.write(
        lambda tx: ship(Work(tx, world.context(), f"c{serials}"), scans, Shipment("UPS", "1Z"))
    )


def test_serials_that_the_channel_shows_agree(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1", "SN-2"), b=("SN-3",))
    last, found = run(world, runtime, channel, Scope.SHIPMENTS)
    assert (last["matched"], found) == (2, [])


def test_serials_are_compared_as_their_product_writes_them(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",))
    connector.state("a", "l-1", " sn-1 ")
    assert run(world, runtime, channel, Scope.SHIPMENTS)[1] == []


def test_a_serial_that_was_removed_there_is_shown_again(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1", "SN-2"))
    connector.state("a", "l-1", "SN-1")
    last, found = run(world, runtime, channel, Scope.SHIPMENTS)
    missing = only(found)
    assert (missing["kind"], missing["cause"]) == ("missing_serials", "removed_there")
    assert proofs(missing) == ["outbox"]
    assert "SN-2" in missing["evidence"]
    assert (missing["state"], last["healed"]) == ("healed", 1)
    assert connector.orders["a"].lines[0].shown_serials == ("SN-1", "SN-2")


def test_a_serial_of_nobody_is_foreign(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",))
    connector.state("a", "l-1", "SN-1", "TYPO-9")
    foreign = only(run(world, runtime, channel, Scope.SHIPMENTS)[1])
    assert (foreign["kind"], foreign["cause"], foreign["state"]) == (
        "foreign_serials",
        "foreign_edit",
        "open",
    )
    assert "No unit here has such a serial" in foreign["evidence"]
    assert orjson.loads(foreign["remote_claim"])["serials"] == ["SN-1", "TYPO-9"]
    connector.state("a", "l-1", "SN-1")
    world.pass_time(minutes=5)
    run(world, runtime, channel, Scope.SHIPMENTS)
    assert not is_live(world, foreign)


def test_a_wrong_serial_names_where_its_unit_is(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",))
    connector.state("a", "l-1", "SN-4")
    foreign = only(run(world, runtime, channel, Scope.SHIPMENTS)[1])
    assert foreign["kind"] == "foreign_serials"
    assert "in_stock" in foreign["evidence"]


def test_serials_that_two_orders_show_of_each_other_are_swapped(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",), b=("SN-2",))
    connector.state("a", "l-1", "SN-2")
    connector.state("b", "l-1", "SN-1")
    last, found = run(world, runtime, channel, Scope.SHIPMENTS)
    assert {each["about"]: each["kind"] for each in found} == {
        "a": "swapped_serials",
        "b": "swapped_serials",
    }
    assert (last["differences"], last["compared"]) == (2, 2)
    assert "#b" in found[0]["evidence"]


def test_serials_on_each_others_lines_are_swapped(world: World) -> None:
    connector, runtime, channel = shop(world)
    lines = [OrderLine(ref=f"l-{n}", sku="CAM", quantity=1, shown_serials=()) for n in (1, 2)]
    connector.orders["a"] = world.order("a", lines=lines)
    world.accept(channel, connector.orders["a"])
    rows = world.rows(
        "SELECT unit.serial FROM unit JOIN order_line ON order_line.id = order_line_id "
        "ORDER BY order_line.ref"
    )
    first, second = (each["serial"] for each in rows)
    world.do(Action.PICK, first, second)
    scans = [Scan(first), Scan(second)]
    world.write(lambda tx: ship(Work(tx, world.context(), "c1"), scans, Shipment()))
    asyncio.run(relay.drain(runtime, channel["id"]))
    world.pass_time(minutes=5)
    connector.state("a", "l-1", second)
    connector.state("a", "l-2", first)
    swapped = only(run(world, runtime, channel, Scope.SHIPMENTS)[1])
    assert (swapped["kind"], swapped["about"]) == ("swapped_serials", "a")


def test_a_serial_that_two_orders_show_is_a_difference_of_the_wrong_one(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",), b=("SN-2",))
    connector.show("a", "l-1", "SN-2")
    twice = only(run(world, runtime, channel, Scope.SHIPMENTS)[1])
    assert (twice["kind"], twice["about"]) == ("serial_on_two_orders", "a")
    assert "order #b too" in twice["evidence"]


def test_a_unit_that_came_back_may_be_shown_or_not(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",))
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS")
    assert run(world, runtime, channel, Scope.SHIPMENTS)[1] == []
    connector.state("a", "l-1")
    world.pass_time(minutes=5)
    assert run(world, runtime, channel, Scope.SHIPMENTS)[1] == []


def test_serials_of_the_whole_order_are_compared_where_no_line_shows_any(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",))
    order = connector.orders["a"]
    bare = tuple(replace(line, shown_serials=None) for line in order.lines)
    connector.orders["a"] = replace(order, lines=bare, shown_serials=("SN-1",))
    assert run(world, runtime, channel, Scope.SHIPMENTS)[1] == []
    connector.orders["a"] = replace(order, lines=bare, shown_serials=())
    world.pass_time(minutes=5)
    found = only(run(world, runtime, channel, Scope.SHIPMENTS, LOOK)[1])
    assert found["kind"] == "missing_serials"


def test_what_a_till_names_is_compared_too(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",))
    order = connector.orders["a"]
    named = replace(order.lines[0], shown_serials=None, serials=("SN-3",))
    connector.orders["a"] = replace(order, lines=(named,))
    found = only(run(world, runtime, channel, Scope.SHIPMENTS, LOOK)[1])
    assert found["kind"] == "foreign_serials"


def test_text_on_lines_of_products_without_serials_is_no_serial(world: World) -> None:
    connector, runtime, channel = shop(world)
    card = ProductCard(sku="CABLE", name="C", manufacturer="ACME", tracking=Tracking.NONE)
    world.write(lambda tx: register_product(tx, world.context(), card))
    line = OrderLine(ref="l-1", sku="CABLE", quantity=1, shown_serials=("batch 7",))
    connector.orders["a"] = world.order("a", lines=[line])
    world.accept(channel, connector.orders["a"])
    last, found = run(world, runtime, channel, Scope.SHIPMENTS)
    assert (last["compared"], found) == (0, [])


def test_a_shipment_on_its_way_is_no_difference(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",))
    world.write(
        lambda tx: tx.run("UPDATE outbox SET state = 'waiting', due_at = :late", late=2**60)
    )
    connector.state("a", "l-1")
    last, found = run(world, runtime, channel, Scope.SHIPMENTS)
    assert (last["in_flight"], found) == (1, [])


def test_a_dismissed_serial_holds_until_the_order_shows_another_one(world: World) -> None:
    connector, runtime, channel = shop(world)
    sold(world, connector, runtime, channel, a=("SN-1",))
    connector.state("a", "l-1", "SN-1", "GIFT-1")
    foreign = only(run(world, runtime, channel, Scope.SHIPMENTS)[1])
    dismiss(world, foreign)
    world.pass_time(minutes=5)
    last, _ = run(world, runtime, channel, Scope.SHIPMENTS, NOW)
    assert (last["explained"], last["differences"]) == (1, 0)
    connector.show("a", "l-1", "GIFT-2")
    world.pass_time(minutes=5)
    last, found = run(world, runtime, channel, Scope.SHIPMENTS, NOW)
    assert (last["differences"], found[-1]["previous_id"]) == (1, foreign["id"])


def dismiss(world: World, difference: Row) -> None:

    world.write(lambda tx: healing.dismiss(tx, world.context(actor="ann"), difference, "a gift"))


@pytest.mark.parametrize(
    ("key", "shows"),
    [
        ("shopify", True),
        ("woocommerce", True),
        ("medusa", True),
        ("saleor", True),
        ("vendure", True),
        ("square", True),  # what cashiers typed
        ("ebay", False),
        ("bigcommerce", False),
    ],
)
def test_connectors_say_whether_their_orders_show_serials(key: str, shows: bool) -> None:
    found = installed()[key]
    assert issubclass(found, SnapshotOrders)
    assert (found.shows_serials or getattr(found, "orders_name_serials", False)) is shows


def test_a_channel_that_shows_no_serials_is_not_compared(world: World) -> None:
    assert not is_possible(Recording())
    assert is_possible(Shop())
