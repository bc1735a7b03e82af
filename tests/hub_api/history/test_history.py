"""Corrections and past instants over the API."""

from datetime import timedelta
from typing import Any

import pytest

from api_client import Hub, dump, play
from hub.access.keys import Scope
from hub.lifecycle import Action
from world import NOON, World

CORRECT = """mutation($key: String!, $event: ID!, $error: ErrorReason!, $reason: String!,
  $changes: EventChanges, $version: Int) {
  correctEvent(idempotencyKey: $key, eventId: $event, error: $error, reason: $reason,
    changes: $changes, expectedVersion: $version) { __typename
    ... on Correction { replayed eventId version status unit { serial status version } }
    ... on Problem { code message } ... on ContradictsHistory { preventedBy action }
    ... on InvalidInput { field } ... on Forbidden { needs } ... on VersionConflict { now: version }
    ... on StepNotAllowed { allowed } } }"""
HISTORY = """query($view: HistoryView!) { history(identifier: "SN-1", view: $view) {
  id version action status location reason occurredAt corrects correctedBy details }
  unit(identifier: "SN-1") { history(view: $view) { id } } }"""
PLAIN = '{ history(identifier: "SN-1") { version } unit(identifier: "SN-1") { history { id } } }'
AS_OF = """query($at: DateTime!, $by: DateTime) {
  unitAsOf(identifier: "SN-1", at: $at, recordedBy: $by) {
    version status disposition isPromised isBlocked grade
    location { code kind } unit { serial } } }"""
STOCK = """query($l: String!, $at: DateTime!, $first: Int!, $after: String) {
  stockAsOf(location: $l, at: $at, first: $first, after: $after) {
    nodes { serial sku status version since } pageInfo { hasNextPage endCursor } } }"""
BALANCE = """query($at: DateTime!, $sku: String, $by: DateTime) {
  trialBalance(at: $at, sku: $sku, recordedBy: $by) {
    existed addsUp lines { sku location locationName status units } } }"""
CONSERVATION = """{ conservation { holds units available promised blocked elsewhere
  breaches { law subject message } } }"""
NEVER = "DID_NOT_OCCUR"


def asked(world: World, version: int, error: str = NEVER, **more: Any) -> dict[str, Any]:
    event = world.history("SN-1")[version - 1]["id"]
    return {"key": f"k-{version}", "event": event, "error": error, "reason": "wrong label"} | more


@pytest.mark.req("R36", "R64")
def test_an_event_is_corrected_once_whatever_is_repeated(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, name="olga")
        done = (await ops.ask(CORRECT, **asked(world, 3)))["correctEvent"]
        assert done == {
            "__typename": "Correction",
            "replayed": False,
            "eventId": world.history("SN-1")[3]["id"],
            "version": 4,
            "status": "IN_STOCK",
            "unit": {"serial": "SN-1", "status": "IN_STOCK", "version": 4},
        }
        again = (await ops.ask(CORRECT, **asked(world, 3)))["correctEvent"]
        assert again == done | {"replayed": True}
        other = (await ops.ask(CORRECT, **asked(world, 3, reason="other")))["correctEvent"]
        assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert world.unit("SN-1")["version"] == 4
        event = world.history("SN-1")[3]
        assert (event["actor"], event["reason"]) == ("olga", "wrong label")

    play(world, story)


def test_what_is_refused_says_why_and_changes_nothing(world: World) -> None:
    world.receive("SN-1", place="SHOP")
    world.do(Action.SELL, "SN-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="SHOP", reason="too small")
    later = world.history("SN-1")[3]["id"]

    async def story(hub: Hub) -> None:
        ops, scanner = await hub.caller(Scope.OPS), await hub.caller(Scope.SCANNER, Scope.POS)
        before = dump(world)

        async def refused(caller: Any = ops, **given: Any) -> Any:
            return (await caller.ask(CORRECT, **given))["correctEvent"]

        found = await refused(**asked(world, 3))
        assert (found["__typename"], found["code"]) == ("ContradictsHistory", "CONTRADICTS_HISTORY")
        assert found["preventedBy"] == later
        assert found["action"] == "accept_return"
        assert (await refused(scanner, **asked(world, 4)))["needs"] == "ops"
        assert (await refused(**asked(world, 1)))["__typename"] == "StepNotAllowed"
        assert (await refused(**(asked(world, 4) | {"version": 2})))["now"] == 4
        assert (await refused(**asked(world, 4, reason=" ")))["field"] == "reason"
        unknown = asked(world, 4) | {"event": "nobody"}
        assert (await refused(**unknown))["code"] == "UNKNOWN_REFERENCE"
        wrong = "INCORRECT_DATA"
        for changes, field in (
            (None, "changes"),
            ({}, "changes"),
            ({"documentType": "inv"}, "documentRef"),
            ({"documentRef": "x" * 201}, "document_ref"),
            ({"occurredAt": "2026-11-02T12:00:00"}, "occurredAt"),
            ({"occurredAt": "2036-11-02T12:00:00Z"}, "occurredAt"),
            ({"location": "NOWHERE"}, None),
        ):
            found = await refused(**asked(world, 4, error=wrong, changes=changes))
            assert found.get("field") == field, changes
        assert dump(world) == before

    play(world, story)


@pytest.mark.req("R37", "R38", "R47")
def test_a_history_is_asked_in_three_views(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.MOVE, "SN-1", place="WH-A1", reason="tidying")
    world.pass_time(minutes=1)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        changes = {
            "occurredAt": NOON.isoformat(),
            "reason": "recall check",
            "location": "WH",
            "documentRef": "D-1",
        }
        given = asked(world, 3, error="INCORRECT_DATA", changes=changes)
        assert (await ops.ask(CORRECT, **given))["correctEvent"]["version"] == 4
        seen = {}
        for view in ("RECORDED", "CORRECTED", "BOTH"):
            data = await ops.ask(HISTORY, view=view)
            seen[view] = data["history"]
            assert data["unit"]["history"] == [{"id": each["id"]} for each in data["history"]]
        moves = [(seen[view][2]["location"], seen[view][2]["reason"]) for view in seen]
        assert moves == [("WH-A1", "tidying"), ("WH", "recall check"), ("WH-A1", "tidying")]
        assert [len(events) for events in seen.values()] == [3, 3, 4]
        correction = seen["BOTH"][3]
        assert correction["corrects"] == seen["BOTH"][2]["id"]
        assert (correction["action"], correction["details"]["declaration"]) == (
            "CORRECT",
            "incorrect_data",
        )
        assert seen["BOTH"][2]["correctedBy"] == [correction["id"]]
        plain = await ops.ask(PLAIN)
        assert [each["version"] for each in plain["history"]] == [1, 2, 3, 4]
        assert len(plain["unit"]["history"]) == 4

    play(world, story)


@pytest.mark.req("R58", "R60")
def test_past_instants_are_asked(world: World) -> None:
    world.receive("SN-1", "SN-2", place="SHOP")
    world.pass_time(hours=1)
    world.do(Action.SELL, "SN-1")
    at, now = NOON.isoformat(), world.now.isoformat()

    async def story(hub: Hub) -> None:
        ops, pos = await hub.caller(Scope.OPS), await hub.caller(Scope.POS)
        assert (await pos.ask(AS_OF, at=at))["unitAsOf"] == {
            "version": 2,
            "status": "IN_STOCK",
            "disposition": "SELLABLE_ACCESSIBLE",
            "isPromised": False,
            "isBlocked": False,
            "grade": None,
            "location": {"code": "SHOP", "kind": "STORE"},
            "unit": {"serial": "SN-1"},
        }
        assert (await pos.ask(AS_OF, at=now))["unitAsOf"]["status"] == "SOLD"
        assert (await pos.ask(AS_OF, at=now, by=at))["unitAsOf"]["status"] == "IN_STOCK"
        long_ago = (NOON - timedelta(days=1)).isoformat()
        assert (await pos.ask(AS_OF, at=long_ago))["unitAsOf"] is None
        first = (await pos.ask(STOCK, l="SHOP", at=at, first=1))["stockAsOf"]
        assert [each["serial"] for each in first["nodes"]] == ["SN-1"]
        assert first["pageInfo"]["hasNextPage"]
        cursor = first["pageInfo"]["endCursor"]
        rest = (await pos.ask(STOCK, l="SHOP", at=at, first=9, after=cursor))["stockAsOf"]
        assert [(each["serial"], each["since"]) for each in rest["nodes"]] == [("SN-2", at)]
        balance = (await ops.ask(BALANCE, at=now, sku="CAM"))["trialBalance"]
        assert (balance["existed"], balance["addsUp"]) == (2, True)
        assert [(line["location"], line["status"], line["units"]) for line in balance["lines"]] == [
            ("CUSTOMER", "SOLD", 1),
            ("SHOP", "IN_STOCK", 1),
        ]
        known = (await ops.ask(BALANCE, at=now, by=at))["trialBalance"]
        assert [line["units"] for line in known["lines"]] == [2]
        assert (await pos.error(BALANCE, at=now))["code"] == "FORBIDDEN"
        shop = await hub.caller(Scope.STOREFRONT)
        assert (await shop.error(AS_OF, at=now))["code"] == "FORBIDDEN"
        assert (await shop.error(STOCK, l="SHOP", at=now, first=1))["code"] == "FORBIDDEN"
        assert (await ops.error(AS_OF, at="2026-11-02T12:00:00"))["field"] == "at"
        assert (await ops.error(AS_OF, at=at, by="2026-11-02T12:00:00"))["field"] == "recordedBy"

    play(world, story)


@pytest.mark.req("R60", "R64")
def test_conservation_is_asked(world: World) -> None:
    world.receive("SN-1", "SN-2", place="SHOP")
    world.do(Action.SELL, "SN-1")

    async def story(hub: Hub) -> None:
        ops, pos = await hub.caller(Scope.OPS), await hub.caller(Scope.POS)
        assert (await ops.ask(CONSERVATION))["conservation"] == {
            "holds": True,
            "units": 2,
            "available": 1,
            "promised": 0,
            "blocked": 0,
            "elsewhere": 1,
            "breaches": [],
        }
        world.write(lambda tx: tx.run("UPDATE unit SET blocks = 1 WHERE serial = 'SN-2'"))
        broken = (await ops.ask(CONSERVATION))["conservation"]
        assert not broken["holds"]
        assert {each["law"] for each in broken["breaches"]} == {"BLOCK", "AVAILABLE"}
        assert (await pos.error(CONSERVATION))["code"] == "FORBIDDEN"

    play(world, story)
