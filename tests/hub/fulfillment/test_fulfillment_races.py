"""Two people at one unit, one order, one line: one of them wins, and nothing is done twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub import catalogue, orders
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import Refused
from hub.fulfillment import collection, dispatch, exchanges, picking
from hub.ledger import hash_chain
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.proof import conservation
from hub.storage.sql import Transaction
from hub.vocabulary import OrderLine
from world import World

RACERS = 8


def race(world: World, work: Callable[[Transaction, int], Any]) -> list[str]:
    """Let all do their work at once, and return how each ended."""

    def run(racer: int) -> str:
        try:
            world.write(lambda tx: work(tx, racer))
        except Refused as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(RACERS) as pool:
        ended = list(pool.map(run, range(RACERS)))
    assert world.read(hash_chain.verify).breaks == ()
    assert world.read(conservation.check).breaches == ()
    return sorted(ended)


def ordered(world: World, *serials: str, ref: str = "o-1", place: str = "WH") -> tuple[str, str]:
    shop = world.channel()
    world.receive(*serials, place=place)
    lines = [OrderLine(ref="l-1", sku="CAM", quantity=len(serials))]
    order_id = world.accept(shop, world.order(ref, lines=lines))
    assert order_id is not None
    line = world.value("SELECT id FROM order_line WHERE order_id = :id", id=order_id)
    return order_id, line


@pytest.mark.req("R71")
def test_of_many_who_take_one_free_unit_for_their_lines_one_gets_it(world: World) -> None:
    serials = [f"SN-{number}" for number in range(RACERS)]
    _, line = ordered(world, *serials)
    world.receive("FREE-1")
    context = world.context(reason="torn box")

    def work(tx: Transaction, racer: int) -> None:
        picking.substitute(Work(tx, context, new_id()), line, Scan(serials[racer]), Scan("FREE-1"))

    assert race(world, work) == ["STEP_NOT_ALLOWED"] * (RACERS - 1) + ["done"]
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == RACERS


@pytest.mark.req("R71")
def test_of_many_who_replace_one_directed_unit_one_does(world: World) -> None:
    _, line = ordered(world, "SN-1")
    free = [f"FREE-{number}" for number in range(RACERS)]
    world.receive(*free)
    context = world.context(reason="torn box")

    def work(tx: Transaction, racer: int) -> None:
        (verdict,) = picking.pick(
            Work(tx, context, new_id()), [Scan(free[racer])], line_id=line, substitute=True
        )
        if verdict.code is not None:
            raise Refused(verdict.code)

    assert race(world, work) == ["REFUSED"] * (RACERS - 1) + ["done"]
    assert world.value("SELECT COUNT(*) FROM unit WHERE status = 'picked'") == 1
    assert world.unit("SN-1")["status"] == "in_stock"


@pytest.mark.req("R72")
def test_an_order_is_packed_by_one_of_many(world: World) -> None:
    order_id, _ = ordered(world, "SN-1", "SN-2")
    world.do(Action.PICK, "SN-1", "SN-2")
    scans = [Scan("SN-1"), Scan("SN-2")]

    def work(tx: Transaction, _: int) -> None:
        dispatch.pack(Work(tx, world.context(), new_id()), order_id, scans)

    assert race(world, work) == ["STEP_NOT_ALLOWED"] * (RACERS - 1) + ["done"]


@pytest.mark.req("R74", "R79")
def test_a_unit_is_shipped_or_collected_and_never_both(world: World) -> None:
    order_id, _ = ordered(world, "SN-1", place="SHOP")
    world.do(Action.PICK, "SN-1")

    def work(tx: Transaction, racer: int) -> None:
        scans, shop = [Scan("SN-1")], catalogue.location(tx, "SHOP")
        if racer % 2:
            done = orders.ship(Work(tx, world.context(), new_id()), scans, Shipment())
        else:
            done = collection.collect(Work(tx, world.context(), new_id()), order_id, scans, shop)
        if done[0].code is not None:
            raise Refused(done[0].code)

    assert race(world, work) == ["REFUSED"] * (RACERS - 1) + ["done"]
    assert world.value("SELECT COUNT(*) FROM outbox WHERE topic = 'fulfillment'") == 1


@pytest.mark.req("R82")
def test_one_unit_is_given_in_exchange_once(world: World) -> None:
    sold = [f"SN-{number}" for number in range(RACERS)]
    world.receive(*sold, "NEW-1", place="SHOP")
    world.do(Action.SELL, *sold)
    context = world.context(reason="too small")

    def work(tx: Transaction, racer: int) -> None:
        shop = catalogue.location(tx, "SHOP")
        exchanges.exchange(Work(tx, context, new_id()), Scan(sold[racer]), Scan("NEW-1"), shop)

    assert race(world, work) == ["STEP_NOT_ALLOWED"] * (RACERS - 1) + ["done"]
    assert world.value("SELECT COUNT(*) FROM unit WHERE status = 'returned'") == 1


@pytest.mark.req("R69", "R74")
def test_a_line_of_one_is_left_by_one_unit(world: World) -> None:
    _, line = ordered(world, "SN-0")
    more = [f"SN-{number}" for number in range(1, RACERS)]
    world.receive(*more)
    world.do(Action.ALLOCATE, *more, line=line, hold_reference="#o-1")
    world.do(Action.PICK, "SN-0", *more)

    def work(tx: Transaction, racer: int) -> None:
        done = orders.ship(Work(tx, world.context(), new_id()), [Scan(f"SN-{racer}")], Shipment())
        if done[0].code is not None:
            raise Refused(done[0].code)

    assert race(world, work) == ["REFUSED"] * (RACERS - 1) + ["done"]
