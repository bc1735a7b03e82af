"""Cases: their trail, their owners, and the rules and checks that work on them by themselves."""

import asyncio
import re
from typing import Any

import pytest

from connectors import Rejected
from hub import cases
from hub.cases import CaseKind, Finding, Severity, quality, rules, trail
from hub.cases.quality import Check
from hub.cases.rules import CaseRule, Conditions, Parameters, RuleAction
from hub.catalogue import reference
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.lifecycle import Action
from hub.storage.sql import Row, Transaction
from hub.sync import listings
from hub.vocabulary import OrderLine
from jobs import relay
from jobs.maintenance import quality as quality_job
from jobs.maintenance.sweep import sweep
from recording import stage
from world import World


def report(world: World, subject: str = "SN-1", **more: Any) -> str:
    given: dict[str, Any] = {"kind": CaseKind.MISSING_UNIT, "summary": "It is not there."} | more
    finding = Finding(subject=subject, **given)
    return world.write(lambda tx: cases.report(tx, finding, world.now))


def case(world: World, case_id: str) -> Row:
    return world.read(lambda tx: reference(tx, "exception_case", "id", case_id))


def told(world: World, case_id: str) -> list[Row]:
    return world.read(lambda tx: trail.of_cases(tx, [case_id]))[case_id]


def actions(world: World, case_id: str) -> list[str]:
    return [row["action"] for row in told(world, case_id)]


def rule(code: str = "r", action: RuleAction = RuleAction.ASSIGN, **more: Any) -> CaseRule:
    names = set(Parameters.__slots__)
    return CaseRule(
        code=code,
        name=more.pop("name", "A rule"),
        rank=more.pop("rank", 1),
        action=action,
        parameters=Parameters(**{name: more.pop(name) for name in names & set(more)}),
        conditions=Conditions(**more),
    )


def put(world: World, made: CaseRule) -> None:
    world.write(lambda tx: rules.put(tx, world.context(), made))


def apply(world: World) -> int:
    return world.write(lambda tx: rules.apply(tx, world.context(actor="job"), limit=100))


def resolve(world: World, case_id: str, words: str = "Found.") -> None:
    world.write(lambda tx: cases.resolve(tx, world.context(), case(world, case_id), words))


# --- the trail ---------------------------------------------------------------------------------


@pytest.mark.req("R149")
def test_every_change_of_a_case_is_told_with_who_and_when(world: World) -> None:
    case_id = report(world)
    opened = world.now
    world.pass_time(hours=1)
    world.write(lambda tx: cases.assign(tx, world.context(), case(world, case_id), "ann"))
    resolve(world, case_id)
    world.pass_time(hours=1)
    world.write(
        lambda tx: cases.reopen(tx, world.context(), case(world, case_id), "It is gone again.")
    )
    rows = told(world, case_id)
    assert [(row["action"], row["actor"], row["state"], row["owner"]) for row in rows] == [
        ("opened", "hub", "open", None),
        ("assigned", "tester", "assigned", "ann"),
        ("resolved", "tester", "resolved", "ann"),
        ("reopened", "tester", "assigned", "ann"),
    ]
    assert [row["remark"] for row in rows[2:]] == ["Found.", "It is gone again."]
    assert rows[0]["happened_at"] == int(opened.timestamp() * 1_000_000)
    now = case(world, case_id)
    assert (now["resolution"], now["resolved_by"], now["resolved_at"]) == (None, None, None)


@pytest.mark.req("R149")
def test_the_trail_is_never_changed(world: World) -> None:
    case_id = report(world)
    for statement in ("UPDATE case_event SET actor = 'me'", "DELETE FROM case_event"):
        with pytest.raises(Exception, match="never changed"):
            world.write(lambda tx, change=statement: tx.run(change))
    assert actions(world, case_id) == ["opened"]


@pytest.mark.req("R149")
def test_what_is_seen_again_and_again_is_told_once_an_hour(world: World) -> None:
    case_id = report(world)
    for _ in range(10):
        world.pass_time(minutes=1)
        assert report(world) == case_id
    assert actions(world, case_id) == ["opened", "seen_again"]
    world.pass_time(hours=1)
    report(world)
    rows = told(world, case_id)
    assert [row["occurrences"] for row in rows] == [1, 2, 12]
    report(world, severity=Severity.HIGH)  # it is worse: told at once
    assert told(world, case_id)[-1]["severity"] == "high"
    report(world, severity=Severity.LOW)
    assert case(world, case_id)["severity"] == "high"


@pytest.mark.req("R142", "R149")
def test_success_closes_a_case_and_the_same_thing_later_is_a_new_one(world: World) -> None:
    case_id = report(world)
    world.write(lambda tx: cases.settle(tx, CaseKind.MISSING_UNIT, "SN-1", None, world.now))
    assert (told(world, case_id)[-1]["action"], told(world, case_id)[-1]["actor"]) == (
        "resolved",
        "hub",
    )
    assert report(world) != case_id
    with pytest.raises(StepNotAllowed, match="open already"):
        world.write(lambda tx: cases.reopen(tx, world.context(), case(world, case_id), "x"))


def test_what_is_open_is_not_opened_and_what_is_resolved_not_resolved(world: World) -> None:
    case_id = report(world)
    with pytest.raises(StepNotAllowed, match="the case is open"):
        world.write(lambda tx: cases.reopen(tx, world.context(), case(world, case_id), "x"))
    resolve(world, case_id)
    with pytest.raises(StepNotAllowed):
        resolve(world, case_id)
    with pytest.raises(StepNotAllowed):
        world.write(lambda tx: cases.assign(tx, world.context(), case(world, case_id), "ann"))
    assert actions(world, case_id) == ["opened", "resolved"]


@pytest.mark.req("R149", "R152")
def test_new_cases_of_a_kind_go_to_their_owner(world: World) -> None:
    def own(owner: str | None) -> None:
        world.write(lambda tx: rules.set_owner(tx, world.context(), CaseKind.MISSING_UNIT, owner))

    own("stock")
    case_id = report(world)
    assert (case(world, case_id)["owner"], case(world, case_id)["state"]) == ("stock", "assigned")
    assert actions(world, case_id) == ["opened", "assigned"]
    own("night shift")
    report(world)
    assert case(world, case_id)["owner"] == "stock"  # only new ones
    assert case(world, report(world, "SN-2"))["owner"] == "night shift"
    own(None)
    assert case(world, report(world, "SN-3"))["owner"] is None
    with pytest.raises(InvalidInput):
        own(" ")


@pytest.mark.req("R148")
@pytest.mark.parametrize(
    "kind",
    [
        CaseKind.UNKNOWN_SERIAL, CaseKind.PRODUCT_MISMATCH, CaseKind.WRONG_STATUS,
        CaseKind.WRONG_LOCATION, CaseKind.DUPLICATE_SERIAL, CaseKind.MISSING_CAPTURE,
        CaseKind.SYNC_FAILURE,
    ],
)  # fmt: skip
def test_a_case_is_known_by_its_kind_subject_and_channel(world: World, kind: CaseKind) -> None:
    channel = world.channel()
    first = report(world, kind=kind)
    assert report(world, kind=kind, summary="newer") == first
    assert case(world, first)["summary"] == "newer"
    assert len({first, report(world, "SN-2", kind=kind), report(world, kind=kind,
                channel_id=channel["id"]), report(world, kind=CaseKind.OVERSOLD)}) == 4  # fmt: skip


# --- rules -------------------------------------------------------------------------------------


@pytest.mark.req("R150", "R152")
def test_a_rule_gives_cases_to_somebody_and_never_quarrels_with_people(world: World) -> None:
    put(world, rule(owner="stock", kinds=("missing_unit",), severities=("medium",)))
    mine, other = report(world), report(world, "X", kind=CaseKind.OVERSOLD)
    assert apply(world) == 1
    assert (case(world, mine)["owner"], case(world, other)["owner"]) == ("stock", None)
    line = told(world, mine)[-1]
    assert (line["action"], line["actor"], line["rule"]) == ("assigned", "job", "r")
    world.write(lambda tx: cases.assign(tx, world.context(), case(world, mine), "ann"))
    assert apply(world) == 0
    assert case(world, mine)["owner"] == "ann"
    resolve(world, mine)
    world.write(lambda tx: cases.reopen(tx, world.context(), case(world, mine), "again"))
    assert apply(world) == 1


@pytest.mark.req("R150", "R152")
def test_a_rule_closes_what_was_not_seen_for_days(world: World) -> None:
    put(
        world,
        rule("quiet", RuleAction.CLOSE, resolution="Gone by itself.", quiet_hours_from=72),
    )
    case_id = report(world)
    world.pass_time(hours=71)
    assert apply(world) == 0
    report(world)  # it recurred
    world.pass_time(hours=71)
    assert apply(world) == 0
    world.pass_time(hours=1)
    assert apply(world) == 1
    closed = case(world, case_id)
    assert (closed["state"], closed["resolution"]) == ("resolved", "Gone by itself.")
    world.write(lambda tx: cases.reopen(tx, world.context(), closed, "No."))
    assert apply(world) == 0  # the days begin anew


@pytest.mark.req("R150", "R152")
def test_a_rule_makes_old_cases_more_severe(world: World) -> None:
    put(
        world,
        rule("old", RuleAction.ESCALATE, severity="high", open_hours_from=24, has_owner=False),
    )
    case_id, owned = report(world), report(world, "SN-2")
    world.write(lambda tx: cases.assign(tx, world.context(), case(world, owned), "ann"))
    world.pass_time(hours=24)
    assert apply(world) == 1
    assert (case(world, case_id)["severity"], case(world, owned)["severity"]) == ("high", "medium")
    assert told(world, case_id)[-1]["remark"] == "was medium"
    assert apply(world) == 0


@pytest.mark.req("R142", "R150")
def test_a_rule_replays_dead_letters_some_times_with_a_pause(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel, "CAM")
    world.list_product(channel, "SAW")
    world.receive("SN-1")
    connector.level_failures["CAM"] = Rejected("not now")
    connector.level_failures["SAW"] = Rejected("not now")
    asyncio.run(relay.drain(runtime, channel["id"]))
    put(
        world,
        rule("again", RuleAction.REPLAY, occurrences_from=1, channels=("rec",), times_max=2,
             pause_hours=1, kinds=("sync_failure",)),
    )  # fmt: skip
    assert "rules acted 2 times" in asyncio.run(sweep(runtime))
    asyncio.run(relay.drain(runtime, channel["id"]))  # refused again
    assert apply(world) == 0  # within the pause
    connector.level_failures.pop("CAM")
    world.pass_time(hours=1)
    assert apply(world) == 2
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shown == {"CAM": 1}
    (left,) = world.rows("SELECT id, subject FROM exception_case WHERE state <> 'resolved'")
    assert left["subject"] == "SAW"
    world.pass_time(days=1)
    assert apply(world) == 0  # as often as it may
    assert [row["remark"] for row in told(world, left["id"]) if row["rule"]] == ["1 requeued"] * 2


@pytest.mark.req("R150")
def test_one_level_is_revived_without_the_others(world: World) -> None:
    channel = world.channel()
    for sku in ("CAM", "SAW"):
        world.list_product(channel, sku)
    leased = world.write(lambda tx: listings.lease(tx, channel, world.now, limit=2))
    for level in leased:
        world.write(lambda tx, each=level: listings.give_up(tx, each, "no"))
    assert world.write(lambda tx: listings.revive(tx, channel["id"], world.now, sku="CAM")) == 1
    assert world.write(lambda tx: listings.revive(tx, channel["id"], world.now)) == 1


@pytest.mark.req("R152")
def test_a_rule_can_be_tried_before_it_is_made(world: World) -> None:
    report(world)
    draft = rule("draft", owner="stock")
    found = world.read(lambda tx: rules.fitting(tx, draft, world.now, limit=10))
    assert [row["subject"] for row in found] == ["SN-1"]
    assert actions(world, found[0]["id"]) == ["opened"]
    assert world.read(rules.rules) == []
    put(world, draft)
    assert world.read(rules.rules) == [draft]
    put(world, rule("draft", owner="other"))
    assert [each.parameters.owner for each in world.read(rules.rules)] == ["other"]
    world.write(lambda tx: rules.remove(tx, "draft"))
    with pytest.raises(UnknownReference):
        world.write(lambda tx: rules.remove(tx, "draft"))


@pytest.mark.req("R152")
@pytest.mark.parametrize(
    ("made", "field"),
    [
        (rule("No", owner="x"), "code"),
        (rule(owner="x", name=" "), "name"),
        (rule(owner="x", rank=10_000), "rank"),
        (rule(owner="x", kinds=("nothing",)), "kinds"),
        (rule(owner="x", severities=("dire",)), "severities"),
        (rule(owner="x", open_hours_from=-1), "conditions"),
        (rule(), "owner"),
        (rule(action=RuleAction.CLOSE, quiet_hours_from=1), "resolution"),
        (rule(action=RuleAction.CLOSE, resolution="x"), "quietHoursFrom"),
        (rule(action=RuleAction.ESCALATE), "severity"),
        (rule(action=RuleAction.ESCALATE, severity="low"), "severity"),
        (rule(action=RuleAction.REPLAY, times_max=0), "timesMax"),
        (rule(action=RuleAction.REPLAY, pause_hours=0), "timesMax"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(made: CaseRule, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        rules.sensible(made)
    assert refusal.value.details["field"] == field


# --- data quality ------------------------------------------------------------------------------


def look(world: World, check: Check) -> list[str]:
    return [
        each.subject for each in world.read(lambda tx: quality.look(tx, check, world.now, limit=9))
    ]


def spoil(world: World, statement: str) -> None:
    """Change a record behind the ledger's back, as a repair by hand would."""

    def work(tx: Transaction) -> None:
        tx.run(statement)

    world.write(work)


@pytest.mark.req("R151")
def test_serials_of_a_product_that_look_alike_are_found_once(world: World) -> None:
    runtime = world.runtime()
    world.receive("AB-100", "AB-200")
    world.receive("AB-1OO", sku="SAW")  # of another product: it may be
    assert "look_alike 0" in asyncio.run(quality_job.examine(runtime))
    world.receive("AB-1O0")
    assert look(world, Check.LOOK_ALIKE) == ["AB-1O0"]
    assert "look_alike 1" in asyncio.run(quality_job.examine(runtime))
    (found,) = world.rows("SELECT * FROM exception_case")
    assert (found["kind"], found["subject"]) == ("duplicate_serial", "AB-1O0")
    assert re.search("AB-1O0 and AB-100 of CAM", found["summary"])
    assert "look_alike 0" in asyncio.run(quality_job.examine(runtime))  # looked at already
    assert world.value("SELECT occurrences FROM exception_case") == 1


@pytest.mark.req("R151")
def test_units_without_a_receipt_are_found_until_it_is_there(world: World) -> None:
    world.receive("SN-1", "SN-2")
    runtime = world.runtime()
    spoil(world, "UPDATE unit SET received_at = NULL WHERE serial = 'SN-1'")
    assert look(world, Check.WITHOUT_RECEIPT) == ["SN-1"]
    assert "without_receipt 1" in asyncio.run(quality_job.examine(runtime))
    (found,) = world.rows("SELECT * FROM exception_case")
    assert (found["kind"], found["state"]) == ("missing_record", "open")
    spoil(world, "UPDATE unit SET received_at = changed_at")
    asyncio.run(quality_job.examine(runtime))
    assert case(world, found["id"])["resolution"] == "It is no longer found."
    assert told(world, found["id"])[-1]["actor"] == "job:quality"


@pytest.mark.req("R151")
def test_units_that_are_lost_sight_of_between_two_sites_are_found(world: World) -> None:
    world.receive("SN-1", "SN-2")
    runtime = world.runtime()
    world.do(Action.TRANSFER_OUT, "SN-1", "SN-2", place="SHOP")
    world.pass_time(days=6)
    assert look(world, Check.STUCK_IN_TRANSIT) == []
    world.do(Action.TRANSFER_IN, "SN-2", place="SHOP")
    world.pass_time(days=2)
    assert look(world, Check.STUCK_IN_TRANSIT) == ["SN-1"]
    asyncio.run(quality_job.examine(runtime))
    (found,) = world.rows("SELECT * FROM exception_case")
    assert "on its way for 8 days" in found["summary"]
    world.do(Action.TRANSFER_IN, "SN-1", place="SHOP")
    asyncio.run(quality_job.examine(runtime))
    assert case(world, found["id"])["state"] == "resolved"


@pytest.mark.req("R151")
def test_lines_that_left_without_a_serial_are_found(world: World) -> None:
    channel = world.channel()
    world.receive("SN-1")
    line = OrderLine(ref="l-1", sku="CAM", quantity=2, fulfilled=1)
    world.accept(channel, world.order(lines=[line]))
    assert look(world, Check.SHIPPED_WITHOUT_SERIAL) == ["o-1/l-1"]
    asyncio.run(quality_job.examine(world.runtime()))
    (found,) = world.rows("SELECT * FROM exception_case WHERE kind = 'missing_capture'")
    assert "1 of CAM left on #o-1" in found["summary"]
    world.do(Action.PICK, "SN-1")
    world.do(Action.SHIP, "SN-1")
    asyncio.run(quality_job.examine(world.runtime()))
    assert case(world, found["id"])["state"] == "resolved"


def test_a_look_for_look_alikes_goes_on_where_it_had_to_stop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "FINDS_MAX", 1)
    world.receive("A0", "AO", "B0", "BO")
    runtime = world.runtime()
    assert "look_alike 1" in asyncio.run(quality_job.examine(runtime))
    assert "look_alike 1" in asyncio.run(quality_job.examine(runtime))
    assert world.value("SELECT COUNT(*) FROM exception_case") == 2
