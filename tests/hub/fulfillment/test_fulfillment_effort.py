"""How much capture costs the way of an order: as many questions for fifty units as for two."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from hub import orders
from hub.clock import new_id
from hub.commands.work import Work
from hub.fulfillment import counter_sales, dispatch, picking
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.storage.sql import Transaction
from hub.vocabulary import OrderLine
from world import World

ASKING = ("rows", "run", "run_many", "insert")


def asked(world: World, work: Callable[[Transaction], Any]) -> int:
    """Do work, and count the statements that it took."""
    count = 0

    def counted(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asking(*given: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            return ask(*given, **named)

        return asking

    def watched(tx: Transaction) -> Any:
        for name in ASKING:
            setattr(tx, name, counted(getattr(tx, name)))
        return work(tx)

    world.write(watched)
    return count


def way_of_an_order(world: World, ref: str, quantity: int) -> list[int]:
    """Pick, pack and ship an order, and sell as many over the counter; count each step."""
    shop = world.channel(ref)
    serials = [f"{ref}-{number}" for number in range(quantity)]
    world.receive(*serials, *(f"TILL-{serial}" for serial in serials))
    lines = [OrderLine(ref="l-1", sku="CAM", quantity=quantity)]
    order_id = world.accept(shop, world.order(ref, lines=lines))
    assert order_id is not None
    line = world.value("SELECT id FROM order_line WHERE order_id = :id", id=order_id)
    rows = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    bound = [Scan(row["serial"]) for row in rows]
    assert len(bound) == quantity
    free = [
        Scan(row["serial"])
        for row in world.rows(
            "SELECT serial FROM unit WHERE promised_to IS NULL AND status = 'in_stock'"
        )
    ]
    now, sale = world.context(), UnitCommand(action=Action.SELL)
    steps: list[Callable[[Transaction], Any]] = [
        lambda tx: picking.pick(Work(tx, now, new_id()), bound, line_id=line),
        lambda tx: dispatch.verify(tx, now, order_id, bound, Action.PACK),
        lambda tx: dispatch.pack(Work(tx, now, new_id()), order_id, bound),
        lambda tx: orders.ship(Work(tx, now, new_id()), bound, Shipment()),
        lambda tx: counter_sales.sell(Work(tx, now, new_id()), sale, free),
    ]
    counts = [asked(world, step) for step in steps]
    left = world.value("SELECT COUNT(*) FROM unit WHERE status IN ('shipped', 'sold')")
    assert left == world.value("SELECT COUNT(*) FROM unit")
    return counts


@pytest.mark.req("R83")
def test_capture_asks_the_database_no_more_for_many_units_than_for_few(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    """Counts, not seconds, decide: they are the same on every machine. The report has both."""
    for ref, quantity in (("few", 2), ("many", 50)):
        began = time.perf_counter()
        counts = way_of_an_order(world, ref, quantity)
        record_property(f"seconds of {quantity} units", round(time.perf_counter() - began, 4))
        assert min(counts) > 0
        if ref == "few":
            wanted = counts
        assert counts == wanted
