"""Returns and refunds that channels tell of: awaited, held against what was read, paid once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from hub import catalogue, orders
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import StepNotAllowed
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.returns import receive, views
from hub.returns.check import check
from hub.returns.facts import Question
from hub.storage.sql import Row
from hub.vocabulary import OrderLine, OrderState, ReturnLine, ReturnState
from jobs.maintenance import sweep
from reconciling_orders import compared
from world import World

COMING = ReturnLine(order_line_ref="l-1", quantity=1, reason="too small")
KEPT = replace(COMING, comes_back=False, refunded=1)


def sold(world: World, *serials: str) -> Row:
    """Sell and ship units on one line of one order; return its channel."""
    shop = world.channel()
    world.receive(*serials)
    world.accept(shop, world.order(lines=[OrderLine(ref="l-1", sku="CAM", quantity=len(serials))]))
    world.do(Action.PICK, *serials)
    scans = [Scan(serial) for serial in serials]
    world.write(lambda tx: orders.ship(Work(tx, world.context(), "c-1"), scans, Shipment()))
    return shop


def checked(world: World, serial: str) -> Row:
    """Check a return at the counter; return the answer as it was kept."""
    return_id = world.write(
        lambda tx: check(
            tx,
            world.context(),
            Question(
                identifier=serial, location=catalogue.location(tx, "SHOP"), reason="too small"
            ),
        )
    )
    return world.rows("SELECT * FROM return_case WHERE id = :id", id=return_id)[0]


def taken_in(world: World, serial: str) -> Row:
    """Check and take a unit in."""
    answer = checked(world, serial)
    world.write(lambda tx: receive.accept(Work(tx, world.context(), new_id()), answer["id"]))
    return world.rows("SELECT * FROM return_case WHERE id = :id", id=answer["id"])[0]


def refund(world: World, return_id: str, reference: str = "till-1") -> None:
    world.write(lambda tx: receive.refund(tx, world.context(), return_id, reference))


def swept(world: World) -> None:
    asyncio.run(sweep.sweep(world.runtime()))


def shown(world: World) -> list[Row]:
    return world.read(lambda tx: views.page(tx, first=10, before=None))


def awaited(world: World) -> list[str]:
    rows = world.read(lambda tx: views.page(tx, first=10, before=None, awaited=True))
    return [row["ref"] for row in rows]


@pytest.mark.req("R144")
def test_an_announced_return_is_awaited_found_at_the_counter_and_taken_even_late(
    world: World,
) -> None:
    shop = sold(world, "SN-1")
    world.pass_time(days=60)
    assert checked(world, "SN-1")["rule"] == "outside-window"
    world.announce(shop, world.returned(line=COMING))
    assert awaited(world) == ["r-1"]
    answer = taken_in(world, "SN-1")
    assert (answer["decision"], answer["rule"]) == ("accept", "announced")
    assert '"too small"' in answer["evidence"]
    assert awaited(world) == []
    assert world.open_cases() == []


def test_a_refund_without_a_return_is_recorded_and_the_unit_stays(world: World) -> None:
    shop = sold(world, "SN-1")
    paid = world.now + timedelta(hours=1)
    said = world.returned(line=KEPT, state=ReturnState.CLOSED, refunded_at=paid, refund_ref="f-1")
    world.announce(shop, said)
    assert world.unit("SN-1")["status"] == "shipped"
    assert awaited(world) == []
    assert world.open_cases() == []
    (row,) = shown(world)
    assert (row["refund_ref"], row["lines"][0]["refunded"]) == ("f-1", 1)
    answer = checked(world, "SN-1")
    assert (answer["decision"], answer["rule"]) == ("refuse", "already-refunded")


def test_a_refund_of_money_alone_is_recorded_on_its_order(world: World) -> None:
    shop = sold(world, "SN-1")
    world.announce(shop, replace(world.returned(refunded_at=world.now), lines=()))
    (row,) = shown(world)
    assert (row["lines"], row["order_number"]) == ([], "#o-1")
    assert world.open_cases() == []


@pytest.mark.req("R90")
def test_a_unit_that_its_channel_refunded_is_taken_in_and_not_refunded_again(world: World) -> None:
    shop = sold(world, "SN-1")
    said = replace(COMING, refunded=1)
    world.announce(shop, world.returned(line=said, refunded_at=world.now, refund_ref="f-1"))
    answer = taken_in(world, "SN-1")
    assert (answer["decision"], answer["rule"]) == ("accept", "refund-made")
    assert (answer["refund_ref"], answer["state"]) == ("f-1", "refunded")
    with pytest.raises(StepNotAllowed, match="refunded already: f-1"):
        refund(world, answer["id"])


def test_a_refund_that_follows_the_unit_closes_its_return_here(world: World) -> None:
    shop = sold(world, "SN-1", "SN-2")
    world.announce(shop, world.returned(line=COMING))
    answer = taken_in(world, "SN-2")
    assert answer["refund_ref"] is None
    world.pass_time(minutes=5)
    said = replace(COMING, refunded=1, arrived=1)
    world.announce(shop, world.returned(line=said, refunded_at=world.now, refund_ref="f-1"))
    (row,) = world.rows("SELECT * FROM return_case")
    assert (row["refund_ref"], row["state"]) == ("f-1", "refunded")
    assert world.open_cases() == []


def test_one_of_two_units_can_still_be_refunded_here(world: World) -> None:
    shop = sold(world, "SN-1", "SN-2")
    said = world.returned(line=KEPT, state=ReturnState.CLOSED, refunded_at=world.now)
    world.announce(shop, said)
    refund(world, taken_in(world, "SN-2")["id"])
    assert world.open_cases() == []


def test_what_is_refunded_here_and_there_is_a_case(world: World) -> None:
    shop = sold(world, "SN-1")
    refund(world, taken_in(world, "SN-1")["id"])
    said = replace(COMING, refunded=1)
    world.announce(shop, world.returned(line=said, refunded_at=world.now, refund_ref="f-1"))
    assert world.open_cases() == [("double_refund", "r-1")]


def test_the_channels_refund_bars_ours_where_nothing_was_announced_before(world: World) -> None:
    """The unit came in first; the channel then refunded it as one that the customer keeps."""
    shop = sold(world, "SN-1")
    answer = taken_in(world, "SN-1")
    said = world.returned(line=KEPT, state=ReturnState.CLOSED, refunded_at=world.now)
    world.announce(shop, said)
    with pytest.raises(StepNotAllowed, match="its channel refunded it already"):
        refund(world, answer["id"])


@pytest.mark.req("R142", "R148")
def test_a_return_that_arrived_unread_is_a_case_until_the_unit_is_read(world: World) -> None:
    shop = sold(world, "SN-1")
    said = replace(COMING, arrived=1)
    world.announce(shop, world.returned(line=said, state=ReturnState.CLOSED))
    assert world.open_cases() == [("return_not_scanned", "r-1")]
    assert world.unit("SN-1")["status"] == "shipped"
    swept(world)
    assert world.open_cases() == [("return_not_scanned", "r-1")]
    assert world.value("SELECT occurrences FROM exception_case") == 1
    taken_in(world, "SN-1")
    swept(world)
    assert world.open_cases() == []


def test_a_return_that_comes_before_its_order_waits_for_it(world: World) -> None:
    shop = world.channel()
    world.announce(shop, world.returned(line=replace(COMING, arrived=1)))
    assert world.open_cases() == [("unmatched_return", "r-1")]
    sold(world, "SN-1")
    swept(world)
    assert world.open_cases() == [("return_not_scanned", "r-1")]
    assert shown(world)[0]["order_number"] == "#o-1"


def test_a_return_of_a_line_or_a_serial_that_nobody_knows_is_a_case(world: World) -> None:
    shop = sold(world, "SN-1")
    world.announce(shop, world.returned(line=replace(COMING, order_line_ref="l-9")))
    assert world.open_cases() == [("unmatched_return", "r-1")]
    world.announce(shop, world.returned(line=replace(COMING, serials=("SN-9",))))
    assert world.open_cases() == [("unmatched_return", "r-1")]
    world.announce(shop, world.returned(line=replace(COMING, serials=("sn 1",))))
    assert world.open_cases() == []


def test_the_serial_that_a_channel_names_is_the_one_that_it_awaits(world: World) -> None:
    shop = sold(world, "SN-1", "SN-2")
    kept = replace(KEPT, serials=("SN-1",))
    paid = {"state": ReturnState.CLOSED, "refunded_at": world.now}
    world.announce(shop, world.returned("r-1", line=kept, **paid))
    assert checked(world, "SN-1")["rule"] == "already-refunded"
    assert checked(world, "SN-2")["rule"] == "in-window"


def test_a_return_that_is_withdrawn_is_awaited_no_longer(world: World) -> None:
    shop = sold(world, "SN-1")
    world.announce(shop, world.returned(line=replace(COMING, arrived=1)))
    world.pass_time(minutes=1)
    old = world.returned(line=COMING)
    world.pass_time(minutes=1)
    world.announce(shop, world.returned(line=COMING, state=ReturnState.CANCELLED))
    assert world.announce(shop, old) is None
    assert awaited(world) == []
    assert world.open_cases() == []
    assert checked(world, "SN-1")["rule"] == "in-window"


def test_a_lowered_line_of_a_refunded_unit_is_no_surprise(world: World) -> None:
    """The channel lowers its line by the refund: the unit that left is explained by its return."""
    shop = sold(world, "SN-1")
    world.pass_time(minutes=1)
    lower = world.order(lines=[OrderLine(ref="l-1", sku="CAM", quantity=0)])
    world.accept(shop, lower)
    assert world.open_cases() == [("shipped_too_many", "o-1/l-1")]
    said = replace(COMING, refunded=1, taken_off=1)
    world.announce(shop, world.returned(line=said, refunded_at=world.now))
    assert world.open_cases() == []
    taken_in(world, "SN-1")
    world.accept(shop, lower)
    assert world.open_cases() == []
    assert world.value("SELECT COUNT(*) FROM hold WHERE released_at IS NULL") == 0


@pytest.mark.req("R82")
def test_an_exchange_binds_what_comes_back_and_what_is_sent_instead(world: World) -> None:
    shop = sold(world, "SN-1")
    world.receive("LENS-1", sku="LENS")
    more = [
        OrderLine(ref="l-1", sku="CAM", quantity=1, fulfilled=1),
        OrderLine(ref="l-2", sku="LENS", quantity=1),
    ]
    world.announce(shop, world.returned(line=COMING, exchange_line_refs=("l-2",)))
    world.accept(shop, world.order(lines=more))
    assert world.unit("LENS-1")["promised_to"] is not None
    assert awaited(world) == ["r-1"]
    (row,) = shown(world)
    assert row["exchange_line_refs"] == ["l-2"]
    assert taken_in(world, "SN-1")["rule"] == "announced"


def test_an_exchange_may_be_an_order_of_its_own(world: World) -> None:
    shop = sold(world, "SN-1")
    world.receive("SN-2")
    world.announce(shop, world.returned(line=COMING, exchange_order_ref="o-2"))
    assert shown(world)[0]["exchange_order_id"] is None
    new_order = world.accept(shop, world.order("o-2"))
    assert shown(world)[0]["exchange_order_id"] == new_order
    assert world.unit("SN-2")["promised_to"] is not None


def test_a_cancelled_order_whose_units_are_awaited_is_no_case(world: World) -> None:
    shop = sold(world, "SN-1")
    world.announce(shop, world.returned(line=COMING))
    world.accept(shop, world.order(state=OrderState.CANCELLED))
    assert world.open_cases() == []


@pytest.mark.req("R145")
def test_what_came_back_is_no_difference_whichever_way_the_channel_counts(world: World) -> None:
    shop = sold(world, "SN-1", "SN-2")
    still = world.order(lines=[OrderLine(ref="l-1", sku="CAM", quantity=2, fulfilled=2)])
    taken_in(world, "SN-1")
    world.accept(shop, still)
    assert compared(world, shop, still, world.now).result == "matched"
    world.pass_time(minutes=1)
    less = world.order(lines=[OrderLine(ref="l-1", sku="CAM", quantity=1, fulfilled=1)])
    world.accept(shop, less)
    said = replace(COMING, refunded=1, taken_off=1, arrived=1)
    world.announce(shop, world.returned(line=said, refunded_at=world.now))
    assert compared(world, shop, less, world.now).result == "matched"
    foreign = replace(less, lines=(OrderLine(ref="l-1", sku="CAM", quantity=1, fulfilled=9),))
    assert compared(world, shop, foreign, world.now).result == "different"
