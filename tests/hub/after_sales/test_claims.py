"""Claims: decided at once where a rule fits, exchanged once, measured from end to end."""

from concurrent.futures import Future
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from hub import catalogue, decision_rules
from hub.after_sales import claims, cover, repairs
from hub.after_sales.claim_rules import CLAIM_RULES
from hub.after_sales.claims import Claim
from hub.after_sales.cover import CoverKind, CoverStatus, Entitled, Grant, cover_of
from hub.after_sales.repairs import WorkDone, WorkKind
from hub.after_sales.replacements import replace_unit
from hub.catalogue import ProductCard, ReplacementCover
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.decision_rules import ClaimDecision, Conditions, Rule, Topic
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference, UnknownUnit
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Row, Transaction
from recording import stage
from world import World

D = ClaimDecision


@pytest.fixture(autouse=True)
def _two_years(world: World) -> None:
    product(world)


def product(world: World, **more: Any) -> None:
    given = {"warranty_months": 24} | more
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", **given)
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))


def ship(world: World, serial: str, ref: str, customer: str = "c-1") -> None:
    rows = world.rows("SELECT * FROM channel WHERE code = 'shop'")
    channel = rows[0] if rows else world.channel("shop")
    arrival = Arrival(serial=serial, product="CAM", lot="LOT-7", produced_on=date(2026, 9, 1))
    world.write(
        lambda tx: receiving.receive(
            Work(tx, world.context(), new_id()),
            [arrival],
            catalogue.location(tx, "WH"),
            put_away=True,
        )
    )
    world.accept(channel, world.order(ref, customer_ref=customer))
    for action in (Action.PICK, Action.SHIP):
        assert world.do(action, serial)[0].accepted


def claim(world: World, serial: str = "SN-1", **more: Any) -> Row:
    given = {"fault": "no picture"} | more
    return shown(
        world,
        world.write(
            lambda tx: claims.open_claim(tx, world.context(), Claim(identifier=serial, **given))
        ),
    )


def shown(world: World, claim_id: str) -> Row:
    (row,) = world.rows("SELECT * FROM warranty_claim WHERE id = :id", id=claim_id)
    return row | {"told": orjson.loads(row["evidence"])}


def codes(row: Row) -> set[str]:
    return {code for code, _ in row["told"]["findings"]}


def decide(world: World, row: Row, decision: ClaimDecision, reason: str = "seen") -> None:
    world.write(lambda tx: claims.decide_claim(tx, world.context(), row["id"], decision, reason))


def dispute(world: World, row: Row) -> None:
    world.write(lambda tx: claims.dispute_claim(tx, world.context(), row["id"], "I object"))


def exchange(world: World, row: Row, serial: str = "NEW-1", place: str = "RETURNS") -> str:
    def work(tx: Transaction) -> str:
        where = catalogue.location(tx, place)
        return replace_unit(Work(tx, world.context(), new_id()), row["id"], Scan(serial), where)

    return world.write(work)


def maker_says(world: World, status: str, *, days: int = 7) -> None:
    channel = stage(world, manufacturer="ACME")[2]
    unit_id = world.unit("SN-1")["id"]
    world.write(
        lambda tx: tx.run(
            "INSERT INTO warranty_record(unit_id, channel_id, status, registered, coverages, "
            "observed_at, stale_at) VALUES(:unit, :channel, :status, :no, '[]', :now, :stale)",
            unit=unit_id,
            channel=channel["id"],
            status=status,
            no=False,
            now=micros(world.now),
            stale=micros(world.now + timedelta(days=days)),
        )
    )


@pytest.mark.req("R98", "R99", "R109", "R110")
def test_a_routine_claim_is_decided_in_the_call_that_opens_it(world: World) -> None:
    ship(world, "SN-1", "o-1")
    world.pass_time(days=100)
    row = claim(world, order="#o-1", customer_ref="c-1")
    assert (row["state"], row["decision"], row["rule"]) == ("approved", "repair", "covered")
    assert row["decided_at"] == row["opened_at"]
    told = row["told"]
    assert (told["lot"], told["produced_on"], told["entitled"]) == ("LOT-7", "2026-09-01", "yes")
    assert told["covers"][0]["ends_on"] == "2028-11-01"


@pytest.mark.req("R104")
@pytest.mark.parametrize("named", [{"order": "o-2"}, {"customer_ref": "c-2"}])
def test_a_claim_for_another_unit_than_was_sold_is_refused(
    world: World, named: dict[str, str]
) -> None:
    ship(world, "SN-1", "o-1")
    ship(world, "SN-2", "o-2", customer="c-2")
    row = claim(world, "SN-1", **named)
    assert (row["state"], row["rule"], "swapped" in codes(row)) == ("refused", "swapped", True)
    (found,) = world.rows("SELECT * FROM exception_case WHERE kind = 'suspect_return'")
    assert found["subject"] == world.unit("SN-1")["id"]
    # The customer of the unit is not harmed by it.
    assert claim(world, "SN-1", customer_ref="c-1")["state"] == "approved"


@pytest.mark.req("R105")
@pytest.mark.parametrize(
    ("says", "fresh_days", "rule", "noticed"),
    [
        ("unknown", 30, "maker-unknown", {"maker_unknown"}),
        ("invalid", 30, "maker-denies", {"maker_denies"}),
        ("covered", 30, "covered", set()),
        ("covered", 7, "covered", {"maker_stale"}),
    ],
)
def test_a_claim_is_checked_against_what_the_maker_said(
    world: World, says: str, fresh_days: int, rule: str, noticed: set[str]
) -> None:
    ship(world, "SN-1", "o-1")
    maker_says(world, says, days=fresh_days)
    world.pass_time(days=20)
    row = claim(world)
    assert (row["rule"], codes(row)) == (rule, noticed)


@pytest.mark.req("R105")
def test_a_claim_says_that_the_maker_was_not_asked(world: World) -> None:
    ship(world, "SN-1", "o-1")
    product(world, warranty_months=0)
    stage(world, manufacturer="ACME")
    row = claim(world)
    assert (row["state"], row["rule"], row["decision"]) == ("open", "cover-unknown", None)
    assert codes(row) == {"maker_not_asked"}


@pytest.mark.parametrize(
    ("days", "rule", "state", "decision"),
    [
        (14, "dead-on-arrival", "approved", "replace"),
        (15, "covered", "approved", "repair"),
        (731, "not-covered", "refused", "refuse"),
    ],
)
def test_the_age_of_the_unit_decides(
    world: World, days: int, rule: str, state: str, decision: str
) -> None:
    ship(world, "SN-1", "o-1")
    world.pass_time(days=days)
    row = claim(world)
    assert (row["rule"], row["state"], row["decision"]) == (rule, state, decision)


def test_what_fails_after_three_repairs_is_replaced(world: World) -> None:
    ship(world, "SN-1", "o-1")
    world.pass_time(days=90)
    work = WorkDone(kind=WorkKind.REPAIR, work="again")
    for _ in range(3):
        world.write(
            lambda tx: repairs.record_work(Work(tx, world.context(), new_id()), Scan("SN-1"), work)
        )
    assert claim(world)["rule"] == "repeated"


@pytest.mark.parametrize(
    ("action", "more", "rule"),
    [
        (Action.REPORT_STOLEN, {}, "stolen"),
        (Action.HOLD, {"hold_kind": "fraud"}, "fraud-hold"),
        (Action.HOLD, {"hold_kind": "recall"}, "recalled"),
    ],
)
def test_what_happened_to_the_unit_decides(
    world: World, action: Action, more: dict[str, Any], rule: str
) -> None:
    ship(world, "SN-1", "o-1")
    assert world.do(action, "SN-1", **more)[0].accepted
    assert claim(world)["rule"] == rule


def test_what_was_not_sold_or_is_unknown_has_no_claim(world: World) -> None:
    world.receive("SN-1", "SN-2")
    assert claim(world)["rule"] == "not-sold"
    world.do(Action.WRITE_OFF, "SN-2", reason="crushed")
    assert claim(world, "SN-2")["rule"] == "written-off"
    with pytest.raises(UnknownUnit):
        claim(world, "SN-404")
    for wrong in ({"fault": " "}, {"fault": "x" * 301}, {"order": "x" * 201}):
        with pytest.raises(InvalidInput):
            claim(world, **wrong)


def test_a_rule_of_our_own_decides_before_those_built_in(world: World) -> None:
    ship(world, "SN-1", "o-1")
    rule = Rule(
        topic=Topic.CLAIM,
        code="goodwill",
        name="Goodwill",
        rank=1,
        conditions=Conditions(skus=("CAM",), covers=("no",)),
        decision="repair",
    )
    world.write(lambda tx: decision_rules.put(tx, world.context(), rule, CLAIM_RULES))
    world.pass_time(days=800)
    assert claim(world)["rule"] == "goodwill"


# --- By hand ----------------------------------------------------------------------------------


@pytest.mark.req("R106")
def test_a_dispute_is_decided_by_a_person_and_counted(world: World) -> None:
    ship(world, "SN-1", "o-1")
    world.pass_time(days=800)
    row = claim(world)
    with pytest.raises(StepNotAllowed):
        decide(world, row, D.REPAIR)
    dispute(world, row)
    with pytest.raises(StepNotAllowed):
        dispute(world, row)
    with pytest.raises(InvalidInput):
        decide(world, row, D.REFER)
    with pytest.raises(InvalidInput):
        decide(world, row, D.REPAIR, " ")
    decide(world, row, D.REPAIR)
    after = shown(world, row["id"])
    assert (after["state"], after["rule"], after["disputes"]) == ("approved", "by-hand", 1)
    assert after["told"]["decisions"][0]["by"] == "tester"
    assert after["told"]["disputes"][0]["reason"] == "I object"
    world.write(lambda tx: claims.close_claim(tx, world.context(), row["id"], "repaired"))
    assert shown(world, row["id"])["state"] == "closed"
    with pytest.raises(StepNotAllowed):
        world.write(lambda tx: claims.close_claim(tx, world.context(), row["id"], "again"))
    with pytest.raises(UnknownReference):
        dispute(world, {"id": "none"})


@pytest.mark.req("R106")
def test_claims_are_measured_from_opening_to_decision(world: World) -> None:
    since = world.now
    for number in range(1, 4):
        ship(world, f"SN-{number}", f"o-{number}")
    claim(world, "SN-1")
    refused = claim(world, "SN-2", order="o-1")
    dispute(world, refused)
    world.do(Action.HOLD, "SN-3", hold_kind="fraud")
    waits = claim(world, "SN-3")
    world.pass_time(seconds=90)
    decide(world, waits, D.REFUSE)
    decide(world, refused, D.REFUSE)
    found = world.read(lambda tx: claims.statistics(tx, since, world.now + timedelta(seconds=1)))
    assert (found.claims, found.decided, found.at_once) == (3, 3, 2)
    assert (found.disputes, found.disputed) == (1, 1)
    assert (found.median_seconds, found.slowest_seconds) == (0, 90)
    assert found.by_rule == (("by-hand", 2), ("dead-on-arrival", 1))
    nothing = world.read(lambda tx: claims.statistics(tx, since - timedelta(days=1), since))
    assert (nothing.claims, nothing.median_seconds) == (0, None)
    with pytest.raises(InvalidInput):
        world.read(lambda tx: claims.statistics(tx, since, since))


# --- Exchange ---------------------------------------------------------------------------------


@pytest.mark.req("R108")
def test_a_replacement_inherits_what_was_left(world: World) -> None:
    ship(world, "SN-1", "o-1")
    failed = world.unit("SN-1")["id"]
    extended = Grant(kind=CoverKind.EXTENDED_WARRANTY, reference="X-1", ends_on=date(2031, 1, 1))
    world.write(lambda tx: cover.grant(tx, world.context(), failed, extended))
    world.receive("NEW-1", place="SHOP")
    world.pass_time(days=10)
    row = claim(world)
    new = exchange(world, row)
    after = shown(world, row["id"])
    assert (after["state"], after["replacement_id"]) == ("closed", new)
    assert (world.unit("SN-1")["status"], world.unit("NEW-1")["status"]) == ("returned", "sold")
    old = world.read(lambda tx: cover_of(tx, world.context(), failed))
    assert old.entitled is Entitled.NO
    assert old.story.replaced_by == new
    assert {each.status for each in old.covers} == {CoverStatus.PASSED_ON}
    found = world.read(lambda tx: cover_of(tx, world.context(), new))
    assert found.story.sale is not None
    assert found.story.sale.replaces == failed
    assert found.story.sale.order is not None
    assert found.story.sale.order["number"] == "#o-1"
    assert [(str(each.kind), each.starts_on, each.ends_on) for each in found.covers] == [
        ("inherited", date(2026, 11, 12), date(2028, 11, 1)),
        ("inherited", date(2026, 11, 12), date(2031, 1, 1)),
    ]
    assert found.covers[0].source == "own of SN-1"
    assert claim(world)["rule"] == "already-replaced"
    (verdict,) = world.write(
        lambda tx: repairs.hand_back(Work(tx, world.context(), new_id()), [Scan("SN-1")])
    )
    assert verdict.code == "STEP_NOT_ALLOWED"


@pytest.mark.req("R108")
def test_a_replacement_may_have_a_warranty_of_its_own(world: World) -> None:
    product(world, replacement_cover=ReplacementCover.FRESH)
    ship(world, "SN-1", "o-1")
    world.receive("NEW-1", place="SHOP")
    world.pass_time(days=10)
    new = exchange(world, claim(world))
    (own,) = world.read(lambda tx: cover_of(tx, world.context(), new)).covers
    assert (own.kind, own.starts_on, own.ends_on) == (
        CoverKind.OWN,
        date(2026, 11, 12),
        date(2028, 11, 11),
    )


def test_a_unit_that_was_taken_in_is_replaced_where_it_is(world: World) -> None:
    ship(world, "SN-1", "o-1")
    world.receive("NEW-1", place="SHOP")
    world.do(Action.TAKE_IN, "SN-1", place="RETURNS")
    exchange(world, claim(world))
    assert world.unit("SN-1")["status"] == "in_repair"


@pytest.mark.req("R108")
def test_an_exchange_that_can_not_be_is_refused_and_changes_nothing(world: World) -> None:
    ship(world, "SN-1", "o-1")
    world.receive("NEW-1", place="SHOP")
    world.receive("NEW-2", put_away=False)
    row = claim(world)
    for serial, refusal in (
        ("SN-404", UnknownUnit),
        ("SN-1", InvalidInput),
        ("NEW-2", StepNotAllowed),
    ):
        with pytest.raises(refusal):
            exchange(world, row, serial)
    assert world.unit("SN-1")["status"] == "shipped"
    dispute(world, row)
    with pytest.raises(StepNotAllowed, match="no exchange was decided"):
        exchange(world, row)
    decide(world, row, D.REPLACE)
    world.do(Action.HOLD, "NEW-1", hold_kind="quality")
    with pytest.raises(StepNotAllowed, match="blocked"):
        exchange(world, row)
    assert world.unit("SN-1")["status"] == "shipped"


@pytest.mark.req("R108")
def test_of_two_who_replace_under_one_claim_one_wins(world: World) -> None:
    ship(world, "SN-1", "o-1")
    world.receive("NEW-1", "NEW-2", place="SHOP")
    row = claim(world)

    def giving(serial: str) -> Any:
        def work(tx: Transaction) -> str:
            where = catalogue.location(tx, "RETURNS")
            return replace_unit(Work(tx, world.context(), new_id()), row["id"], Scan(serial), where)

        return work

    both: list[Future[str]] = [world.database.submit(giving(each)) for each in ("NEW-1", "NEW-2")]
    errors = [each.exception(60) for each in both]
    assert sorted(type(each).__name__ for each in errors) == ["NoneType", "StepNotAllowed"]
    sold = world.rows("SELECT serial FROM unit WHERE status = 'sold'")
    assert len(sold) == 1


def test_of_two_claims_at_once_the_second_waits_for_a_person(world: World) -> None:
    ship(world, "SN-1", "o-1")

    def work(tx: Transaction) -> str:
        return claims.open_claim(tx, world.context(), Claim(identifier="SN-1", fault="no picture"))

    both = [world.database.submit(work) for _ in range(2)]
    rows = [shown(world, each.result(60)) for each in both]
    assert sorted(row["rule"] for row in rows) == ["claim-is-open", "dead-on-arrival"]
