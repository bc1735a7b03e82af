"""Returns: what is brought back is recognised, decided by rule, taken in once, refunded once."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import orjson
import pytest

from hub import catalogue, decision_rules, ledger
from hub.catalogue import ManufacturerCard, ProductCard
from hub.clock import micros, new_id
from hub.commands.context import Document
from hub.commands.work import Work
from hub.decision_rules import Conditions, Facts, Route, Rule, Topic
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.history import corrections
from hub.history.replay import Declaration
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.returns import receive
from hub.returns.check import check
from hub.returns.facts import Question
from hub.returns.findings import RETURN_RULES, ROUTE_RULES
from hub.returns.receive import Inspection, accept_plainly
from hub.storage.sql import Row, Transaction
from hub.vocabulary import OrderLine, OrderState
from world import World


def ask(world: World, identifier: str, place: str = "SHOP", **more: Any) -> Row:
    def work(tx: Transaction) -> str:
        given = {"reason": "changed mind"} | more
        question = Question(identifier=identifier, location=catalogue.location(tx, place), **given)
        return check(tx, world.context(), question)

    return case(world, world.write(work))


def case(world: World, return_id: str) -> Row:
    (row,) = world.rows("SELECT * FROM return_case WHERE id = :id", id=return_id)
    return row | {"told": orjson.loads(row["evidence"])}


def codes(row: Row) -> set[str]:
    return {code for code, _ in row["told"]["findings"]}


def sell(world: World, serial: str, receipt: str = "R-1", place: str = "SHOP") -> None:
    world.receive(serial, place=place)

    def work(tx: Transaction) -> None:
        context = world.context(document=Document("inv", receipt))
        sale = UnitCommand(action=Action.SELL)
        (verdict,) = ledger.record(Work(tx, context, new_id()), sale, [Scan(serial)])
        assert verdict.accepted, verdict

    world.write(work)


def ship(world: World, serial: str, ref: str, customer: str = "c-1", sku: str = "CAM") -> str:
    """Sell a unit on an order of a channel, and ship it."""
    rows = world.rows("SELECT * FROM channel WHERE code = 'shop'")
    channel = rows[0] if rows else world.channel("shop")
    world.receive(serial, sku=sku)
    line = OrderLine(ref="l-1", sku=sku, quantity=1)
    order = world.order(ref, lines=[line], customer_ref=customer, state=OrderState.OPEN)
    order_id = world.accept(channel, order)
    assert order_id is not None
    for action in (Action.PICK, Action.SHIP):
        (verdict,) = world.do(action, serial)
        assert verdict.accepted, verdict
    return order_id


def accept(world: World, row: Row, **more: Any) -> None:
    world.write(lambda tx: receive.accept(Work(tx, world.context(), new_id()), row["id"], **more))


def refund(world: World, row: Row, reference: str = "credit-1") -> None:
    world.write(lambda tx: receive.refund(tx, world.context(), row["id"], reference))


def route(world: World, row: Row, **more: Any) -> Rule | None:
    return world.write(
        lambda tx: receive.route(Work(tx, world.context(), new_id()), row["id"], Inspection(**more))
    )


def cases(world: World, kind: str) -> list[Row]:
    return world.rows("SELECT * FROM exception_case WHERE kind = :kind", kind=kind)


# --- What it is ------------------------------------------------------------------------------


@pytest.mark.req("R86", "R89", "R90", "R95", "R96")
def test_the_unit_of_an_order_is_accepted_with_its_sale_and_the_evidence(world: World) -> None:
    order_id = ship(world, "SN-1", "o-7")
    world.pass_time(days=3)
    row = ask(world, "sn 1", order="#o-7", customer_ref="c-1")
    assert (row["decision"], row["rule"], row["state"]) == ("accept", "in-window", "decided")
    assert codes(row) == {"sold_elsewhere"}
    told = row["told"]
    assert told["sale"] | {"sold_at": 0} == {
        "sold_at": 0,
        "place": "WH",
        "channel": "shop",
        "channel_name": "Shop",
        "order_id": order_id,
        "order": "#o-7",
        "line": "l-1",
        "customer_ref": "c-1",
        "document_type": None,
        "document": None,
        "price": None,
        "currency": None,
    }
    assert (told["buyer_matches"], told["days"]) == (True, 3)
    assert told["may_return_until"] == "2026-12-02"
    facts = {fact["name"]: fact for fact in told["facts"]}
    assert facts["sold"]["source"].startswith("event ")
    assert (facts["order"]["value"], facts["buyer"]["value"]) == ("#o-7", "c-1")
    assert facts["price"]["source"] == "shop knows it"
    assert all(fact["source"] and fact["at"] for fact in told["facts"])
    assert told["next_step"].startswith("Take the unit in")


@pytest.mark.req("R78", "R90")
def test_a_unit_sold_at_a_counter_is_known_by_its_receipt(world: World) -> None:
    sell(world, "SN-1", "R-77")
    row = ask(world, "SN-1", order="R-77")
    assert (row["decision"], codes(row)) == ("accept", set())
    assert row["told"]["sale"]["document"] == "R-77"
    assert row["told"]["buyer_matches"] is None


@pytest.mark.req("R87")
def test_a_serial_that_nobody_knows_stops_the_refund_and_opens_a_case(world: World) -> None:
    row = ask(world, "NEVER-1")
    assert (row["decision"], row["rule"], row["unit_id"]) == ("refuse", "unknown-serial", None)
    assert row["told"]["next_step"].startswith("Serial not found")
    (found,) = cases(world, "unknown_serial")
    assert (found["subject"], row["told"]["case"]) == ("NEVER-1", found["id"])
    with pytest.raises(StepNotAllowed, match="refused"):
        accept(world, row)
    with pytest.raises(StepNotAllowed, match="not taken in"):
        refund(world, row)


@pytest.mark.req("R94")
def test_a_serial_that_the_maker_can_not_have_issued_is_flagged(world: World) -> None:
    card = ManufacturerCard(code="ACME", name="ACME", serial_pattern=r"SN-\d+")
    world.write(lambda tx: catalogue.register_manufacturer(tx, world.context(), card))
    assert codes(ask(world, "FAKE", product="CAM")) == {"unknown_serial", "counterfeit"}
    assert codes(ask(world, "SN-5", product="CAM")) == {"unknown_serial"}
    ship(world, "SN-1", "o-1")
    assert codes(ask(world, "FAKE", order="o-1")) == {"unknown_serial", "counterfeit"}


@pytest.mark.req("R94")
@pytest.mark.parametrize(
    "steps",
    [
        [],
        [(Action.ALLOCATE, {}), (Action.PICK, {})],
        [(Action.TRANSFER_OUT, {"place": "SHOP"})],
    ],
)
def test_a_serial_whose_unit_is_still_ours_is_a_duplicate(world: World, steps: list[Any]) -> None:
    world.receive("SN-1")
    for action, more in steps:
        world.do(action, "SN-1", **more)
    row = ask(world, "SN-1")
    assert (row["decision"], row["rule"]) == ("refuse", "counterfeit")
    (found,) = cases(world, "suspect_return")
    assert found["severity"] == "high"


@pytest.mark.req("R94")
def test_a_serial_that_its_maker_denies_is_a_counterfeit(world: World) -> None:
    sell(world, "SN-1")
    remember(world, "SN-1", "invalid")
    assert ask(world, "SN-1")["rule"] == "counterfeit"


def remember(world: World, serial: str, status: str) -> None:
    channel = world.channel("maker")
    unit_id = world.unit(serial)["id"]
    world.write(
        lambda tx: tx.run(
            "INSERT INTO warranty_record(unit_id, channel_id, status, registered, coverages, "
            "observed_at, stale_at) VALUES(:unit, :channel, :status, :registered, '[]', :now, "
            ":now)",
            unit=unit_id,
            channel=channel["id"],
            status=status,
            registered=False,
            now=micros(world.now),
        )
    )


@pytest.mark.req("R86", "R93")
def test_a_swapped_unit_is_blocked(world: World) -> None:
    ship(world, "SN-1", "o-1")
    ship(world, "SN-2", "o-2", customer="c-2")
    row = ask(world, "SN-2", order="o-1", customer_ref="c-1")
    assert (row["decision"], row["rule"]) == ("refuse", "swapped")
    assert codes(row) == {"swapped", "buyer_mismatch", "sold_elsewhere"}
    (found,) = cases(world, "suspect_return")
    assert found["subject"] == world.unit("SN-2")["id"]
    with pytest.raises(StepNotAllowed):
        accept(world, row)
    assert world.unit("SN-2")["status"] == "shipped"


@pytest.mark.req("R93")
def test_another_product_than_was_sold_is_blocked(world: World) -> None:
    ship(world, "SN-1", "o-1")
    ship(world, "LN-1", "o-2", sku="LENS")
    assert {"swapped", "product_mismatch"} <= codes(ask(world, "LN-1", order="o-1"))
    row = ask(world, "LN-1", product="CAM")
    assert (row["decision"], row["rule"]) == ("refuse", "product-mismatch")
    with pytest.raises(UnknownReference):
        ask(world, "LN-1", product="NONE")


@pytest.mark.req("R88")
def test_a_unit_that_was_not_bought_here_is_recognised(world: World) -> None:
    sell(world, "SN-1", place="SHOP")
    row = ask(world, "SN-1", place="RETURNS")
    assert (row["decision"], codes(row)) == ("accept", {"sold_elsewhere"})
    world.write(lambda tx: tx.run("UPDATE unit SET status = 'expected' WHERE serial = 'SN-1'"))
    row = ask(world, "SN-1")
    assert (row["decision"], row["rule"]) == ("refuse", "not-sold-by-us")


@pytest.mark.req("R88", "R92")
def test_a_rule_of_our_own_may_send_back_what_another_channel_sold(world: World) -> None:
    ship(world, "SN-1", "o-1")
    put(world, rule("no-foreign", "refuse", Conditions(findings=("sold_elsewhere",))))
    row = ask(world, "SN-1")
    assert (row["decision"], row["rule"]) == ("refuse", "no-foreign")


@pytest.mark.req("R89")
def test_the_window_is_counted_from_the_day_of_the_sale(world: World) -> None:
    sell(world, "SN-1")
    world.pass_time(days=30)
    assert ask(world, "SN-1")["decision"] == "accept"
    world.pass_time(days=1)
    row = ask(world, "SN-1")
    assert (row["decision"], row["rule"]) == ("refuse", "outside-window")


@pytest.mark.req("R89")
def test_condition_buyer_and_order_can_refer_a_return_to_a_person(world: World) -> None:
    ship(world, "SN-1", "o-1")
    assert ask(world, "SN-1", condition="damaged")["rule"] == "damaged"
    assert ask(world, "SN-1", customer_ref="c-9")["rule"] == "buyer-mismatch"
    row = ask(world, "SN-1", order="nobody-knows")
    assert (row["decision"], row["rule"]) == ("refer", "unknown-order")


@pytest.mark.parametrize(
    ("action", "more", "decision", "rule"),
    [
        (Action.REPORT_STOLEN, {}, "refuse", "stolen"),
        (Action.ACCEPT_RETURN, {"place": "RETURNS"}, "refuse", "already-returned"),
        (Action.TAKE_IN, {"place": "RETURNS"}, "refuse", "already-returned"),
        (Action.HOLD, {"hold_kind": "fraud"}, "refer", "fraud-hold"),
        (Action.HOLD, {"hold_kind": "recall"}, "accept", "recalled"),
    ],
)
def test_what_happened_since_the_sale_decides(
    world: World, action: Action, more: dict[str, Any], decision: str, rule: str
) -> None:
    sell(world, "SN-1")
    assert world.do(action, "SN-1", **more)[0].accepted
    world.pass_time(days=60 if rule == "recalled" else 1)
    row = ask(world, "SN-1")
    assert (row["decision"], row["rule"]) == (decision, rule)


@pytest.mark.parametrize(
    ("action", "rule"), [(Action.WRITE_OFF, "written-off"), (Action.LOSE, "missing")]
)
def test_what_we_gave_up_is_not_refunded(world: World, action: Action, rule: str) -> None:
    world.receive("SN-1")
    world.do(action, "SN-1", reason="gone")
    row = ask(world, "SN-1")
    assert (row["decision"], row["rule"]) == ("refuse", rule)


def test_a_part_of_a_set_that_was_sold_is_referred_to_a_person(world: World) -> None:
    world.receive("SN-1", "SN-2")
    world.write(lambda tx: tx.run("UPDATE unit SET status = 'in_kit'"))
    details = {"kit": "k", "action": "sell"}
    assert world.do(Action.FOLLOW_KIT, "SN-1", place="SHOP", details=details)[0].accepted
    assert ask(world, "SN-1")["rule"] == "part-of-set"
    assert ask(world, "SN-2")["rule"] == "counterfeit"


def test_a_serial_of_two_products_asks_for_the_product(world: World) -> None:
    sell(world, "100")
    world.receive("100", sku="SAW")
    row = ask(world, "100")
    assert (row["decision"], row["rule"]) == ("refer", "ambiguous-serial")
    assert ask(world, "100", product="4006381333931")["decision"] == "accept"


def test_an_earlier_order_of_a_unit_that_was_sold_anew_was_returned_already(world: World) -> None:
    ship(world, "SN-1", "o-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS")
    world.do(Action.RESTOCK, "SN-1")
    world.do(Action.SELL, "SN-1")
    assert ask(world, "SN-1", order="o-1")["rule"] == "already-returned"
    assert ask(world, "SN-1")["decision"] == "accept"


def test_a_sale_that_did_not_occur_is_no_sale(world: World) -> None:
    sell(world, "SN-1")
    event = world.history("SN-1")[-1]
    world.write(
        lambda tx: corrections.correct(
            Work(tx, world.context(reason="wrong unit"), new_id()),
            event["id"],
            reason=Declaration.DID_NOT_OCCUR,
        )
    )
    assert ask(world, "SN-1")["rule"] == "counterfeit"


@pytest.mark.req("R91")
@pytest.mark.parametrize(
    "given", [{"reason": " "}, {"reason": "x" * 201}, {"condition": "x" * 21}, {"order": "x" * 201}]
)
def test_a_check_needs_its_reason_and_refuses_what_is_too_long(
    world: World, given: dict[str, str]
) -> None:
    sell(world, "SN-1")
    with pytest.raises(InvalidInput):
        ask(world, "SN-1", **given)
    assert world.value("SELECT COUNT(*) FROM return_case") == 0


# --- What follows -----------------------------------------------------------------------------


@pytest.mark.req("R48", "R91", "R97")
def test_an_accepted_unit_is_with_us_with_its_reason_and_not_sellable(world: World) -> None:
    sell(world, "SN-1")
    row = ask(world, "SN-1", reason="defective")
    accept(world, row)
    unit, event = world.unit("SN-1"), world.history("SN-1")[-1]
    assert (unit["status"], unit["location_code"]) == ("returned", "SHOP")
    assert (event["reason"], event["document_type"]) == ("defective", "rma")
    assert event["document_ref"] == row["id"]
    for action in (Action.SELL, Action.ALLOCATE):
        assert world.do(action, "SN-1")[0].code == "STEP_NOT_ALLOWED"
    assert case(world, row["id"])["state"] == "received"
    with pytest.raises(StepNotAllowed, match="received already"):
        accept(world, row)


def test_a_referred_return_needs_somebody_who_says_why(world: World) -> None:
    sell(world, "SN-1")
    row = ask(world, "SN-1", condition="damaged")
    with pytest.raises(StepNotAllowed, match="person"):
        accept(world, row)
    accept(world, row, override="the carrier did it")
    said = case(world, row["id"])["told"]["override"]
    assert (said["by"], said["why"]) == ("tester", "the carrier did it")


@pytest.mark.req("R95")
def test_a_sale_is_refunded_once(world: World) -> None:
    sell(world, "SN-1")
    first = ask(world, "SN-1")
    accept(world, first)
    with pytest.raises(InvalidInput):
        refund(world, first, " ")
    refund(world, first)
    with pytest.raises(StepNotAllowed, match="credit-1"):
        refund(world, first, "credit-2")
    world.do(Action.HAND_BACK, "SN-1")
    again = ask(world, "SN-1")
    assert (again["decision"], again["rule"]) == ("refuse", "already-refunded")


def test_a_late_refund_belongs_to_its_own_sale(world: World) -> None:
    sell(world, "SN-1")
    first = ask(world, "SN-1")
    accept(world, first)
    route(world, first, grade="A")
    world.pass_time(days=1)
    world.do(Action.SELL, "SN-1")
    second = ask(world, "SN-1")
    accept(world, second)
    refund(world, second, "credit-2")
    refund(world, first, "credit-1")
    assert case(world, first["id"])["state"] == "closed"


def test_other_checks_of_the_unit_are_closed_when_one_is_accepted(world: World) -> None:
    sell(world, "SN-1")
    first, second = ask(world, "SN-1"), ask(world, "SN-1")
    accept(world, second)
    assert case(world, first["id"])["state"] == "closed"
    with pytest.raises(StepNotAllowed, match="closed already"):
        accept(world, first)


@pytest.mark.req("R93")
def test_the_plain_way_takes_no_unit_that_its_check_refused(world: World) -> None:
    for serial in ("SN-1", "SN-2", "SN-3"):
        sell(world, serial)
    refused, taken = ask(world, "SN-1", product="LENS"), ask(world, "SN-2")

    def work(tx: Transaction) -> Any:
        place = catalogue.location(tx, "RETURNS")
        command = UnitCommand(action=Action.ACCEPT_RETURN, location=place)
        scans = [Scan(each) for each in ("SN-1", "SN-2", "SN-404", "SN-3")]
        return accept_plainly(Work(tx, world.context(reason="broken"), new_id()), command, scans)

    verdicts = world.write(work)
    assert [each.code for each in verdicts] == ["STEP_NOT_ALLOWED", None, "UNKNOWN_UNIT", None]
    assert [each.index for each in verdicts] == [0, 1, 2, 3]
    assert case(world, refused["id"])["state"] == "decided"
    assert case(world, taken["id"])["state"] == "received"


def race(world: World, work: Callable[[Transaction], Any]) -> list[str]:
    """Do the same twice at once; say how each went."""
    both: list[Future[Any]] = [world.database.submit(work) for _ in range(2)]
    return sorted("refused" if each.exception(60) else "done" for each in both)


def test_of_two_who_accept_or_refund_one_return_one_wins(world: World) -> None:
    sell(world, "SN-1")
    row = ask(world, "SN-1")
    ways = race(world, lambda tx: receive.accept(Work(tx, world.context(), new_id()), row["id"]))
    assert ways == ["done", "refused"]
    assert [each["action"] for each in world.history("SN-1")].count("accept_return") == 1
    ways = race(world, lambda tx: receive.refund(tx, world.context(), row["id"], new_id()))
    assert ways == ["done", "refused"]


# --- Routes -----------------------------------------------------------------------------------


@pytest.mark.req("R41", "R92")
@pytest.mark.parametrize(
    ("found", "status", "decided", "disposal"),
    [
        ({"grade": "A"}, "in_stock", "restock", "resell"),
        ({"grade": "C"}, "in_repair", "repair", None),
        ({"grade": "D"}, "written_off", "write_off", "scrap"),
        ({"grade": "E"}, "written_off", "recycle", "recycle"),
        ({"condition": "new"}, "in_stock", "restock", "resell"),
    ],
)
def test_the_rules_route_a_unit_that_came_back(
    world: World, found: dict[str, str], status: str, decided: str, disposal: str | None
) -> None:
    sell(world, "SN-1")
    row = ask(world, "SN-1")
    accept(world, row)
    by = route(world, row, **found)
    assert by is not None
    assert world.unit("SN-1")["status"] == status
    details = orjson.loads(world.history("SN-1")[-1]["details"])
    assert (details.get("disposal"), details["rule"]) == (disposal, by.code)
    after = case(world, row["id"])
    assert (after["route"], after["route_rule"]) == (decided, by.code)
    with pytest.raises(StepNotAllowed, match="routed already"):
        route(world, row, **found)
    refund(world, row)
    assert case(world, row["id"])["state"] == "closed"


@pytest.mark.req("R41", "R92", "R97")
def test_a_recalled_unit_goes_the_way_of_its_recall(world: World) -> None:
    sell(world, "SN-1")
    world.do(Action.HOLD, "SN-1", hold_kind="recall")
    row = ask(world, "SN-1")
    accept(world, row)
    route(world, row, grade="A")
    unit, details = world.unit("SN-1"), orjson.loads(world.history("SN-1")[-1]["details"])
    assert (unit["status"], unit["disposition"]) == ("returned", "recalled")
    assert details["disposal"] == "recall"


def test_what_no_rule_fits_waits_for_a_person_who_says_why(world: World) -> None:
    sell(world, "SN-1")
    row = ask(world, "SN-1")
    with pytest.raises(StepNotAllowed, match="not taken in"):
        route(world, row, grade="A")
    accept(world, row)
    by = route(world, row)
    assert by is not None
    assert (by.code, world.unit("SN-1")["status"]) == ("undecided", "returned")
    with pytest.raises(InvalidInput):
        route(world, row, outcome=Route.RESTOCK)
    with pytest.raises(InvalidInput):
        route(world, row, outcome=Route.REFER, why="why not")
    assert route(world, row, outcome=Route.HAND_BACK, why="his own") is None
    assert world.unit("SN-1")["status"] == "sold"


def test_what_was_refunded_is_not_handed_back(world: World) -> None:
    sell(world, "SN-1")
    row = ask(world, "SN-1")
    accept(world, row)
    refund(world, row)
    with pytest.raises(StepNotAllowed, match="refunded"):
        route(world, row, outcome=Route.HAND_BACK, why="his own")


# --- Rules ------------------------------------------------------------------------------------


def rule(
    code: str, decision: str, fits: Conditions, topic: Topic = Topic.RETURN, **more: Any
) -> Rule:
    given = {"name": code, "rank": 10} | more
    return Rule(topic=topic, code=code, conditions=fits, decision=decision, **given)


def put(world: World, each: Rule) -> None:
    built_in = ROUTE_RULES if each.topic is Topic.ROUTE else RETURN_RULES
    world.write(lambda tx: decision_rules.put(tx, world.context(), each, built_in))


@pytest.mark.req("R92")
def test_the_rule_of_the_smallest_rank_that_fits_decides(world: World) -> None:
    put(world, rule("dear", "quarantine", Conditions(value_from=1000), Topic.ROUTE, rank=5))
    put(world, rule("shop", "recycle", Conditions(channels=("SHOP",)), Topic.ROUTE, rank=6))
    rules = world.read(lambda tx: decision_rules.rules(tx, Topic.ROUTE, ROUTE_RULES))

    def by(**facts: Any) -> str:
        return decision_rules.decide(rules, Facts(**facts)).code

    assert by(value=1000, channel="shop", grade="A") == "dear"
    assert by(value=999, channel="shop", grade="A") == "shop"
    assert by(grade="a") == "good"  # what is not known fits no condition
    assert by(reason=" Defective ") == "faulty"
    assert by(recalled=True, grade="A") == "recalled"
    assert by() == "undecided"


def test_a_rule_replaces_the_built_in_one_of_its_code_until_it_is_removed(world: World) -> None:
    sell(world, "SN-1")
    world.pass_time(days=31)
    outside = Conditions(findings=("outside_window",))
    put(world, rule("outside-window", "refer", outside))
    assert ask(world, "SN-1")["decision"] == "refer"
    world.write(lambda tx: decision_rules.remove(tx, Topic.RETURN, "outside-window"))
    assert ask(world, "SN-1")["decision"] == "refuse"
    with pytest.raises(UnknownReference):
        world.write(lambda tx: decision_rules.remove(tx, Topic.RETURN, "outside-window"))


def test_no_rule_of_our_own_pays_for_fraud(world: World) -> None:
    put(world, rule("all", "accept", Conditions(), rank=0))
    put(world, rule("in-window", "accept", Conditions(), rank=1))
    assert ask(world, "NEVER-1")["decision"] == "refuse"
    with pytest.raises(InvalidInput, match="fixed"):
        put(world, rule("swapped", "accept", Conditions()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "Not a code"},
        {"name": " "},
        {"rank": 10_000},
        {"rank": -1},
        {"decision": "perhaps"},
        {"fits": Conditions(days_from=5, days_to=4)},
        {"fits": Conditions(value_from=-1)},
        {"fits": Conditions(skus=("",))},
        {"fits": Conditions(skus=("x",) * 51)},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(world: World, wrong: dict[str, Any]) -> None:
    given = {"code": "r", "decision": "accept", "fits": Conditions(), "name": "r"} | wrong
    with pytest.raises(InvalidInput):
        put(world, rule(**given))


def test_a_product_may_come_back_later_than_others(world: World) -> None:
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", return_days=100)
    sell(world, "SN-1")
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
    world.pass_time(days=99)
    assert ask(world, "SN-1")["decision"] == "accept"
