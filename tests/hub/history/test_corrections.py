"""Corrections: a mistake is named by a later event, never edited, and the unit stands right."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from correcting import correct, never, restate
from hub import catalogue, ledger
from hub.catalogue import location
from hub.clock import micros, moment, new_id
from hub.commands.context import Document
from hub.commands.work import Work
from hub.errors import (
    ContradictsHistory,
    InvalidInput,
    Refused,
    StepNotAllowed,
    UnknownReference,
    VersionConflict,
)
from hub.history import as_of, corrections, unit_history
from hub.history.replay import Declaration
from hub.ledger import hash_chain
from hub.ledger.command import Identity, UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import LIFECYCLE, Action, allowed
from hub.orders import Shipment, ship
from hub.proof import conservation
from hub.storage.sql import Row, Transaction
from hub.vocabulary import OrderLine, OrderState
from world import World

SHOWN = ("status", "disposition", "location_id", "blocks", "grade", "sold_at", "order_line_id")


def whole(world: World) -> None:
    """Check that the ledger holds together and that everything adds up."""
    assert world.read(hash_chain.verify).breaks == ()
    assert world.read(conservation.check).breaches == ()


def state(world: World, serial: str = "SN-1") -> Row:
    unit = world.unit(serial)
    return {name: unit[name] for name in SHOWN} | {"promised": unit["promised_to"] is not None}


# --- What did not occur -------------------------------------------------------------------------

UNDONE = {
    "a put-away": ([], Action.PUT_AWAY, {"place": "WH-A1"}),
    "a move": ([Action.PUT_AWAY], Action.MOVE, {"place": "WH-A1"}),
    "a transfer": ([Action.PUT_AWAY], Action.TRANSFER_OUT, {"place": "SHOP"}),
    "an arrival": ([Action.PUT_AWAY, Action.TRANSFER_OUT], Action.TRANSFER_IN, {"place": "SHOP"}),
    "a block": ([Action.PUT_AWAY], Action.HOLD, {"hold_kind": "recall"}),
    "an unblock": (
        [Action.PUT_AWAY, Action.HOLD],
        Action.UNBLOCK,
        {"hold_kind": "quality"},
    ),
    "a sale": ([Action.PUT_AWAY], Action.SELL, {}),
    "a sale of a promised unit": (
        [Action.PUT_AWAY, Action.ALLOCATE],
        Action.SELL,
        {"hold_reference": "cart"},
    ),
    "a shipment": (
        [Action.PUT_AWAY, Action.ALLOCATE, Action.PICK, Action.PACK],
        Action.SHIP,
        {},
    ),
    "a return": ([Action.PUT_AWAY, Action.SELL], Action.ACCEPT_RETURN, {"place": "RETURNS"}),
    "a restock": (
        [Action.PUT_AWAY, Action.SELL, Action.ACCEPT_RETURN],
        Action.RESTOCK,
        {"grade": "B"},
    ),
    "a repair": ([Action.PUT_AWAY, Action.SELL, Action.ACCEPT_RETURN], Action.REPAIR, {}),
    "a quarantine": ([Action.PUT_AWAY, Action.SELL, Action.ACCEPT_RETURN], Action.QUARANTINE, {}),
    "a condemnation": ([Action.PUT_AWAY, Action.SELL, Action.ACCEPT_RETURN], Action.CONDEMN, {}),
    "a write-off": ([Action.PUT_AWAY], Action.WRITE_OFF, {}),
}
USUAL = {
    Action.PUT_AWAY: {"place": "WH"},
    Action.TRANSFER_OUT: {"place": "SHOP"},
    Action.HOLD: {"hold_kind": "quality"},
    Action.ALLOCATE: {"hold_reference": "cart"},
    Action.SELL: {},
    Action.ACCEPT_RETURN: {"place": "WH"},
}


@pytest.mark.req("R39")
@pytest.mark.parametrize("what", UNDONE)
def test_what_did_not_occur_leaves_the_unit_where_it_stood(world: World, what: str) -> None:
    before, action, more = UNDONE[what]
    world.receive("SN-1", put_away=False)
    for step in before:
        world.pass_time(minutes=1)
        assert world.do(step, "SN-1", **USUAL.get(step, {}))[0].accepted
    stood = state(world)
    events = world.history("SN-1")
    world.pass_time(minutes=1)
    assert world.do(action, "SN-1", **more)[0].accepted
    assert state(world) != stood
    done = never(world, "SN-1", len(events) + 1)
    assert state(world) == stood
    assert done.status == stood["status"]
    recorded = world.history("SN-1")
    assert [row["hash"] for row in recorded[: len(events)]] == [row["hash"] for row in events]
    assert (recorded[-1]["action"], recorded[-1]["corrects"]) == ("correct", recorded[-2]["id"])
    whole(world)


def test_what_it_set_free_is_free_again(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")
    never(world, "SN-1", 3)
    (verdict,) = world.do(Action.ALLOCATE, "SN-1", hold_reference="cart")
    assert (verdict.accepted, verdict.version) == (True, 5)
    whole(world)


@pytest.mark.req("R39")
def test_a_later_event_that_would_be_impossible_prevents_it_and_is_named(world: World) -> None:
    world.receive("SN-1", place="SHOP")
    world.do(Action.SELL, "SN-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="SHOP", reason="too small")
    with pytest.raises(ContradictsHistory) as refused:
        never(world, "SN-1", 3)
    assert refused.value.details == {
        "prevented_by": world.history("SN-1")[3]["id"],
        "action": "accept_return",
    }
    assert "accept return" in str(refused.value)
    never(world, "SN-1", 4)  # the later one first
    never(world, "SN-1", 3)
    assert state(world)["status"] == "in_stock"
    whole(world)


def test_events_in_between_may_go_when_the_later_ones_stay_possible(world: World) -> None:
    world.receive("SN-1", place="WH")
    world.do(Action.HOLD, "SN-1", hold_kind="fraud")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    assert state(world)["disposition"] == "non_sellable_other"
    never(world, "SN-1", 3)
    assert (state(world)["disposition"], state(world)["blocks"]) == ("sellable_not_accessible", 0)
    unit = world.unit("SN-1")["id"]
    told = world.read(lambda tx: unit_history.as_corrected(tx, [unit]))[unit]
    assert [(row["version"], row["disposition"]) for row in told][-1] == (
        4,
        "sellable_not_accessible",
    )
    whole(world)


def test_a_block_that_was_taken_back_can_not_have_been_never_placed(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.HOLD, "SN-1", hold_kind="fraud")
    world.do(Action.UNBLOCK, "SN-1", hold_kind="fraud")
    with pytest.raises(ContradictsHistory, match="no fraud hold"):
        never(world, "SN-1", 3)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "write it off"),
        ([Action.ALLOCATE], "release the promise"),
        ([Action.ALLOCATE, Action.RELEASE], "allocate the unit again"),
        ([Action.ALLOCATE, Action.PICK], "goes back into stock"),
        ([Action.ALLOCATE, Action.PICK, Action.PACK], "goes back into stock"),
    ],
)
def test_what_has_a_better_way_says_it(world: World, steps: list[Action], words: str) -> None:
    world.receive("SN-1")
    for step in steps:
        world.do(step, "SN-1", **USUAL.get(step, {}))
    with pytest.raises(StepNotAllowed, match=words):
        never(world, "SN-1", len(steps) + 2 if steps else 1)


def test_a_promise_that_ran_out_meanwhile_comes_back_to_be_swept(world: World) -> None:
    world.receive("SN-1")
    ends = micros(world.now + timedelta(minutes=5))
    world.do(Action.ALLOCATE, "SN-1", hold_reference="cart", expires_at=ends)
    world.do(Action.SELL, "SN-1", hold_reference="cart")
    world.pass_time(hours=1)
    never(world, "SN-1", 4)
    hold = world.rows("SELECT * FROM hold WHERE released_at IS NULL")[0]
    assert (hold["reference"], hold["expires_at"]) == ("cart", ends)
    assert world.unit("SN-1")["promised_until"] == ends
    whole(world)


# --- What was told outside ----------------------------------------------------------------------


def shipped(world: World, connector: str) -> Row:
    channel = world.channel("shop", connector)
    world.list_product(channel)
    world.receive("SN-1")
    world.accept(channel, world.order())
    world.do(Action.PICK, "SN-1")
    context = world.context()
    world.write(lambda tx: ship(Work(tx, context, new_id()), [Scan("SN-1")], Shipment()))
    return channel


def test_a_shipment_that_a_channel_is_told_is_taken_back_as_a_return(world: World) -> None:
    shipped(world, "shopify")
    with pytest.raises(StepNotAllowed, match="notified that it left") as refused:
        never(world, "SN-1", 5)
    assert refused.value.details["allowed"] == ["accept_return"]
    assert state(world)["status"] == "shipped"


def test_a_shipment_that_nobody_was_told_opens_its_order_again(world: World) -> None:
    shipped(world, "shopify")
    world.write(lambda tx: tx.run("DELETE FROM outbox"))
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    never(world, "SN-1", 5)
    assert world.value("SELECT state FROM sales_order") == "open"
    unit = state(world)
    assert (unit["status"], unit["promised"]) == ("picked", True)
    assert unit["order_line_id"] == world.value("SELECT id FROM order_line")
    whole(world)


def test_a_shipment_of_a_cancelled_order_is_taken_back_as_a_return(world: World) -> None:
    shipped(world, "shopify")
    world.write(lambda tx: tx.run("DELETE FROM outbox"))
    world.write(lambda tx: tx.run("UPDATE sales_order SET state = 'cancelled'"))
    with pytest.raises(StepNotAllowed, match="cancelled"):
        never(world, "SN-1", 5)


def test_a_registration_that_still_waits_is_withdrawn(world: World) -> None:
    maker = world.value("SELECT id FROM manufacturer WHERE code = 'ACME'")
    world.channel("maker", "warranty_rest", manufacturer="ACME")
    assert maker
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")
    assert world.value("SELECT COUNT(*) FROM outbox") == 1
    never(world, "SN-1", 3)
    assert world.value("SELECT COUNT(*) FROM outbox") == 0
    world.do(Action.SELL, "SN-1")
    world.write(lambda tx: tx.run("UPDATE outbox SET state = 'sent'"))
    with pytest.raises(StepNotAllowed, match="manufacturer was notified"):
        never(world, "SN-1", 5)
    whole(world)


def test_a_sale_that_a_channel_reported_is_taken_back_as_a_return(world: World) -> None:
    channel = world.channel("till", "square")
    world.list_product(channel)
    world.receive("SN-1", place="SHOP")
    line = OrderLine(ref="l-1", sku="CAM", quantity=1, serials=("SN-1",))
    world.accept(channel, world.order(lines=[line], at_counter=True, state=OrderState.FULFILLED))
    assert state(world)["status"] == "sold"
    with pytest.raises(StepNotAllowed, match="till says that it sold"):
        never(world, "SN-1", 3)


def wanted(world: World) -> int:
    return int(world.value("SELECT wanted_version FROM listing_level"))


def test_listings_are_touched_when_availability_changes_and_only_then(world: World) -> None:
    world.list_product(world.channel())
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")
    seen = wanted(world)
    never(world, "SN-1", 3)
    assert wanted(world) == seen + 1
    restate(world, "SN-1", 2, reason="night shift")
    assert wanted(world) == seen + 1
    world.do(Action.TRANSFER_OUT, "SN-1", place="SHOP")
    world.do(Action.TRANSFER_IN, "SN-1", place="WH")
    seen = wanted(world)
    restate(world, "SN-1", 7, location="SHOP")  # another site is another figure for some channels
    assert wanted(world) == seen + 1


# --- What was wrong -----------------------------------------------------------------------------


@pytest.mark.req("R37")
def test_time_document_reason_and_place_can_be_restated(world: World) -> None:
    world.receive("SN-1")
    world.pass_time(days=2)
    world.do(Action.MOVE, "SN-1", place="WH-A1", reason="tidying")
    earlier = world.now - timedelta(days=1)
    restate(
        world,
        "SN-1",
        3,
        occurred_at=earlier,
        document=Document("inv", "42"),
        reason="recall check",
        location="WH",
    )
    assert world.unit("SN-1")["location_code"] == "WH"
    unit = world.unit("SN-1")["id"]
    recorded = world.history("SN-1")[2]
    assert (recorded["reason"], recorded["to_code"]) == ("tidying", "WH-A1")
    told = world.read(lambda tx: unit_history.as_corrected(tx, [unit]))[unit][-1]
    assert (told["reason"], told["to_code"]) == ("recall check", "WH")
    assert (told["document_type"], told["document_ref"]) == ("inv", "42")
    assert moment(told["occurred_at"]) == earlier
    whole(world)


@pytest.mark.req("R47")
def test_the_place_of_an_earlier_event_changes_the_history_and_not_the_unit(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    restate(world, "SN-1", 3, location="WH")
    assert world.unit("SN-1")["location_code"] == "WH-A1"
    unit = world.unit("SN-1")["id"]
    told = world.read(lambda tx: unit_history.as_corrected(tx, [unit]))[unit]
    assert [row["to_code"] for row in told] == ["WH", "WH", "WH", "WH-A1"]
    assert [row["from_code"] for row in told] == [None, "WH", "WH", "WH"]


def test_a_place_at_another_site_needs_a_transfer(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    with pytest.raises(ContradictsHistory, match="another site"):
        restate(world, "SN-1", 3, location="SHOP")
    with pytest.raises(ContradictsHistory, match="event 2"):
        restate(world, "SN-1", 1, location="SHOP")
    never(world, "SN-1", 3)
    never(world, "SN-1", 2)
    restate(world, "SN-1", 1, location="SHOP")
    assert world.unit("SN-1")["location_code"] == "SHOP"
    whole(world)


def test_the_newest_correction_counts(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.MOVE, "SN-1", place="WH-A1", reason="tidying")
    restate(world, "SN-1", 3, reason="first try", location="WH")
    restate(world, "SN-1", 3, reason="second try")
    unit = world.unit("SN-1")["id"]
    told = world.read(lambda tx: unit_history.as_corrected(tx, [unit]))[unit][-1]
    assert (told["reason"], told["to_code"]) == ("second try", "WH-A1")
    never(world, "SN-1", 3)
    assert world.unit("SN-1")["location_code"] == "WH"
    restate(world, "SN-1", 3)  # it was right as it was first recorded
    told = world.read(lambda tx: unit_history.as_corrected(tx, [unit]))[unit][-1]
    assert (told["reason"], told["to_code"]) == ("tidying", "WH-A1")
    assert world.unit("SN-1")["location_code"] == "WH-A1"
    both = world.read(lambda tx: unit_history.both(tx, [unit]))[unit]
    assert both[2]["corrected_by"] == [row["id"] for row in both[3:]]
    whole(world)


def test_a_sale_that_was_declared_away_is_recorded_anew(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")
    never(world, "SN-1", 3)
    with pytest.raises(StepNotAllowed, match="record it again"):
        restate(world, "SN-1", 3)


def test_what_makes_no_sense_is_refused(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.HOLD, "SN-1", hold_kind="fraud")
    restate(world, "SN-1", 2, reason="x")
    wrong = Declaration.INCORRECT_DATA
    with pytest.raises(InvalidInput, match="needs its reason"):
        never(world, "SN-1", 3, why=" ")
    with pytest.raises(InvalidInput, match="nothing to restate"):
        never(world, "SN-1", 3, changes=corrections.Changes(reason="y"))
    with pytest.raises(InvalidInput, match="what was right"):
        restate(world, "SN-1", 3)
    with pytest.raises(InvalidInput, match="puts the unit nowhere"):
        restate(world, "SN-1", 3, location="WH")
    with pytest.raises(InvalidInput, match="correct the event that it names"):
        never(world, "SN-1", 4)
    with pytest.raises(InvalidInput, match="future"):
        restate(world, "SN-1", 3, occurred_at=world.now + timedelta(seconds=1))
    with pytest.raises(InvalidInput, match="at most 200"):
        restate(world, "SN-1", 3, reason="x" * 201)
    with pytest.raises(UnknownReference):
        restate(world, "SN-1", 2, location="NOWHERE")
    with pytest.raises(VersionConflict):
        correct(world, "SN-1", 3, wrong, expected_version=3)
    with pytest.raises(UnknownReference):
        world.write(
            lambda tx: corrections.correct(
                Work(tx, world.context(reason="r"), new_id()), new_id(), reason=wrong
            )
        )
    assert world.unit("SN-1")["version"] == 4


# --- Whatever happens ---------------------------------------------------------------------------

STEPS = [each for each in Action if each in LIFECYCLE]


def act(world: World, data: st.DataObject, serial: str) -> None:
    """Do something, possible or not, that happened now or earlier."""
    unit = world.unit(serial)
    promised, blocked = unit["promised_to"] is not None, unit["blocks"] > 0
    possible = allowed(unit["status"], promised=promised, blocked=blocked)
    action = data.draw(st.sampled_from([*possible, *possible, *STEPS]))
    place = data.draw(st.sampled_from(["WH", "WH-A1", "SHOP", "RETURNS"]))
    kind = data.draw(st.sampled_from(["quality", "recall"]))
    ago = timedelta(seconds=data.draw(st.sampled_from([0, 0, 90, 7000])))
    grade = data.draw(st.sampled_from([None, "A"]))
    sku = data.draw(st.sampled_from(["CAM", "LENS", "SAW"]))

    def work(tx: Transaction) -> None:
        to = catalogue.reference(tx, "product", "sku", sku)
        identity = Identity(
            serial=serial, product_id=to["id"], manufacturer_id=to["manufacturer_id"], sku=sku
        )
        was = {"product": unit["product_id"], "serial": serial}
        named = {"serial": serial, "product": to["id"], "manufacturer": to["manufacturer_id"]}
        command = UnitCommand(
            action=action,
            location=location(tx, place),
            hold_kind=kind,
            hold_reference="cart",
            grade=grade,
            identity=identity if action is Action.REIDENTIFY else None,
            details=named | {"was": was} if action is Action.REIDENTIFY else None,
        )
        context = replace(world.context(), occurred_at=world.now - ago)
        ledger.record(Work(tx, context, new_id()), command, [Scan(serial)])

    world.write(work)


def err(world: World, data: st.DataObject, serial: str) -> None:
    """Correct some event in some way, if it can be."""
    version = data.draw(st.integers(1, world.unit(serial)["version"]))
    place = data.draw(st.sampled_from([None, "WH", "WH-A1", "SHOP"]))
    ago = data.draw(st.sampled_from([None, 30, 9000]))
    when = None if ago is None else world.now - timedelta(seconds=ago)
    try:
        if data.draw(st.booleans()):
            never(world, serial, version)
        else:
            restate(world, serial, version, location=place, occurred_at=when)
    except Refused:
        pass


@pytest.mark.slow
@pytest.mark.req("R36", "R39", "R58")
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_is_done_and_corrected_the_fold_stays_true(
    world: World, data: st.DataObject
) -> None:
    serial = f"U{new_id()[-12:]}"
    world.receive(serial, put_away=False)
    for _ in range(data.draw(st.integers(4, 16))):
        world.pass_time(seconds=60)
        data.draw(st.sampled_from([act, act, err]))(world, data, serial)
    whole(world)
    unit = world.unit(serial)
    stood = world.read(lambda tx: as_of.unit_as_of(tx, unit["id"], world.now))
    assert stood is not None
    for name in ("status", "disposition", "location_id", "grade", "sold_at"):
        assert getattr(stood.standing, name) == unit[name], name
    assert stood.standing.promised == (unit["promised_to"] is not None)
    assert len(stood.standing.blocks) == unit["blocks"]
    add_up(world, unit["id"])


def add_up(world: World, unit_id: str) -> None:
    """Check every instant of a unit: the balance adds up, and one place has the unit.

    Its events follow each other in time as they do in the ledger.
    """
    told = world.read(lambda tx: unit_history.as_corrected(tx, [unit_id]))[unit_id]
    times = [row["occurred_at"] for row in told]
    assert times == sorted(times)
    codes = {row["id"]: row["code"] for row in world.rows("SELECT id, code FROM location")}
    for row in world.rows("SELECT DISTINCT occurred_at FROM event WHERE unit_id = :u", u=unit_id):
        at = moment(row["occurred_at"])
        assert world.read(partial(as_of.trial_balance, at=at)).adds_up
        stood = world.read(partial(as_of.unit_as_of, unit_id=unit_id, at=at))
        found = {
            (code, unit["version"], unit["status"])
            for code in codes.values()
            for unit in stock(world, code, at, unit_id[:-1])
            if unit["id"] == unit_id
        }
        if stood is None:
            assert found == set()
            continue
        standing = stood.standing
        assert found == {(codes[standing.location_id], stood.version, str(standing.status))}


def stock(world: World, code: str, at: datetime, after: str) -> list[Row]:
    read = partial(as_of.stock_as_of, location=code, at=at, first=1, after=after)
    return world.read(read)


def test_the_correction_is_sealed_with_all_that_it_says(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    never(world, "SN-1", 3)
    details = orjson.loads(world.history("SN-1")[-1]["details"])
    assert details == {
        "declaration": "did_not_occur",
        "restated": {},
        "as_corrected": [{"version": 3, "occurred": False}],
    }


def test_a_return_that_did_not_occur_is_brought_back_by_no_correction(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS")
    never(world, "SN-1", 4)
    for changes in ({}, {"location": "SHOP"}):
        with pytest.raises(StepNotAllowed, match="record it again"):
            restate(world, "SN-1", 4, **changes)
    assert world.unit("SN-1")["status"] == "sold"
    (again,) = world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS")
    assert again.accepted
