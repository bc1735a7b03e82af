"""Labels that could not be captured, units that moved unread: cases, and how each ends."""

from typing import Any

import orjson
import pytest

from api_client import Caller, Hub, play
from hub.access.keys import Scope
from hub.lifecycle import Action
from hub.vocabulary import OrderLine, OrderState
from world import World

CASE = "case { id kind state owner details resolution occurrences }"
REPORT = f"""mutation($key: String!, $failure: FailedCaptureInput!, $context:
    CommandContextInput) {{
  done: reportFailedCapture(idempotencyKey: $key, failure: $failure, context: $context) {{
    __typename ... on ReportedCase {{ replayed {CASE} }}
    ... on Problem {{ code message }} ... on InvalidInput {{ field }} }} }}"""
UNREAD = f"""mutation($key: String!, $moved: UncapturedInput!, $context: CommandContextInput) {{
  done: reportUncapturedUnits(idempotencyKey: $key, moved: $moved, context: $context) {{
    __typename ... on ReportedCase {{ replayed {CASE} }}
    ... on Problem {{ code message }} ... on InvalidInput {{ field }} }} }}"""
RESOLVE = f"""mutation($key: String!, $case: ID!, $how: CaptureRemedy!, $identifier: String!,
    $context: CommandContextInput) {{
  done: resolveFailedCapture(idempotencyKey: $key, caseId: $case, how: $how,
    identifier: $identifier, context: $context) {{
    __typename ... on ResolvedCapture {{ replayed label {CASE}
      result {{ accepted status problem {{ code }} unit {{ serial status
        identifiers {{ scheme value }} }} }} }}
    ... on Problem {{ code message }} ... on InvalidInput {{ field }} }} }}"""
SMUDGED = {"action": "PUT_AWAY", "readings": ["S#-1"], "location": "WH-A1", "note": "smudged"}


async def people(hub: Hub) -> tuple[Caller, Caller]:
    return await hub.caller(Scope.SCANNER, name="ann"), await hub.caller(Scope.OPS, name="olga")


async def report(caller: Caller, key: str = "f-1", **changes: Any) -> Any:
    return (await caller.ask(REPORT, key=key, failure=SMUDGED | changes))["done"]


async def resolve(caller: Caller, case: str, how: str, identifier: str, **more: Any) -> Any:
    given = {"key": f"{how}-{identifier}", "case": case, "how": how, "identifier": identifier}
    return (await caller.ask(RESOLVE, **(given | more)))["done"]


@pytest.mark.req("R22", "R149")
def test_a_failed_capture_is_a_case_with_an_owner_and_the_batch_goes_on(world: World) -> None:
    world.receive("SN-1", "SN-2", put_away=False)

    async def story(hub: Hub) -> None:
        ann, _ = await people(hub)
        done = await ann.command("putAwayUnits", ["SN-1", "S#-1"], key="p-1", location="WH-A1")
        assert (done["accepted"], done["refused"]) == (1, 1)
        made = await report(ann)
        case = made["case"]
        assert (case["kind"], case["state"], case["owner"]) == ("FAILED_CAPTURE", "assigned", "ann")
        assert (case["details"]["readings"], case["details"]["reporter"]) == (["S#-1"], "ann")
        assert (await report(ann))["replayed"] is True
        twice = (await report(ann, "f-2"))["case"]
        assert (twice["id"], twice["occurrences"]) == (case["id"], 2)
        assert (await report(ann, "f-3", owner="lead", readings=["x"]))["case"]["owner"] == "lead"
        read = await resolve(ann, case["id"], "RETRY", "SN-2", context={"capturedBy": "SCAN"})
        assert (read["result"]["status"], read["case"]["state"]) == ("IN_STOCK", "resolved")
        event = world.history("SN-2")[-1]
        assert (event["action"], event["captured_by"]) == ("put_away", "scan")
        again = await resolve(ann, case["id"], "RETRY", "SN-2", context={"capturedBy": "SCAN"})
        assert again["replayed"] is True
        late = await resolve(ann, case["id"], "RETRY", "SN-2", key="late")
        assert late["code"] == "STEP_NOT_ALLOWED"

    play(world, story)


@pytest.mark.req("R22", "R10")
def test_what_is_typed_needs_the_approval_of_somebody_else(world: World) -> None:
    world.receive("SN-1", put_away=False)
    world.write(
        lambda tx: tx.run(
            "UPDATE product SET capture_points = :points WHERE sku = 'CAM'", points='["put_away"]'
        )
    )

    async def story(hub: Hub) -> None:
        ann, olga = await people(hub)
        typed = {"capturedBy": "MANUAL"}
        done = await ann.command(
            "putAwayUnits", ["SN-1"], key="p-1", location="WH-A1", context=typed
        )
        assert done["results"][0]["problem"]["code"] == "CAPTURE_REQUIRED"
        case = (await report(ann))["case"]["id"]
        assert (await resolve(ann, case, "MANUAL", "SN-1"))["code"] == "FORBIDDEN"
        dodge = await resolve(ann, case, "RETRY", "SN-1", context=typed)
        assert (dodge["code"], dodge["field"]) == ("INVALID_INPUT", "how")
        own = (await report(olga, "f-9", readings=["other"]))["case"]["id"]
        assert (await resolve(olga, own, "MANUAL", "SN-1"))["code"] == "FORBIDDEN"
        refused = await resolve(olga, case, "MANUAL", "SN-9")
        assert refused["result"]["problem"]["code"] == "UNKNOWN_UNIT"
        assert refused["case"]["state"] == "assigned"
        approved = await resolve(olga, case, "MANUAL", "SN-1")
        assert (approved["result"]["status"], approved["case"]["state"]) == (
            "IN_STOCK", "resolved",
        )  # fmt: skip
        event = world.history("SN-1")[-1]
        assert (event["captured_by"], event["actor"]) == ("manual", "olga")
        assert orjson.loads(event["details"]) == {"case": case, "approved_by": "olga"}

    play(world, story)


@pytest.mark.req("R22", "R33")
def test_a_known_unit_gets_a_new_label_and_no_second_record(world: World) -> None:
    world.receive("SN-1", put_away=False)

    async def story(hub: Hub) -> None:
        ann, _ = await people(hub)
        case = (await report(ann))["case"]["id"]
        unit_id = world.unit("SN-1")["id"]
        done = await resolve(ann, case, "RELABEL", unit_id)
        assert done["case"]["state"] == "resolved"
        assert {"scheme": "label", "value": done["label"]} in done["result"]["unit"]["identifiers"]
        assert world.unit(done["label"])["id"] == unit_id
        assert world.value("SELECT COUNT(*) FROM unit") == 1
        assert world.history("SN-1")[-1]["action"] == "annotate"
        moved = await ann.command("putAwayUnits", [done["label"]], key="p-1", location="WH-A1")
        assert moved["accepted"] == 1
        other = (await report(ann, "f-2", readings=["y"]))["case"]["id"]
        gone = await resolve(ann, other, "RELABEL", "NOBODY")
        assert gone["code"] == "UNKNOWN_UNIT"

    play(world, story)


@pytest.mark.req("R22")
def test_a_unit_whose_receipt_failed_is_received_when_it_is_read(world: World) -> None:
    async def story(hub: Hub) -> None:
        ann, olga = await people(hub)
        given = {"action": "RECEIVE", "location": "WH", "product": "CAM", "lot": "L7"}
        case = (await report(ann, **given))["case"]["id"]
        done = await resolve(olga, case, "MANUAL", "SN-7")
        assert (done["result"]["status"], world.unit("SN-7")["lot"]) == ("RECEIVED", "L7")
        world.do(Action.PUT_AWAY, "SN-7", place="WH")
        world.do(Action.ALLOCATE, "SN-7", hold_reference="cart")
        world.do(Action.PICK, "SN-7")
        case = (await report(ann, "f-2", action="SHIP", location=None))["case"]["id"]
        done = await resolve(ann, case, "RETRY", "SN-7")
        assert done["result"]["status"] == "SHIPPED"
        case = (await report(ann, "f-3", action="ACCEPT_RETURN", location="RETURNS"))["case"]["id"]
        assert (await resolve(ann, case, "RETRY", "SN-7", key="a"))["field"] == "reason"
        back = await resolve(ann, case, "RETRY", "SN-7", key="b", context={"reason": "broken"})
        assert back["result"]["status"] == "RETURNED"

    play(world, story)


@pytest.mark.req("R22")
def test_a_report_that_makes_no_sense_is_refused(world: World) -> None:
    async def story(hub: Hub) -> None:
        ann, olga = await people(hub)
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"action": "LOSE"}, "action"),
            ({"readings": []}, "readings"),
            ({"readings": [" "]}, "readings"),
            ({"location": None}, "location"),
            ({"location": "NOWHERE"}, ""),
            ({"product": "NONE"}, ""),
            ({"note": "x" * 301}, "note"),
        ]
        for number, (changes, field) in enumerate(wrong):
            refused = await report(ann, f"w-{number}", **changes)
            assert refused["code"] == ("INVALID_INPUT" if field else "UNKNOWN_REFERENCE"), changes
            assert refused.get("field", "") == field
        shop = await hub.caller(Scope.STOREFRONT)
        assert (await report(shop))["code"] == "FORBIDDEN"
        assert world.value("SELECT COUNT(*) FROM exception_case") == 0
        nothing = await resolve(olga, "none", "RETRY", "SN-1")
        assert nothing["code"] == "UNKNOWN_REFERENCE"
        moved = {"action": "MOVE", "product": "CAM", "quantity": 1, "location": "WH"}
        other = (await ann.ask(UNREAD, key="u-1", moved=moved))["done"]["case"]["id"]
        assert (await resolve(olga, other, "RETRY", "SN-1"))["field"] == "caseId"

    play(world, story)


@pytest.mark.req("R21", "R149")
def test_a_unit_that_moved_unread_is_a_case_with_an_owner_on_the_floor_and_at_the_counter(
    world: World,
) -> None:
    world.receive("SN-1", place="SHOP")
    till = world.channel("till", "square")
    world.list_product(till)
    line = OrderLine(ref="l-1", sku="CAM", quantity=1, fulfilled=1)
    world.accept(till, world.order(lines=[line], state=OrderState.FULFILLED, at_counter=True))

    async def story(hub: Hub) -> None:
        ann, olga = await people(hub)
        moved = {
            "action": "TRANSFER_IN", "product": "CAM", "quantity": 2, "location": "SHOP",
            "owner": "lead",
        }  # fmt: skip
        context = {"documentType": "desadv", "documentRef": "T-1"}
        given = {"key": "u-1", "moved": moved, "context": context}
        before = world.rows("SELECT * FROM unit")
        done = (await ann.ask(UNREAD, **given))["done"]
        assert (done["case"]["kind"], done["case"]["owner"]) == ("MISSING_CAPTURE", "lead")
        assert (done["case"]["details"]["missing"], done["case"]["details"]["document"]) == (
            2, "T-1",
        )  # fmt: skip
        assert (await ann.ask(UNREAD, **given))["done"]["replayed"] is True
        assert world.rows("SELECT * FROM unit") == before
        listed = await olga.ask("{ cases(kind: MISSING_CAPTURE) { nodes { id subject owner } } }")
        counter, floor = sorted(listed["cases"]["nodes"], key=lambda each: each["owner"] or "")
        assert (counter["subject"], counter["owner"]) == ("o-1/l-1", None)
        assert floor["owner"] == "lead"
        assign = """mutation($id: ID!) {
  assignCase(idempotencyKey: "NEW", id: $id, owner: "till lead") {
          ... on Case { owner } } }"""
        assert (await olga.ask(assign, id=counter["id"]))["assignCase"]["owner"] == "till lead"
        for changes, code in (
            ({"quantity": 0}, "INVALID_INPUT"),
            ({"product": "NONE"}, "UNKNOWN_REFERENCE"),
            ({"location": "NOWHERE"}, "UNKNOWN_REFERENCE"),
            ({"owner": "x" * 101}, "INVALID_INPUT"),
        ):
            refused = await ann.ask(UNREAD, key="u-2", moved=moved | changes)
            assert refused["done"]["code"] == code

    play(world, story)
