"""Cases over the API: their trail, reopening, owners by kind, rules, and data quality."""

from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub import cases
from hub.access.keys import Scope
from hub.cases import CaseKind, Finding
from jobs.maintenance.sweep import sweep
from world import World

PROBLEM = "... on Problem { code message } ... on InvalidInput { field }"
TRAIL = """query($id: ID!) { case(id: $id) { state ageHours
  trail { action actor rule state severity owner occurrences remark happenedAt } } }"""
RESOLVE = f"""mutation($id: ID!) {{
  done: resolveCase(idempotencyKey: "NEW", id: $id, resolution: "Done.") {{
  __typename ... on Case {{ state }} {PROBLEM} }} }}"""
REOPEN = f"""mutation($id: ID!, $reason: String!) {{
  done: reopenCase(idempotencyKey: "NEW", id: $id, reason: $reason) {{
  __typename ... on Case {{ state resolution }} {PROBLEM} }} }}"""
RULES = """rules { code name rank action owner resolution severity timesMax pauseHours
  conditions { kinds severities channels openHoursFrom quietHoursFrom occurrencesFrom hasOwner } }
  replayed"""
PUT = f"""mutation($key: String!, $rule: CaseRuleInput!) {{
  done: putCaseRule(idempotencyKey: $key, rule: $rule) {{
    __typename ... on CaseRules {{ {RULES} }} {PROBLEM} }} }}"""
REMOVE = f"""mutation {{ done: removeCaseRule(idempotencyKey: "r", code: "stock-first") {{
  __typename ... on CaseRules {{ {RULES} }} {PROBLEM} }} }}"""
PREVIEW = """query($rule: CaseRuleInput!) { previewCaseRule(rule: $rule) { subject owner } }"""
OWN = f"""mutation($key: String!, $owner: String) {{
  done: setCaseOwner(idempotencyKey: $key, kind: MISSING_UNIT, owner: $owner) {{
    ... on CaseOwners {{ replayed owners {{ kind owner changedBy }} }} {PROBLEM} }} }}"""
QUALITY = """query($check: QualityCheck!) { dataQuality(check: $check) {
  check subject summary unitId orderId } }"""
RULE = {
    "code": "stock-first",
    "name": "Missing units go to the stock team",
    "action": "ASSIGN",
    "owner": "stock",
    "conditions": {"kinds": ["MISSING_UNIT"], "severities": ["MEDIUM"]},
}


def report(world: World, subject: str = "SN-1") -> str:
    finding = Finding(kind=CaseKind.MISSING_UNIT, subject=subject, summary="It is not there.")
    return world.write(lambda tx: cases.report(tx, finding, world.now))


def as_admin(world: World, story: Any) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(Scope.ADMIN))

    play(world, told)


@pytest.mark.req("R149")
def test_the_trail_of_a_case_is_read_and_a_case_opened_again(world: World) -> None:
    case_id = report(world)
    world.pass_time(hours=3)

    async def story(admin: Caller) -> None:
        assert (await admin.ask(RESOLVE, id=case_id))["done"]["state"] == "resolved"
        refused = (await admin.ask(REOPEN, id=case_id, reason=" "))["done"]
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "reason")
        done = (await admin.ask(REOPEN, id=case_id, reason="Gone again."))["done"]
        assert done == {"__typename": "Case", "state": "open", "resolution": None}
        again = (await admin.ask(REOPEN, id=case_id, reason="x"))["done"]
        assert again["code"] == "STEP_NOT_ALLOWED"
        case = (await admin.ask(TRAIL, id=case_id))["case"]
        assert case["ageHours"] == 3
        assert [(each["action"], each["actor"], each["remark"]) for each in case["trail"]] == [
            ("OPENED", "hub", "It is not there."),
            ("RESOLVED", "caller", "Done."),
            ("REOPENED", "caller", "Gone again."),
        ]

    as_admin(world, story)


@pytest.mark.req("R150", "R152")
def test_a_rule_is_tried_made_applied_by_the_sweep_and_removed(world: World) -> None:
    case_id = report(world)

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        (fits,) = (await admin.ask(PREVIEW, rule=RULE))["previewCaseRule"]
        assert fits == {"subject": "SN-1", "owner": None}
        for replayed in (False, True):
            done = (await admin.ask(PUT, key="p", rule=RULE))["done"]
            assert done["replayed"] is replayed
            (shown,) = done["rules"]
            assert shown["conditions"]["kinds"] == ["MISSING_UNIT"]
            assert (shown["owner"], shown["rank"]) == ("stock", 100)
        await sweep(hub.runtime)
        case = (await admin.ask(TRAIL, id=case_id))["case"]
        assert case["trail"][-1]["rule"] == "stock-first"
        assert case["trail"][-1]["actor"] == "job:sweep"
        assert case["state"] == "assigned"
        assert (await admin.ask(PREVIEW, rule=RULE))["previewCaseRule"] == []
        assert (await admin.ask(REMOVE))["done"]["rules"] == []
        bad = RULE | {"owner": None}
        assert (await admin.ask(PUT, key="q", rule=bad))["done"]["field"] == "owner"
        assert (await admin.error(PREVIEW, rule=bad))["code"] == "INVALID_INPUT"
        ops = await hub.caller(Scope.OPS)
        assert (await ops.ask(PUT, key="q", rule=RULE))["done"]["code"] == "FORBIDDEN"

    play(world, story)


@pytest.mark.req("R149", "R152")
def test_the_owner_of_a_kind_is_data(world: World) -> None:
    async def story(admin: Caller) -> None:
        done = (await admin.ask(OWN, key="a", owner="stock"))["done"]
        (owner,) = done["owners"]
        assert owner == {"kind": "MISSING_UNIT", "owner": "stock", "changedBy": "caller"}
        case_id = report(world)
        assert (await admin.ask(TRAIL, id=case_id))["case"]["trail"][-1]["owner"] == "stock"
        assert (await admin.ask(OWN, key="b", owner=" "))["done"]["code"] == "INVALID_INPUT"
        assert (await admin.ask(OWN, key="c"))["done"]["owners"] == []

    as_admin(world, story)


@pytest.mark.req("R151")
def test_suspicious_records_can_be_asked_for_at_any_time(world: World) -> None:
    world.receive("AB-10", "AB-1O")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        (found,) = (await ops.ask(QUALITY, check="LOOK_ALIKE"))["dataQuality"]
        assert found["unitId"] == world.unit("AB-1O")["id"]
        assert "look alike" in found["summary"]
        for check in ("WITHOUT_RECEIPT", "STUCK_IN_TRANSIT", "SHIPPED_WITHOUT_SERIAL"):
            assert (await ops.ask(QUALITY, check=check))["dataQuality"] == []
        scanner = await hub.caller(Scope.SCANNER)
        assert (await scanner.error(QUALITY, check="LOOK_ALIKE"))["code"] == "FORBIDDEN"

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
