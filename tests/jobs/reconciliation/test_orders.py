"""Orders compared in batches: windows, orders that are gone, causes that records prove."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from connectors import NotFound, Rejected, UnreadableRecord
from hub import orders as ledger_orders
from hub.clock import micros
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment, order_holds
from hub.reconciliation.comparison import observed_orders, order_comparison
from hub.reconciliation.comparison.order_causes import Look
from hub.reconciliation.kinds import Scope
from hub.storage.sql import Row, Transaction
from hub.sync import inbox
from hub.vocabulary import HoldReason, Order, OrderLine, OrderState, ReturnLine
from jobs import intake, poll, relay
from jobs.maintenance import sweep
from jobs.reconciliation import orders
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from reconciling_orders import LOOK, NOW, CallingShop, Shop, is_live, only, proofs, run
from recording import stage
from world import World


def shop(world: World, kind: type[Shop] = Shop, **more: object) -> tuple[Shop, Runtime, Row]:
    connector, runtime, channel = stage(world, kind, **more)
    assert isinstance(connector, Shop)
    world.list_product(channel)
    world.receive("SN-1", "SN-2", "SN-3")
    asyncio.run(relay.drain(runtime, channel["id"]))
    return connector, runtime, channel


def taken_in(world: World, connector: Shop, channel: Row, ref: str, **more: object) -> Order:
    order = world.order(ref, **more)
    connector.orders[ref] = order
    world.accept(channel, order)
    return order


def shipped(world: World, runtime: Runtime, channel: Row, *serials: str, **parcel: str) -> None:
    world.do(Action.PICK, *serials)
    shipment = Shipment(**parcel)
    scans = [Scan(each) for each in serials]
    world.write(
        lambda tx: ledger_orders.ship(Work(tx, world.context(), f"c{serials}"), scans, shipment)
    )
    asyncio.run(relay.drain(runtime, channel["id"]))


def promised(world: World) -> int:
    return world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL")


@pytest.mark.parametrize(
    "stated",
    [
        {"state": OrderState.OPEN},
        {"state": OrderState.PENDING, "hold": HoldReason.PAYMENT_PENDING},
        {"state": OrderState.DRAFT},
    ],
)
def test_an_order_that_is_gone_is_found_whatever_its_state(
    world: World, stated: dict[str, object]
) -> None:
    connector, runtime, channel = shop(world)
    taken_in(world, connector, channel, "gone", **stated)
    del connector.orders["gone"]
    world.pass_time(minutes=5)
    last, found = run(world, runtime, channel, Scope.ORDERS)
    gone = only(found)
    assert (gone["kind"], gone["cause"], gone["fix"]) == (
        "unknown_order",
        "removed_there",
        "cancel_order",
    )
    assert proofs(gone) == ["sales_order", "observed_order"]
    assert (last["healed"], gone["state"], promised(world)) == (1, "healed", 0)
    assert world.value("SELECT state FROM sales_order") == "cancelled"


def test_one_look_is_no_proof_and_a_second_one_after_the_grace_is(world: World) -> None:
    connector, runtime, channel = shop(world)
    taken_in(world, connector, channel, "gone")
    del connector.orders["gone"]
    world.pass_time(minutes=5)
    options = RunOptions(trigger="test", grace=timedelta(minutes=1))
    last, found = run(world, runtime, channel, Scope.ORDERS, options)
    assert (last["in_flight"], found, promised(world)) == (1, [], 1)
    world.pass_time(seconds=30)
    assert run(world, runtime, channel, Scope.ORDERS, options)[1] == []
    world.pass_time(seconds=30)
    assert only(run(world, runtime, channel, Scope.ORDERS, options)[1])["state"] == "healed"
    assert promised(world) == 0


def test_an_order_that_is_seen_between_two_looks_is_not_gone(world: World) -> None:
    connector, runtime, channel = shop(world)
    order = taken_in(world, connector, channel, "flickers")
    options = RunOptions(trigger="test", grace=timedelta(minutes=1))
    for there in (False, True, False):
        connector.orders = {"flickers": order} if there else {}
        world.pass_time(minutes=5)
        assert run(world, runtime, channel, Scope.ORDERS, options)[1] == []
    assert promised(world) == 1


def test_a_channel_may_wait_longer_before_an_order_is_gone(world: World) -> None:
    connector, runtime, channel = shop(world, gone_order_minutes=60)
    taken_in(world, connector, channel, "gone")
    del connector.orders["gone"]
    world.pass_time(minutes=5)
    assert run(world, runtime, channel, Scope.ORDERS)[1] == []
    world.pass_time(minutes=59)
    assert run(world, runtime, channel, Scope.ORDERS)[1] == []
    world.pass_time(minutes=1)
    assert only(run(world, runtime, channel, Scope.ORDERS)[1])["kind"] == "unknown_order"


def test_a_channel_may_have_a_person_decide_about_what_is_gone(world: World) -> None:
    connector, runtime, channel = shop(world, gone_orders="ask")
    taken_in(world, connector, channel, "gone")
    del connector.orders["gone"]
    world.pass_time(minutes=5)
    gone = only(run(world, runtime, channel, Scope.ORDERS)[1])
    assert (gone["fix"], gone["state"], promised(world)) == ("ask", "open", 1)
    assert len(world.open_cases()) == 1
    world.pass_time(minutes=5)
    again = only(run(world, runtime, channel, Scope.ORDERS)[1])
    assert again["id"] == gone["id"]  # it lasts, and is not found anew


def test_many_orders_that_are_gone_at_once_are_a_question(world: World) -> None:
    connector, runtime, channel = shop(world)
    count = 21
    for number in range(count):
        taken_in(world, connector, channel, f"gone-{number}")
    connector.orders = {}
    world.pass_time(minutes=5)
    last, found = run(world, runtime, channel, Scope.ORDERS)
    assert (last["differences"], {each["fix"] for each in found}) == (count, {"ask"})
    assert "21 open orders are gone at once" in found[0]["evidence"]
    assert promised(world) == 3


def test_a_shop_that_is_not_found_itself_has_lost_no_order(world: World) -> None:
    connector, runtime, channel = shop(world)
    taken_in(world, connector, channel, "gone")
    connector.orders = {}
    world.pass_time(minutes=5)
    connector.failures = []

    async def check() -> None:
        raise NotFound("no such shop")

    connector.check = check
    with pytest.raises(AssertionError, match="the channel itself is not found"):
        run(world, runtime, channel, Scope.ORDERS)
    assert promised(world) == 1


def test_units_released_by_hand_from_a_gone_order_stay_released(world: World) -> None:
    connector, runtime, channel = shop(world, gone_orders="ask")
    taken_in(world, connector, channel, "gone")
    del connector.orders["gone"]
    (held,) = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    release = [Scan(held["serial"])]
    world.write(lambda tx: order_holds.release(Work(tx, world.context(), "r"), release))
    for _ in range(2):
        world.pass_time(minutes=5)
        run(world, runtime, channel, Scope.ORDERS)
        asyncio.run(sweep.sweep(runtime))
        asyncio.run(poll.poll(runtime, channel))
        assert promised(world) == 0


def test_no_open_order_is_forgotten_when_more_are_unseen_than_a_run_reads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "READS_MAX", 3)
    monkeypatch.setattr(orders, "READ_BATCH", 1)
    connector, runtime, channel = shop(world, gone_orders="ask")
    for number in range(7):
        taken_in(world, connector, channel, f"o-{number}")
    connector.orders = {}
    found = set[str]()
    for expected in (3, 6, 7):
        world.pass_time(minutes=5)
        connector.reads = []
        last, some = run(world, runtime, channel, Scope.ORDERS)
        assert (last["not_compared"], len(set(connector.reads))) == (4, 3)
        assert len(orjson.loads(last["skipped"])) == 4
        found |= {each["about"] for each in some}
        assert len(found) <= expected
    for _ in range(2):
        world.pass_time(minutes=5)
        found |= {each["about"] for each in run(world, runtime, channel, Scope.ORDERS)[1]}
    assert found == {f"o-{number}" for number in range(7)}


def test_an_order_that_is_not_listed_is_compared_when_it_is_read(world: World) -> None:
    connector, runtime, channel = shop(world)
    order = taken_in(world, connector, channel, "hidden")
    old = order.placed_at - timedelta(days=300)
    connector.orders["hidden"] = replace(
        order, placed_at=old, state=OrderState.CANCELLED, updated_at=world.now
    )
    world.pass_time(minutes=5)
    changed = only(run(world, runtime, channel, Scope.ORDERS)[1])
    assert (changed["kind"], changed["state"]) == ("order_state", "healed")


def test_a_difference_closes_when_its_order_agrees_again_outside_the_window(world: World) -> None:
    connector, runtime, channel = shop(world)
    placed = world.order("late")
    connector.orders["late"] = placed
    world.pass_time(minutes=5)
    missing = only(run(world, runtime, channel, Scope.ORDERS, LOOK)[1])
    world.accept(channel, placed)
    world.write(lambda tx: tx.run("UPDATE sales_order SET state = 'fulfilled'"))
    connector.orders["late"] = replace(placed, lines=(replace(placed.lines[0], fulfilled=0),))
    world.pass_time(days=100)
    run(world, runtime, channel, Scope.ORDERS, replace(LOOK, window=timedelta(minutes=1)))
    assert not is_live(world, missing)


def test_a_first_run_lists_a_month_and_the_next_one_from_there(world: World) -> None:
    connector, runtime, channel = shop(world)
    first, _ = run(world, runtime, channel, Scope.ORDERS)
    assert first["window_from"] == micros(world.now - observed_orders.FIRST_WINDOW)
    assert first["window_until"] == micros(world.now)
    until = world.now
    world.pass_time(days=4)
    second, _ = run(world, runtime, channel, Scope.ORDERS)
    assert second["window_from"] == micros(until - observed_orders.OVERLAP)
    assert connector.listed_from == [
        until - observed_orders.FIRST_WINDOW,
        until - observed_orders.OVERLAP,
    ]


def test_the_window_reaches_back_to_the_oldest_open_order_and_not_for_ever(world: World) -> None:
    connector, runtime, channel = shop(world)
    order = taken_in(world, connector, channel, "waits")
    world.pass_time(days=40)
    run(world, runtime, channel, Scope.ORDERS)
    world.pass_time(days=1)
    last, _ = run(world, runtime, channel, Scope.ORDERS)
    assert last["window_from"] == micros(order.placed_at)
    world.pass_time(days=100)
    run(world, runtime, channel, Scope.ORDERS)
    connector.reads = []
    last, _ = run(world, runtime, channel, Scope.ORDERS)
    assert last["window_from"] == micros(world.now - observed_orders.WINDOW_MAX)
    assert (connector.reads, last["matched"]) == (["waits"], 1)


def test_a_run_over_a_short_period_moves_no_window(world: World) -> None:
    _, runtime, channel = shop(world)
    run(world, runtime, channel, Scope.ORDERS)
    until = world.now
    world.pass_time(days=5)
    run(world, runtime, channel, Scope.ORDERS, replace(NOW, window=timedelta(hours=1)))
    last, _ = run(world, runtime, channel, Scope.ORDERS)
    assert last["window_from"] == micros(until - observed_orders.OVERLAP)


def test_a_run_that_fails_moves_no_window(world: World) -> None:
    connector, runtime, channel = shop(world)
    run(world, runtime, channel, Scope.ORDERS)
    until = world.now
    world.pass_time(days=1)
    connector.failures = [Rejected("the list broke off")]
    with pytest.raises(AssertionError, match="the list broke off"):
        run(world, runtime, channel, Scope.ORDERS)
    last, _ = run(world, runtime, channel, Scope.ORDERS)
    assert last["window_from"] == micros(until - observed_orders.OVERLAP)


def test_a_webhook_that_was_lost_days_ago_is_found(world: World) -> None:
    connector, runtime, channel = shop(world, CallingShop)
    run(world, runtime, channel, Scope.ORDERS)
    deliver(world, channel, "other")
    connector.orders["other"] = world.order("other")
    asyncio.run(intake.drain(runtime, channel["id"]))
    connector.orders["lost"] = world.order("lost")
    world.pass_time(days=3)
    lost = only(run(world, runtime, channel, Scope.ORDERS)[1])
    assert (lost["kind"], lost["about"], lost["cause"]) == ("missing_order", "lost", "lost_webhook")
    assert proofs(lost) == ["inbox"]
    assert (lost["state"], promised(world)) == ("healed", 2)


def deliver(world: World, channel: Row, ref: str) -> None:
    message = inbox.Message(channel["id"], f"w-{ref}", "webhook", "orders/create", ref.encode())
    world.write(lambda tx: inbox.accept(tx, [message], world.now))


def test_an_order_whose_delivery_was_given_up_is_no_lost_webhook(world: World) -> None:
    connector, runtime, channel = shop(world, CallingShop)
    order = world.order("bad")
    world.write(
        lambda tx: inbox.accept(
            tx,
            [poll.message_of(channel, poll.ORDER, intake.ORDERS, order)],
            world.now,
        )
    )
    world.write(
        lambda tx: tx.run(
            "UPDATE inbox SET state = 'dead', last_error = 'it broke', settled_at = 1"
        )
    )
    connector.orders["bad"] = order
    world.pass_time(minutes=5)
    missing = only(run(world, runtime, channel, Scope.ORDERS, LOOK)[1])
    assert (missing["cause"], proofs(missing)) == ("missed_order", ["inbox"])
    assert "it broke" in missing["evidence"]


def test_what_was_pulled_without_an_order_is_the_proof_that_it_was_missed(world: World) -> None:
    connector, runtime, channel = shop(world)
    order = world.order("skipped")
    world.pass_time(minutes=1)
    asyncio.run(poll.poll(runtime, channel))
    connector.orders["skipped"] = order
    world.pass_time(minutes=5)
    missing = only(run(world, runtime, channel, Scope.ORDERS, LOOK)[1])
    assert (missing["cause"], proofs(missing)) == ("missed_order", ["cursor"])


def test_an_order_from_before_the_connection_has_no_proven_cause(world: World) -> None:
    connector, runtime, channel = shop(world)
    connector.orders["old"] = world.order("old", placed_at=world.now - timedelta(days=3))
    missing = only(run(world, runtime, channel, Scope.ORDERS, LOOK)[1])
    assert (missing["cause"], missing["kind"]) == ("unexplained", "missing_order")
    assert "before the channel was connected" in missing["evidence"]


def test_a_change_without_a_new_time_of_change_is_unexplained(world: World) -> None:
    connector, runtime, channel = shop(world)
    order = taken_in(world, connector, channel, "edited")
    connector.orders["edited"] = replace(order, lines=(replace(order.lines[0], quantity=2),))
    world.pass_time(minutes=5)
    changed = only(run(world, runtime, channel, Scope.ORDERS, LOOK)[1])
    assert (changed["kind"], changed["cause"]) == ("order_state", "unexplained")
    assert proofs(changed) == ["sales_order"]


def test_a_refund_that_lowered_a_line_is_among_the_proofs(world: World) -> None:
    connector, runtime, channel = shop(world)
    line = OrderLine(ref="l-1", sku="CAM", quantity=2)
    order = taken_in(world, connector, channel, "a", lines=[line])
    world.pass_time(minutes=1)
    lowered = ReturnLine(order_line_ref="l-1", quantity=1, comes_back=False, taken_off=1)
    world.announce(channel, world.returned("r-1", "a", lowered, refunded_at=world.now))
    connector.orders["a"] = replace(order, lines=(replace(line, quantity=1),), updated_at=world.now)
    world.pass_time(minutes=5)
    changed = only(run(world, runtime, channel, Scope.ORDERS, LOOK)[1])
    assert (changed["kind"], changed["cause"]) == ("order_state", "missed_order")
    assert "channel_return" in proofs(changed)


def test_a_refused_shipment_is_a_failed_push(world: World) -> None:
    connector, runtime, channel = shop(world)
    taken_in(world, connector, channel, "a")
    connector.failures = []
    connector.push_fulfillment = refuse(connector)
    shipped(world, runtime, channel, "SN-1")
    found = only(run(world, runtime, channel, Scope.ORDERS, LOOK)[1])
    assert (found["kind"], found["cause"]) == ("missing_fulfillment", "failed_push")
    assert proofs(found) == ["outbox"]
    assert "the address is wrong" in found["evidence"]


def refuse(connector: Shop):
    async def push_fulfillment(_):
        raise Rejected("the address is wrong")

    return push_fulfillment


def test_a_shipment_that_the_channel_took_is_removed_there_and_told_with_its_parcel(
    world: World,
) -> None:
    connector, runtime, channel = shop(world)
    lines = [OrderLine(ref=f"l-{n}", sku="CAM", quantity=1) for n in (1, 2)]
    taken_in(world, connector, channel, "a", lines=lines)
    first_at = world.now
    shipped(world, runtime, channel, "SN-1", carrier="UPS", tracking="1Z")
    world.pass_time(hours=1)
    shipped(world, runtime, channel, "SN-2", carrier="DHL", tracking="JD")
    before = list(connector.fulfillments)
    connector.state("a", "l-1")
    world.pass_time(minutes=5)
    last, found = run(world, runtime, channel, Scope.ORDERS)
    removed = only(found)
    assert (removed["kind"], removed["cause"]) == ("missing_fulfillment", "removed_there")
    assert proofs(removed) == ["outbox", "outbox"]
    again = connector.fulfillments[2:]
    assert sorted((each.carrier, each.tracking) for each in again) == [("DHL", "JD"), ("UPS", "1Z")]
    # The same parcels as before: a channel that still has one of them does not get it twice.
    assert {each.reference for each in again} == {each.reference for each in before}
    assert min(each.shipped_at for each in again) == first_at
    assert last["healed"] == 1


def test_a_shipment_is_told_again_each_time_that_it_is_removed(world: World) -> None:
    connector, runtime, channel = shop(world)
    taken_in(world, connector, channel, "a")
    shipped(world, runtime, channel, "SN-1", carrier="UPS", tracking="1Z")
    for times in (1, 2):
        world.pass_time(minutes=5)
        connector.state("a", "l-1")
        run(world, runtime, channel, Scope.ORDERS)
        assert len(connector.fulfillments) == 1 + times


def test_a_shipment_that_nobody_pushed_is_a_change_that_was_not_pushed(world: World) -> None:
    connector, runtime, channel = shop(world)
    taken_in(world, connector, channel, "a")
    shipped(world, runtime, channel, "SN-1")
    world.write(lambda tx: tx.run("DELETE FROM outbox"))
    connector.state("a", "l-1")
    world.pass_time(minutes=5)
    found = only(run(world, runtime, channel, Scope.ORDERS, LOOK)[1])
    assert (found["kind"], found["cause"]) == ("missing_fulfillment", "unpushed_change")
    assert proofs(found) == ["sales_order"]


def test_a_record_that_cannot_be_read_is_counted_and_stops_no_other(world: World) -> None:
    class Odd(Shop):
        async def snapshot_orders(self, since, until):
            yield UnreadableRecord(
                kind="order", ref="odd", field="total", value="x", reason="no amount", raw="{}"
            )
            async for order in super().snapshot_orders(since, until):
                yield order

    connector, runtime, channel = shop(world, Odd)
    taken_in(world, connector, channel, "good")
    world.pass_time(minutes=5)
    last, found = run(world, runtime, channel, Scope.ORDERS)
    assert (last["matched"], last["not_compared"], found) == (1, 1, [])
    assert world.open_cases() == [("unreadable_record", "odd")]


def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(world: World) -> None:
    connector, _, channel = shop(world)
    for number in range(30):
        taken_in(world, connector, channel, f"o-{number}")
    listed = [
        replace(order, lines=(replace(order.lines[0], fulfilled=number % 2),))
        for number, order in enumerate(connector.orders.values())
    ]
    look = Look(channel, world.now, timedelta(), lambda order: order.ref)

    def statements(some: list[Order]) -> int:
        counted = []

        def work(tx: Transaction) -> None:
            ask = tx.rows
            tx.rows = lambda statement, **values: (
                counted.append(statement) or ask(statement, **values)
            )
            order_comparison.compare(tx, look, some)

        world.read(work)
        return len(counted)

    assert statements(listed[:4]) == statements(listed) < 16


def test_a_lower_quantity_is_not_raised_while_an_order_may_be_on_its_way(world: World) -> None:
    connector, runtime, channel = shop(world)
    options = RunOptions(trigger="test", grace=timedelta(minutes=1))
    connector.orders["young"] = world.order("young")
    connector.shown["CAM"] = 2  # the shop deducted its order, and its webhook is on its way
    assert only(run(world, runtime, channel, Scope.LEVELS, options)[1])["state"] == "open"
    assert connector.shown["CAM"] == 2
    world.pass_time(minutes=5)
    run(world, runtime, channel, Scope.LEVELS, options)
    assert (connector.shown["CAM"], promised(world)) == (2, 1)


def test_a_lower_quantity_is_not_raised_while_an_order_cannot_be_read(world: World) -> None:
    class Odd(Shop):
        async def snapshot_orders(self, since, until):
            yield UnreadableRecord(
                kind="order", ref="odd", field="total", value="x", reason="no amount", raw="{}"
            )

    connector, runtime, channel = shop(world, Odd)
    connector.shown["CAM"] = 2
    assert only(run(world, runtime, channel, Scope.LEVELS)[1])["state"] == "open"
    assert connector.shown["CAM"] == 2


def test_an_order_that_comes_back_unchanged_is_served_again(world: World) -> None:
    connector, runtime, channel = shop(world)
    order = taken_in(world, connector, channel, "trashed")
    del connector.orders["trashed"]
    world.pass_time(minutes=5)
    run(world, runtime, channel, Scope.ORDERS)
    assert promised(world) == 0
    connector.orders["trashed"] = order  # restored, and its time of change did not move
    world.pass_time(minutes=5)
    back = only(run(world, runtime, channel, Scope.ORDERS)[1])
    assert (back["kind"], back["cause"], back["state"]) == ("order_state", "unexplained", "healed")
    assert "is there again" in back["evidence"]
    assert promised(world) == 1
