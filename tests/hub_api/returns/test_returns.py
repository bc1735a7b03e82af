"""Returns, service and claims over the API: one call each, once for a key, by who may."""

from datetime import timedelta
from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub import catalogue
from hub.access.keys import Scope
from hub.catalogue import ProductCard
from hub.lifecycle import Action
from world import World

RETURN = """{ __typename
  ... on ReturnCase { id identifier decision rule ruleName findings { code message } nextStep
    sale { soldAt place channel order document customerRef price } buyerMatches daysSinceSale
    mayReturnUntil evidence { name value source at } caseId location reason state route routeRule
    refundReference decidedBy receivedAt unit { serial status location { code } } }
  ... on Problem { code message } ... on InvalidInput { field } ... on Forbidden { needs } }"""
CHECK = f"""mutation($key: String!, $identifier: String!, $location: String!, $reason: String!,
  $order: String, $customer: String, $product: String, $condition: String) {{
  done: checkReturn(idempotencyKey: $key, identifier: $identifier, location: $location,
    reason: $reason, order: $order, customerRef: $customer, productExpected: $product,
    condition: $condition) {RETURN} }}"""
ACCEPT = f"""mutation($key: String!, $id: ID!, $location: String, $override: String) {{
  done: acceptReturn(idempotencyKey: $key, returnId: $id, location: $location,
    override: $override) {RETURN} }}"""
REFUND = f"""mutation($key: String!, $id: ID!, $reference: String!) {{
  done: recordRefund(idempotencyKey: $key, returnId: $id, reference: $reference) {RETURN} }}"""
ROUTE = f"""mutation($key: String!, $id: ID!, $grade: String, $outcome: ReturnRoute,
  $reason: String, $condition: UnitCondition) {{
  done: routeReturn(idempotencyKey: $key, returnId: $id, grade: $grade, outcome: $outcome,
    reason: $reason, condition: $condition) {RETURN} }}"""
RULES = """{ __typename ... on DecisionRules { replayed rules { code rank decision isFixed isBuiltIn
  conditions { grades daysTo recalled } } } ... on Problem { code message }
  ... on InvalidInput { field } }"""
PUT = f"""mutation($key: String!, $decision: String!, $rank: Int!) {{
  done: putDecisionRule(idempotencyKey: $key, topic: ROUTE, code: "cheap", name: "Cheap",
    rank: $rank, decision: $decision, conditions: {{ skus: ["CAM"], grades: ["C"] }}) {RULES} }}"""
REMOVE = f"""mutation($key: String!) {{
  done: removeDecisionRule(idempotencyKey: $key, topic: ROUTE, code: "cheap") {RULES} }}"""
MOVED = """{ __typename ... on CommandResult { accepted refused replayed results { accepted status
  problem { code message } } } ... on Problem { code message } ... on InvalidInput { field } }"""
CLAIM = """{ __typename ... on WarrantyClaim { id state decision rule ruleName entitled basis lot
  findings { code } covers { kind status endsOn } disputes openedBy
  unit { serial status } replacement { serial status } }
  ... on Problem { code message } ... on InvalidInput { field } }"""
OPEN = f"""mutation($key: String!, $serial: String!, $customer: String, $order: String) {{
  done: openClaim(idempotencyKey: $key, unit: {{identifier: $serial}}, fault: "no picture",
    customerRef: $customer, order: $order) {CLAIM} }}"""
DECIDE = f"""mutation($key: String!, $id: ID!, $decision: ClaimDecision!) {{
  done: decideClaim(idempotencyKey: $key, claimId: $id, decision: $decision, reason: "seen")
  {CLAIM} }}"""
DISPUTE = f"""mutation($key: String!, $id: ID!) {{
  done: disputeClaim(idempotencyKey: $key, claimId: $id, reason: "no") {CLAIM} }}"""
CLOSE = f"""mutation($key: String!, $id: ID!) {{
  done: closeClaim(idempotencyKey: $key, claimId: $id, reason: "repaired") {CLAIM} }}"""
REPLACE = f"""mutation($key: String!, $id: ID!, $serial: String!) {{
  done: replaceUnderClaim(idempotencyKey: $key, claimId: $id,
    replacement: {{identifier: $serial}}, location: "RETURNS") {CLAIM} }}"""
COVER = """query($serial: String!, $on: Date) { unit(identifier: $serial) {
  cover(on: $on) { entitled basis lot replacedBy replaces activatedOn registeredOn
    sale { document soldOn price } covers { id kind status endsOn source } }
  serviceHistory { action reason kind work technician cost currency
    parts { part quantity serialIn unitIn } } } }"""


def sold(world: World, serial: str = "SN-1") -> None:
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", warranty_months=24)
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
    world.receive(serial, place="SHOP")
    assert world.do(Action.SELL, serial)[0].accepted


async def done(caller: Caller, document: str, **variables: Any) -> Any:
    data = await caller.ask(document, **variables)
    return data["done"]


async def check(caller: Caller, key: str = "c-1", serial: str = "SN-1", **more: Any) -> Any:
    given = {"key": key, "identifier": serial, "location": "SHOP", "reason": "too big"} | more
    return await done(caller, CHECK, **given)


@pytest.mark.req("R78", "R91", "R95", "R96")
def test_a_return_goes_from_the_counter_to_its_route(world: World) -> None:
    sold(world)
    world.pass_time(days=2)

    async def story(hub: Hub) -> None:
        till, floor = await hub.caller(Scope.POS, name="till"), await hub.caller(Scope.SCANNER)
        answer = await check(till)
        assert (answer["decision"], answer["rule"], answer["state"]) == (
            "ACCEPT",
            "in-window",
            "decided",
        )
        assert (answer["daysSinceSale"], answer["mayReturnUntil"]) == (2, "2026-12-02")
        assert (answer["sale"]["place"], answer["sale"]["price"]) == ("SHOP", None)
        assert (answer["decidedBy"], answer["reason"], answer["caseId"]) == (
            "till",
            "too big",
            None,
        )
        assert {"sold", "status", "price"} <= {each["name"] for each in answer["evidence"]}
        assert await check(till) == answer
        reused = await check(till, reason="too small")
        assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"
        taken = await done(till, ACCEPT, key="a-1", id=answer["id"])
        assert (taken["state"], taken["unit"]["status"]) == ("received", "RETURNED")
        again = await done(till, ACCEPT, key="a-2", id=answer["id"])
        assert again["code"] == "STEP_NOT_ALLOWED"
        paid = await done(till, REFUND, key="r-1", id=answer["id"], reference="credit-1")
        assert (paid["state"], paid["refundReference"]) == ("refunded", "credit-1")
        twice = await done(till, REFUND, key="r-2", id=answer["id"], reference="credit-2")
        assert twice["code"] == "STEP_NOT_ALLOWED"
        routed = await done(floor, ROUTE, key="w-1", id=answer["id"], grade="B", condition="USED")
        assert (routed["route"], routed["routeRule"], routed["state"]) == (
            "RESTOCK",
            "good",
            "closed",
        )
        assert routed["unit"]["status"] == "IN_STOCK"
        listed = await till.ask('{ returns(unit: "SN-1") { nodes { id state } } }')
        assert listed["returns"]["nodes"] == [{"id": answer["id"], "state": "closed"}]
        query = "query($id: ID!) { returnCase(id: $id) { id rule } }"
        assert (await till.ask(query, id=answer["id"]))["returnCase"]["rule"] == "in-window"
        error = await till.error(query, id="none")
        assert error["code"] == "UNKNOWN_REFERENCE"

    play(world, story)


@pytest.mark.req("R87")
def test_an_unknown_serial_is_an_answer_with_its_case(world: World) -> None:
    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        answer = await check(ops, serial="NEVER-1")
        assert (answer["decision"], answer["unit"]) == ("REFUSE", None)
        assert [each["code"] for each in answer["findings"]] == ["UNKNOWN_SERIAL"]
        data = await ops.ask("{ cases(kind: UNKNOWN_SERIAL) { nodes { id subject } } }")
        assert data["cases"]["nodes"] == [{"id": answer["caseId"], "subject": "NEVER-1"}]
        wrong = await check(ops, key="c-2", reason=" ")
        assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", "reason")
        wrong = await check(ops, key="c-3", location="NOWHERE")
        assert wrong["code"] == "UNKNOWN_REFERENCE"
        missing = await done(ops, ACCEPT, key="a-1", id="none")
        assert missing["code"] == "UNKNOWN_REFERENCE"

    play(world, story)


@pytest.mark.req("R89", "R92")
def test_who_decides_in_place_of_the_rules_is_ops_and_says_why(world: World) -> None:
    sold(world)

    async def story(hub: Hub) -> None:
        till, ops = await hub.caller(Scope.POS), await hub.caller(Scope.OPS)
        case = (await check(till, condition="damaged"))["id"]
        refused = await done(till, ACCEPT, key="a-1", id=case, override="please")
        assert (refused["code"], refused["needs"]) == ("FORBIDDEN", "ops")
        assert (await done(till, ACCEPT, key="a-2", id=case))["code"] == "STEP_NOT_ALLOWED"
        taken = await done(ops, ACCEPT, key="a-3", id=case, override="the carrier", location="WH")
        assert taken["unit"]["location"]["code"] == "WH"
        floor = await hub.caller(Scope.SCANNER)
        refused = await done(floor, ROUTE, key="w-1", id=case, outcome="REPAIR", reason="bent")
        assert refused["code"] == "FORBIDDEN"
        waits = await done(floor, ROUTE, key="w-2", id=case)
        assert (waits["route"], waits["unit"]["status"]) == (None, "RETURNED")
        routed = await done(ops, ROUTE, key="w-3", id=case, outcome="REPAIR", reason="bent")
        assert (routed["route"], routed["routeRule"]) == ("REPAIR", "by hand")
        assert routed["unit"]["status"] == "IN_REPAIR"

    play(world, story)


@pytest.mark.req("R92")
def test_rules_are_changed_by_admin_and_previewed_by_all_who_work(world: World) -> None:
    preview = """{ previewRule(topic: ROUTE, facts: {sku: "CAM", grade: "C"}) { code decision } }"""

    async def story(hub: Hub) -> None:
        admin, floor = await hub.caller(Scope.ADMIN), await hub.caller(Scope.SCANNER)
        assert (await floor.ask(preview))["previewRule"]["code"] == "grade-c"
        put = await done(admin, PUT, key="p-1", decision="recycle", rank=5)
        assert put["rules"][0]["code"] == "cheap"
        assert put["rules"][0]["conditions"] == {"grades": ["C"], "daysTo": None, "recalled": None}
        assert (await done(admin, PUT, key="p-1", decision="recycle", rank=5))["replayed"] is True
        assert (await floor.ask(preview))["previewRule"]["decision"] == "recycle"
        wrong = await done(admin, PUT, key="p-2", decision="eat", rank=5)
        assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", "decision")
        assert (await done(floor, PUT, key="p-3", decision="recycle", rank=5))[
            "code"
        ] == "FORBIDDEN"
        removed = await done(admin, REMOVE, key="d-1")
        assert "cheap" not in {rule["code"] for rule in removed["rules"]}
        assert (await done(admin, REMOVE, key="d-2"))["code"] == "UNKNOWN_REFERENCE"
        listed = await floor.ask("{ decisionRules(topic: RETURN) { code isFixed isBuiltIn } }")
        assert listed["decisionRules"][0] == {
            "code": "unknown-serial",
            "isFixed": True,
            "isBuiltIn": True,
        }

    play(world, story)


@pytest.mark.req("R41", "R93")
def test_plain_movements_know_the_check_and_the_disposal(world: World) -> None:
    sold(world)
    sold(world, "SN-2")
    take = f"""mutation($key: String!) {{ done: acceptReturns(idempotencyKey: $key, units: [
      {{identifier: "SN-1"}}, {{identifier: "SN-2"}}], location: "RETURNS", reason: "broken")
      {MOVED} }}"""
    scrap = f"""mutation($key: String!, $way: Disposal!) {{ done: writeOffUnits(
      idempotencyKey: $key, units: [{{identifier: "SN-2"}}], reason: "crushed",
      disposal: $way) {MOVED} }}"""

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        await check(ops, product="LENS")
        answer = await done(ops, take, key="t-1")
        assert [each["accepted"] for each in answer["results"]] == [False, True]
        assert answer["results"][0]["problem"]["code"] == "STEP_NOT_ALLOWED"
        wrong = await done(ops, scrap, key="s-1", way="RESELL")
        assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", "disposal")
        assert (await done(ops, scrap, key="s-2", way="RECYCLE"))["accepted"] == 1

    play(world, story)
    assert '"disposal":"recycle"' in world.history("SN-2")[-1]["details"]


@pytest.mark.req("R98", "R100", "R101", "R107")
def test_cover_is_granted_registered_activated_and_answered(world: World) -> None:
    sold(world)
    grant = """mutation($key: String!) { done: grantCover(idempotencyKey: $key,
      unit: {identifier: "SN-1"}, kind: EXTENDED_WARRANTY, reference: "X-1", provider: "Assure",
      endsOn: "2031-01-01") { __typename ... on CoverChanged { coverId replayed unit { serial } }
      ... on Problem { code message } } }"""
    revoke = """mutation($key: String!, $id: ID!) { done: revokeCover(idempotencyKey: $key, id: $id)
      { __typename ... on CoverChanged { coverId } ... on Problem { code } } }"""
    activate = f"""mutation {{ done: activateUnits(idempotencyKey: "on", units: [
      {{identifier: "SN-1"}}, {{identifier: "SN-404"}}]) {MOVED} }}"""
    register = f"""mutation($key: String!, $on: Date!) {{ done: registerUnit(idempotencyKey: $key,
      unit: {{identifier: "SN-1"}}, on: $on, reference: "card 7") {MOVED} }}"""

    async def story(hub: Hub) -> None:
        ops, till = await hub.caller(Scope.OPS), await hub.caller(Scope.POS)
        granted = await done(till, grant, key="g-1")
        assert (granted["unit"]["serial"], granted["replayed"]) == ("SN-1", False)
        assert (await done(till, grant, key="g-1"))["replayed"] is True
        assert (await done(till, grant, key="g-2"))["code"] == "STEP_NOT_ALLOWED"
        answer = await done(till, activate)
        assert (answer["accepted"], answer["refused"]) == (1, 1)
        assert (await done(till, register, key="r-1", on="2026-11-02"))["accepted"] == 1
        early = await done(till, register, key="r-2", on="2026-11-01")
        assert (early["code"], early["field"]) == ("INVALID_INPUT", "on")
        cover = (await till.ask(COVER, serial="SN-1"))["unit"]["cover"]
        assert (cover["entitled"], cover["activatedOn"]) == ("YES", "2026-11-02")
        assert cover["registeredOn"] == "2026-11-02"
        assert [(each["kind"], each["endsOn"]) for each in cover["covers"]] == [
            ("OWN", "2028-11-01"),
            ("EXTENDED_WARRANTY", "2031-01-01"),
        ]
        assert cover["covers"][1]["id"] == granted["coverId"]
        assert (await done(till, revoke, key="v-1", id=granted["coverId"]))["code"] == "FORBIDDEN"
        revoked = await done(ops, revoke, key="v-2", id=granted["coverId"])
        assert revoked["coverId"] == granted["coverId"]
        later = await till.ask(COVER, serial="SN-1", on="2030-01-01")
        assert later["unit"]["cover"]["entitled"] == "NO"
        window = await hub.caller(Scope.STOREFRONT)
        assert (await window.error(COVER, serial="SN-1"))["code"] == "FORBIDDEN"

    play(world, story)


@pytest.mark.req("R43", "R49", "R102", "R103")
def test_a_customers_unit_is_served_and_its_history_shown(world: World) -> None:
    sold(world)
    world.receive("P-1", sku="LENS")
    take = f"""mutation($key: String!, $fault: String!) {{ done:
    checkInForService(idempotencyKey: $key,
      units: [{{identifier: "SN-1"}}], location: "RETURNS", fault: $fault) {MOVED} }}"""
    work = f"""mutation($key: String!, $done: WorkInput!) {{ done: recordService(
      idempotencyKey: $key, unit: {{identifier: "SN-1"}}, done: $done) {MOVED} }}"""
    back = f"""mutation($key: String!) {{ done: returnToCustomer(idempotencyKey: $key,
      units: [{{identifier: "SN-1"}}]) {MOVED} }}"""
    given = {
        "kind": "REPAIR",
        "work": "shutter replaced",
        "technician": "Tess",
        "parts": [{"part": "shutter", "serialIn": "P-1"}],
        "cost": 4500,
        "currency": "EUR",
    }

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        assert (await done(ops, take, key="t-0", fault=" "))["field"] == "fault"
        taken = await done(ops, take, key="t-1", fault="no picture")
        assert taken["results"][0]["status"] == "IN_REPAIR"
        assert (await done(ops, work, key="w-1", done=given))["accepted"] == 1
        assert (await done(ops, work, key="w-1", done=given))["replayed"] is True
        wrong = await done(ops, work, key="w-2", done=given | {"work": ""})
        assert wrong["field"] == "work"
        assert (await done(ops, back, key="b-1"))["results"][0]["status"] == "SOLD"
        refused = await done(ops, back, key="b-2")
        assert refused["results"][0]["problem"]["code"] == "STEP_NOT_ALLOWED"
        rows = (await ops.ask(COVER, serial="SN-1"))["unit"]["serviceHistory"]
        assert [row["action"] for row in rows] == ["TAKE_IN", "MAINTAIN", "HAND_BACK"]
        assert rows[0]["reason"] == "no picture"
        assert (rows[1]["technician"], rows[1]["cost"]) == ("Tess", 4500)
        assert rows[1]["parts"] == [
            {
                "part": "shutter",
                "quantity": 1,
                "serialIn": "P-1",
                "unitIn": world.unit("P-1")["id"],
            }
        ]

    play(world, story)


@pytest.mark.req("R104", "R106", "R108", "R109", "R110")
def test_a_claim_is_answered_disputed_decided_and_exchanged(world: World) -> None:
    sold(world)
    world.receive("NEW-1", place="SHOP")
    measured = """query($since: DateTime!, $until: DateTime!) {
      claimStatistics(since: $since, until: $until) { claims decided atOnce disputes
        medianSeconds slowestSeconds byRule { rule claims } } }"""

    async def story(hub: Hub) -> None:
        till, ops = await hub.caller(Scope.POS, name="till"), await hub.caller(Scope.OPS)
        claim = await done(till, OPEN, key="o-1", serial="SN-1")
        assert (claim["state"], claim["decision"], claim["entitled"]) == (
            "approved",
            "REPLACE",
            "YES",
        )
        assert (claim["openedBy"], claim["covers"][0]["endsOn"]) == ("till", "2028-11-01")
        assert await done(till, OPEN, key="o-1", serial="SN-1") == claim
        assert (await done(till, OPEN, key="o-2", serial="SN-404"))["code"] == "UNKNOWN_UNIT"
        claim_id = claim["id"]
        assert (await done(till, DISPUTE, key="d-1", id=claim_id))["state"] == "disputed"
        refused = await done(till, DECIDE, key="e-1", id=claim_id, decision="REPLACE")
        assert refused["code"] == "FORBIDDEN"
        decided = await done(ops, DECIDE, key="e-2", id=claim_id, decision="REPLACE")
        assert (decided["state"], decided["rule"], decided["disputes"]) == (
            "approved",
            "by-hand",
            1,
        )
        given = await done(till, REPLACE, key="x-1", id=claim_id, serial="NEW-1")
        assert (given["state"], given["unit"]["status"]) == ("closed", "RETURNED")
        assert given["replacement"] == {"serial": "NEW-1", "status": "SOLD"}
        assert await done(till, REPLACE, key="x-1", id=claim_id, serial="NEW-1") == given
        twice = await done(till, REPLACE, key="x-2", id=claim_id, serial="NEW-1")
        assert twice["code"] == "STEP_NOT_ALLOWED"
        assert (await done(till, CLOSE, key="l-1", id=claim_id))["code"] == "STEP_NOT_ALLOWED"
        old = (await ops.ask(COVER, serial="SN-1"))["unit"]["cover"]
        new = (await ops.ask(COVER, serial="NEW-1"))["unit"]["cover"]
        assert old["replacedBy"] == world.unit("NEW-1")["id"]
        assert new["replaces"] == world.unit("SN-1")["id"]
        assert (new["entitled"], new["covers"][0]["kind"]) == ("YES", "INHERITED")
        swapped = await done(till, OPEN, key="o-3", serial="NEW-1", order="another")
        assert (swapped["state"], swapped["rule"]) == ("refused", "swapped")
        listed = await ops.ask('{ claims(unit: "SN-1", state: "closed") { nodes { id } } }')
        assert listed["claims"]["nodes"] == [{"id": claim_id}]
        one = await ops.ask("query($id: ID!) { claim(id: $id) { rule } }", id=claim_id)
        assert one["claim"]["rule"] == "by-hand"
        period = {
            "since": (world.now - timedelta(days=1)).isoformat(),
            "until": (world.now + timedelta(days=1)).isoformat(),
        }
        found = (await ops.ask(measured, **period))["claimStatistics"]
        assert (found["claims"], found["disputes"], found["medianSeconds"]) == (2, 1, 0)
        assert (await till.error(measured, **period))["code"] == "FORBIDDEN"

    play(world, story)


def test_who_may_not_is_refused_and_nothing_is_kept(world: World) -> None:
    sold(world)

    async def story(hub: Hub) -> None:
        window = await hub.caller(Scope.STOREFRONT)
        for document, given in (
            (CHECK, {"identifier": "SN-1", "location": "SHOP", "reason": "r"}),
            (ACCEPT, {"id": "x"}),
            (REFUND, {"id": "x", "reference": "r"}),
            (ROUTE, {"id": "x"}),
            (PUT, {"decision": "recycle", "rank": 1}),
            (REMOVE, {}),
            (OPEN, {"serial": "SN-1"}),
            (DECIDE, {"id": "x", "decision": "REPAIR"}),
            (DISPUTE, {"id": "x"}),
            (CLOSE, {"id": "x"}),
            (REPLACE, {"id": "x", "serial": "SN-1"}),
        ):
            assert (await done(window, document, key="k", **given))["code"] == "FORBIDDEN"
        for query in ("returns", "claims"):
            error = await window.error(f"{{ {query} {{ nodes {{ id }} }} }}")
            assert error["code"] == "FORBIDDEN"

    play(world, story)
    for table in ("return_case", "warranty_claim", "decision_rule"):
        assert world.value(f"SELECT COUNT(*) FROM {table}") == 0


def test_a_check_names_the_last_day_and_knows_the_product_that_is_expected(world: World) -> None:
    sold(world)

    async def story(hub: Hub) -> None:
        till = await hub.caller(Scope.POS)
        given = {"identifier": "SN-1", "location": "SHOP", "reason": "x"}
        unknown = (await till.ask(CHECK, key="k-1", product="NO-SUCH", **given))["done"]
        assert unknown["code"] == "UNKNOWN_REFERENCE"
        known = (await till.ask(CHECK, key="k-2", product="CAM", **given))["done"]
        facts = {each["name"]: each["value"] for each in known["evidence"]}
        assert facts["may come back until"] == known["mayReturnUntil"]

    play(world, story)
