"""Reconciliation: what drifted is found, explained, healed, and adds up."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from connectors import Rejected, Transient
from hub import orders
from hub.catalogue import ProductCard, Tracking, register_product
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed
from hub.inbound import unserialized_stock
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.reconciliation import healing as fixes
from hub.reconciliation.kinds import Fix, Scope
from hub.storage.sql import Row
from hub.vocabulary import ObservedLevel, OrderLine, OrderState
from jobs import relay
from jobs.reconciliation import healing
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from jobs.services import JobServices
from recording import Recording, stage
from world import World

NOW = RunOptions(trigger="test", grace=timedelta())
LOOK = replace(NOW, heal=False)


def run(
    world: World, runtime: Runtime, channel: Row, scope: Scope, policy: RunOptions = NOW
) -> tuple[Row, list[Row]]:
    asyncio.run(reconcile.reconcile(runtime, channel, policy, scope))
    (last,) = world.rows(
        "SELECT * FROM reconciliation_run WHERE scope = :scope ORDER BY id DESC LIMIT 1",
        scope=str(scope),
    )
    found = world.rows(
        "SELECT difference.* FROM reconciliation_difference AS difference "
        "JOIN reconciliation_finding ON difference_id = difference.id "
        "WHERE reconciliation_finding.run_id = :run ORDER BY difference.id",
        run=last["id"],
    )
    if last["state"] == "finished":
        parts = ("matched", "in_flight", "explained", "differences")
        assert last["compared"] == sum(last[each] for each in parts)
        assert last["differences"] + last["explained"] <= len(found)
    return last, found


def stocked(world: World) -> tuple[Recording, Runtime, Row]:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1", "SN-2", "SN-3")
    asyncio.run(relay.drain(runtime, channel["id"]))
    return connector, runtime, channel


def test_agreement_is_a_run_without_differences(world: World) -> None:
    _, runtime, channel = stocked(world)
    last, found = run(world, runtime, channel, Scope.LEVELS)
    assert (last["state"], last["matched"], found) == ("finished", 1, [])


@pytest.mark.req("R145", "R146")
def test_a_foreign_edit_is_proved_and_healed(world: World) -> None:
    connector, runtime, channel = stocked(world)
    connector.shown["CAM"] = 9
    last, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["kind"], found["cause"], found["severity"]) == (
        "quantity",
        "foreign_edit",
        "high",
    )
    assert orjson.loads(found["ledger_claim"]) == {"quantity": 3}
    assert orjson.loads(found["remote_claim"]) == {"quantity": 9}
    assert "We set 3" in found["evidence"]
    assert (found["state"], last["healed"]) == ("healed", 1)
    assert connector.shown == {"CAM": 3}
    _, found_again = run(world, runtime, channel, Scope.LEVELS)
    assert found_again == []


def test_a_dry_run_only_looks_and_a_person_heals(world: World) -> None:
    connector, runtime, channel = stocked(world)
    connector.shown["CAM"] = 9
    _, (found,) = run(world, runtime, channel, Scope.LEVELS, LOOK)
    assert (found["state"], connector.shown) == ("open", {"CAM": 9})
    world.pass_time(hours=1)
    _, (again,) = run(world, runtime, channel, Scope.LEVELS, LOOK)
    assert again["first_seen_at"] == found["first_seen_at"]  # its age counts from the first look
    assert world.value("SELECT COUNT(*) FROM reconciliation_difference WHERE state = 'open'") == 1
    assert (again["id"], again["times"]) == (found["id"], 2)  # the claims are as they were
    person = world.context(actor="ann")
    asyncio.run(JobServices(runtime).heal(channel, again["id"], None, person))
    assert connector.shown == {"CAM": 3}
    assert world.value("SELECT state FROM reconciliation_difference ORDER BY id DESC") == "healed"
    with pytest.raises(StepNotAllowed):
        world.write(lambda tx: fixes.dismiss(tx, world.context(), found, "old"))


def test_what_the_channel_refuses_is_a_failed_push(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "HEAL_SECONDS_MAX", 0.1)  # nobody else heals it meanwhile
    connector, runtime, channel = stocked(world)
    connector.level_failures["CAM"] = Rejected("listing is locked")
    world.receive("SN-4")
    asyncio.run(relay.drain(runtime, channel["id"]))
    last, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert found["cause"] == "failed_push"
    assert "listing is locked" in found["evidence"]
    assert last["healed"] == 0


def test_a_change_on_its_way_is_no_difference(world: World) -> None:
    connector, runtime, channel = stocked(world)
    world.receive("SN-4")
    connector.level_failures["CAM"] = Transient("busy")
    last, found = run(world, runtime, channel, Scope.LEVELS)
    assert (last["in_flight"], found) == (1, [])


def test_a_listing_that_nobody_bound_is_bound_and_told(world: World) -> None:
    connector, runtime, channel = stocked(world)
    world.receive("S-1", sku="SAW")
    connector.shown["SAW"] = 40
    connector.shown["GHOST"] = 2
    _, found = run(world, runtime, channel, Scope.LEVELS)
    assert {row["subject"]: row["kind"] for row in found} == {
        "SAW": "unbound_listing",
        "GHOST": "unknown_listing",
    }
    assert connector.shown["SAW"] == 1
    assert world.value("SELECT kind FROM exception_case") == "disagreement"
    state = "SELECT state FROM reconciliation_difference WHERE subject = 'SAW'"
    assert world.value(state) == "healed"


def test_a_listing_that_vanished_is_a_question(world: World) -> None:
    connector, runtime, channel = stocked(world)
    world.pass_time(minutes=1)
    del connector.shown["CAM"]
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["kind"], found["fix"], found["state"]) == ("missing_listing", "ask", "open")


def test_a_lost_order_is_found_and_taken_in(world: World) -> None:
    connector, runtime, channel = stocked(world)
    lost = world.order("lost")
    connector.orders["lost"] = lost
    world.pass_time(minutes=10)
    connector.shown["CAM"] = 2  # the channel sold it
    last, (found,) = run(world, runtime, channel, Scope.ORDERS)
    assert (found["kind"], found["cause"]) == ("missing_order", "missed_order")
    assert (found["state"], last["healed"]) == ("healed", 1)
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 1
    _, levels = run(world, runtime, channel, Scope.LEVELS)
    assert levels == []


def test_a_young_order_is_on_its_way(world: World) -> None:
    connector, runtime, channel = stocked(world)
    connector.orders["young"] = world.order("young")
    last, found = run(world, runtime, channel, Scope.ORDERS, RunOptions(trigger="test"))
    assert (last["in_flight"], found) == (1, [])


def test_a_cancellation_that_never_came_is_healed(world: World) -> None:
    connector, runtime, channel = stocked(world)
    order = world.order("a")
    world.accept(channel, order)
    world.pass_time(minutes=5)
    connector.orders["a"] = replace(order, state=OrderState.CANCELLED, updated_at=world.now)
    _, (found,) = run(world, runtime, channel, Scope.ORDERS)
    assert (found["kind"], found["state"]) == ("order_state", "healed")
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 0


def test_a_shipment_that_the_channel_missed_is_told_again(world: World) -> None:
    connector, runtime, channel = stocked(world)
    order = world.order("a")
    connector.orders["a"] = order
    world.accept(channel, order)
    asyncio.run(relay.drain(runtime, channel["id"]))
    world.do(Action.PICK, "SN-1")
    shipment = Shipment("UPS", "1Z")
    world.write(lambda tx: orders.ship(Work(tx, world.context(), "c1"), [Scan("SN-1")], shipment))
    connector.failures = [Rejected("500 in disguise")]
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert world.value("SELECT state FROM outbox") == "dead"
    last, (found,) = run(world, runtime, channel, Scope.ORDERS)
    assert (found["kind"], found["state"], last["healed"]) == ("missing_fulfillment", "healed", 1)
    assert [line.serials for line in connector.fulfillments[0].lines] == [("SN-1",)]


def test_a_shipment_that_only_the_channel_knows_is_a_question(world: World) -> None:
    connector, runtime, channel = stocked(world)
    order = world.order("a")
    world.accept(channel, order)
    line = OrderLine(ref="l-1", sku="CAM", quantity=1, fulfilled=1)
    connector.orders["a"] = replace(order, lines=(line,))
    _, (found,) = run(world, runtime, channel, Scope.ORDERS)
    assert (found["kind"], found["state"]) == ("foreign_fulfillment", "open")
    assert world.value("SELECT kind FROM exception_case") == "disagreement"
    world.write(lambda tx: fixes.dismiss(tx, world.context(), found, "sent by the supplier"))
    assert world.value("SELECT state FROM exception_case") == "resolved"


@pytest.mark.req("R135", "R145")
def test_registrations_are_compared_with_the_maker(world: World) -> None:
    connector, runtime, channel = stage(world, manufacturer="ACME")
    world.receive("SN-1", "SN-2", "FAKE-1", place="SHOP")
    world.do(Action.SELL, "SN-1", "SN-2", "FAKE-1")
    connector.serials = {"SN-1", "SN-2"}
    asyncio.run(relay.drain(runtime, channel["id"]))
    del connector.registrations["SN-2"]
    del connector.registrations["FAKE-1"]
    last, found = run(world, runtime, channel, Scope.WARRANTIES)
    assert {row["subject"]: row["kind"] for row in found} == {
        "SN-2": "missing_registration",
        "FAKE-1": "unknown_serial",
    }
    assert "SN-2" in connector.registrations
    assert last["healed"] == 1
    assert (
        world.value("SELECT subject FROM exception_case WHERE kind = 'unknown_serial'") == "FAKE-1"
    )


def test_a_run_that_breaks_off_is_kept_with_its_reason(world: World) -> None:
    connector, runtime, channel = stocked(world)
    connector.failures = [Transient("poll"), Transient("the snapshot broke")]
    last, _ = run(world, runtime, channel, Scope.LEVELS)
    assert last["state"] == "failed"
    assert "the snapshot broke" in last["error"]


@pytest.mark.req("R145")
def test_every_scope_runs_for_every_channel_by_schedule(world: World) -> None:
    _, runtime, _ = stocked(world)
    assert asyncio.run(reconcile.reconcile_due(timedelta(), runtime)) == "4 runs over 1 channels"
    states = world.rows("SELECT scope, state FROM reconciliation_run ORDER BY scope")
    assert {row["state"] for row in states} == {"finished"}


def test_an_order_that_the_channel_no_longer_has_is_cancelled(world: World) -> None:
    connector, runtime, channel = stocked(world)
    kept, gone = world.order("kept"), world.order("gone")
    for order in (kept, gone):
        world.accept(channel, order)
    connector.orders = {"kept": kept}
    world.pass_time(minutes=5)
    (found,) = run(world, runtime, channel, Scope.ORDERS, LOOK)[1]
    assert (found["kind"], found["fix"]) == ("unknown_order", "cancel_order")
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 2
    _, (found,) = run(world, runtime, channel, Scope.ORDERS)
    healed = "SELECT state FROM reconciliation_difference WHERE id = :id"
    assert world.value(healed, id=found["id"]) == "healed"
    states = "SELECT state FROM sales_order WHERE ref = :ref"
    assert [world.value(states, ref=each) for each in ("kept", "gone")] == ["open", "cancelled"]
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 1


def test_an_order_that_is_not_listed_and_still_found_is_left_alone(world: World) -> None:
    connector, runtime, channel = stocked(world)
    hidden = world.order("hidden")
    world.accept(channel, hidden)
    world.pass_time(minutes=5)
    connector.orders = {"hidden": replace(hidden, placed_at=hidden.placed_at - timedelta(days=9))}
    assert run(world, runtime, channel, Scope.ORDERS)[1] == []
    assert world.value("SELECT state FROM sales_order") == "open"


def test_stock_that_the_channel_keeps_is_neither_told_nor_compared(world: World) -> None:
    connector, runtime, channel = stage(world)
    for sku, tracking in (("CABLE", Tracking.NONE), ("TAPE", Tracking.LOT)):
        card = ProductCard(sku=sku, name=sku, manufacturer="ACME", tracking=tracking)
        world.write(lambda tx, card=card: register_product(tx, world.context(), card))
        connector.shown[sku] = 500
    world.list_product(channel, "CABLE")
    line = OrderLine(ref="l-1", sku="CABLE", quantity=3)
    world.accept(channel, world.order(lines=[line]))
    connector.orders = {"o-1": world.order(lines=[line])}
    last, found = run(world, runtime, channel, Scope.LEVELS)
    assert (last["not_kept"], last["compared"], found) == (2, 0, [])
    assert connector.pushes == []
    assert connector.shown == {"CABLE": 500, "TAPE": 500}
    assert world.open_cases() == []
    assert world.value("SELECT COUNT(*) FROM listing") == 1


def test_stock_that_becomes_tracked_is_told(world: World) -> None:
    connector, runtime, channel = stage(world)
    card = ProductCard(sku="CABLE", name="C", manufacturer="ACME", tracking=Tracking.NONE)
    world.write(lambda tx: register_product(tx, world.context(), card))
    connector.shown["CABLE"] = 500
    world.list_product(channel, "CABLE")
    because = world.context(reason="thefts")
    world.write(lambda tx: unserialized_stock.start(tx, because, "CABLE", []))
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert [(each.sku, each.available) for each in connector.pushes] == [("CABLE", 0)]


def test_a_sku_that_is_listed_twice_stops_no_other(world: World) -> None:
    class Twice(Recording):
        async def snapshot_stock(self):
            yield ObservedLevel(sku="LENS", quantity=1, remote={"id": "1"})
            async for each in super().snapshot_stock():
                yield each
            yield ObservedLevel(sku="LENS", quantity=1, remote={"id": "2"})

    connector, runtime, channel = stage(world, Twice)
    connector.shown["CAM"] = 7
    last, found = run(world, runtime, channel, Scope.LEVELS)
    assert last["state"] == "finished"
    assert [(each["kind"], each["subject"]) for each in found] == [
        ("unbound_listing", "CAM"),
        ("duplicate_listing", "LENS"),
        ("duplicate_listing", "LENS"),
    ]
    assert world.rows("SELECT sku FROM listing") == [{"sku": "CAM"}]
    assert [subject for _, subject in world.open_cases()] == ["LENS"]


def test_a_sku_in_another_writing_is_named_in_the_question(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.shown[" cam"] = 2
    connector.shown["saw-2"] = 2
    _, found = run(world, runtime, channel, Scope.LEVELS)
    near = {each["subject"]: orjson.loads(each["ledger_claim"]) for each in found}
    assert near == {" cam": {"near_match": "CAM"}, "saw-2": {}}
    assert "our CAM" in next(each["evidence"] for each in found if each["subject"] == " cam")


def test_a_difference_that_can_not_be_healed_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, runtime, channel = stage(world)
    connector.shown |= {"CAM": 1, "LENS": 1, "SAW": 1}
    heal = fixes.heal

    def breaks(tx, context, difference_id, **choice):
        if fixes.get(tx, difference_id)["subject"] == "LENS":
            raise ZeroDivisionError
        heal(tx, context, difference_id, **choice)

    monkeypatch.setattr(fixes, "heal", breaks)
    last, _ = run(world, runtime, channel, Scope.LEVELS)
    assert last["state"] == "finished"
    assert world.rows("SELECT sku FROM listing ORDER BY sku") == [{"sku": "CAM"}, {"sku": "SAW"}]
    left = "SELECT state, heal_error FROM reconciliation_difference WHERE subject = 'LENS'"
    assert world.rows(left) == [{"state": "open", "heal_error": "ZeroDivisionError"}]


def test_near_matches_are_accepted_one_by_one_or_all_at_once(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.shown |= {" cam": 2, "Lens ": 3, "saw": 4}
    world.receive("SN-1")
    _, found = run(world, runtime, channel, Scope.LEVELS)
    assert {each["fix"] for each in found} == {"bind_near_match"}
    assert world.open_cases() == [("disagreement", "listings with a similar SKU")]
    one = next(each["id"] for each in found if each["subject"] == " cam")
    services, person = JobServices(runtime), world.context()
    asyncio.run(services.heal(channel, one, None, person))
    fix = Fix.BIND_NEAR_MATCH
    assert asyncio.run(services.heal_many(channel, fix, person, limit=10)) == (2, 2, 0)
    assert connector.shown == {" cam": 1, "Lens ": 0, "saw": 0}
    assert world.open_cases() == []
    states = world.rows("SELECT DISTINCT state FROM reconciliation_difference")
    assert states == [{"state": "healed"}]
    with pytest.raises(InvalidInput):
        world.write(lambda tx: fixes.healable(tx, "x", Fix.ASK, limit=1))
