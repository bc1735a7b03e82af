"""Capture over the API: one question for all that was read; points that need a scan; fields."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api_client import Caller, Hub, dump, play
from hub.access.keys import Scope
from hub.lifecycle import Action
from world import World

OPERATION = (
    Path(__file__).parent.parent.parent.parent / "graphql/hub_api/operations/capture.graphql"
).read_text()
CAPTURE = """query($r: [String!]!, $p: CapturePurpose!, $product: String, $expected: [String!]) {
  capture(readings: $r, purpose: $p, product: $product, expected: $expected) {
    signal code message findings { signal code } product { sku } serial others ssccs
    identifiers { scheme value } unit { serial allowedActions }
    suggestions { serial why unitId unit { serial } } } }"""
REGISTER = """mutation($products: [ProductInput!]!) {
  registerCatalogue(idempotencyKey: "NEW", products: $products) {
  __typename ... on InvalidInput { field } } }"""
RECEIVE = """mutation($key: String!, $units: [ArrivalInput!]!, $context: CommandContextInput) {
  receiveUnits(idempotencyKey: $key, units: $units, location: "WH", putAway: true,
    context: $context) { __typename ... on CommandResult { results { accepted problem {
      __typename code ... on CaptureRequired { action capturedBy }
      ... on InvalidInput { field } } } } } }"""
SET = """mutation($i: String!, $f: [UnitFieldInput!]!) {
  setUnitFields(idempotencyKey: "NEW", identifier: $i, fields: $f) {
  __typename ... on Unit { serial fields { name value } } ... on InvalidInput { field }
  ... on UnknownUnit { identifier } } }"""
SEARCH = """query($f: UnitFieldInput) { units(field: $f) { nodes { serial fields { name } } } }"""
LABEL = """query($i: String!, $f: LabelFormat!) { unitLabel(identifier: $i, format: $f) {
  content elementString lines mediaType body } }"""
STATISTICS = """query($since: DateTime!, $until: DateTime!, $location: String) {
  captureStatistics(since: $since, until: $until, location: $location) {
    events scannedShare byMethod { capturedBy events } } }"""

PHONE = {"sku": "PHONE", "name": "Phone", "manufacturer": "ACME"}


async def judge(caller: Caller, *readings: str, purpose: str = "RECEIVE", **hints: Any) -> Any:
    return (await caller.ask(CAPTURE, r=readings, p=purpose, **hints))["capture"]


@pytest.mark.req("R14")
@pytest.mark.req("R23")
def test_one_question_answers_all_that_a_device_must_know(world: World) -> None:
    world.receive("AB0125")

    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        before = dump(world)
        found = await judge(scanner, "4006381333931", "ab-0125", purpose="FIND")
        assert (found["signal"], found["code"]) == ("ACCEPT", "OK")
        assert found["product"] == {"sku": "CAM"}
        assert found["unit"]["serial"] == "AB0125"
        assert "ALLOCATE" in found["unit"]["allowedActions"]
        odd = await judge(scanner, "ABO125", product="CAM")
        assert (odd["signal"], odd["code"], odd["unit"]) == ("WARN", "LOOK_ALIKE", None)
        (meant,) = odd["suggestions"]
        assert (meant["why"], meant["unit"]) == ("LOOK_ALIKE", {"serial": "AB0125"})
        known = await judge(scanner, "AB0125", product="CAM")
        assert (known["signal"], known["code"]) == ("REFUSE", "DUPLICATE")
        swapped = await judge(scanner, "BA0125", purpose="FIND", expected=["AB0125"])
        assert (swapped["signal"], swapped["code"]) == ("REFUSE", "TRANSPOSED")
        told = await scanner.ask(OPERATION, readings=["AB0125"], purpose="FIND")
        assert told["capture"]["unit"]["status"] == "IN_STOCK"
        assert told["capture"]["product"] == {"sku": "CAM", "name": "Cam", "tracking": "SERIAL"}
        assert dump(world) == before

    play(world, story)


def test_who_may_capture_and_how_much(world: World) -> None:
    async def story(hub: Hub) -> None:
        assert (await judge(await hub.caller(Scope.POS), "X"))["code"] == "UNKNOWN_PRODUCT"
        shop = await hub.caller(Scope.STOREFRONT)
        for document, given in (
            (CAPTURE, {"r": ["X"], "p": "FIND"}),
            (LABEL, {"i": "X", "f": "ZPL"}),
            ("{ newSerials }", {}),
        ):
            assert (await shop.error(document, **given))["code"] == "FORBIDDEN"
        scanner = await hub.caller(Scope.SCANNER)
        too_many = await scanner.error(CAPTURE, r=["X"] * 51, p="FIND")
        assert (too_many["code"], too_many["field"]) == ("INVALID_INPUT", "readings")
        made = (await scanner.ask("{ newSerials(count: 3) }"))["newSerials"]
        assert len(set(made)) == 3

    play(world, story)


@pytest.mark.req("R8")
@pytest.mark.req("R34")
@pytest.mark.req("R9")
def test_a_product_says_where_it_must_be_scanned_and_what_is_kept_of_it(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        card = PHONE | {"capturePoints": ["RECEIVE", "PICK"], "tracking": "SERIAL_LOT"}
        assert (await admin.ask(REGISTER, products=[card]))["registerCatalogue"] == {
            "__typename": "CatalogueChanged"
        }
        shown = await admin.ask("{ products { sku tracking capturePoints } }")
        assert {
            "sku": "PHONE",
            "tracking": "SERIAL_LOT",
            "capturePoints": ["PICK", "RECEIVE"],
        } in shown["products"]
        refused = await admin.ask(REGISTER, products=[PHONE | {"capturePoints": ["ALLOCATE"]}])
        assert refused["registerCatalogue"]["field"] == "capturePoints"

        unit = {"serial": "P-1", "product": "PHONE", "lot": "L7"}
        wanted: list[tuple[str, dict[str, str], Any]] = [
            ("MANUAL", unit, {"code": "CAPTURE_REQUIRED", "__typename": "CaptureRequired",
                              "action": "receive", "capturedBy": "manual"}),
            ("SCAN", unit | {"lot": ""}, {"code": "INVALID_INPUT", "__typename": "InvalidInput",
                                          "field": "lot"}),
            ("SCAN", unit, None),
        ]  # fmt: skip
        for number, (method, row, problem) in enumerate(wanted):
            context = {"capturedBy": method}
            data = await admin.ask(RECEIVE, key=f"k-{number}", units=[row], context=context)
            (verdict,) = data["receiveUnits"]["results"]
            assert verdict["problem"] == problem
        world.do(Action.ALLOCATE, "P-1", hold_reference="cart-1")
        done = await admin.command("pickUnits", ["P-1"], key="p-1")
        assert done["results"][0]["problem"]["code"] == "CAPTURE_REQUIRED"
        again = {"capturedBy": "RFID"}
        done = await admin.command("pickUnits", ["P-1"], key="p-2", context=again)
        assert done["accepted"] == 1

    play(world, story)


@pytest.mark.req("R31")
def test_custom_fields_are_set_read_and_searched(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)

        async def put(identifier: str, **fields: str | None) -> Any:
            given = [{"name": name, "value": value} for name, value in fields.items()]
            return (await ops.ask(SET, i=identifier, f=given))["setUnitFields"]

        colour, shelf = {"name": "colour", "value": "red"}, {"name": "shelf", "value": "top"}
        done = await put("sn1", shelf="top", colour="red")
        assert (done["serial"], done["fields"]) == ("SN-1", [colour, shelf])
        assert (await put("SN-1", shelf=None, colour="red"))["fields"] == [colour]
        await put("SN-2", colour="blue")
        for value, wanted in (("red", ["SN-1"]), ("blue", ["SN-2"]), ("green", [])):
            found = await ops.ask(SEARCH, f={"name": "colour", "value": value})
            assert [node["serial"] for node in found["units"]["nodes"]] == wanted
        assert (await ops.error(SEARCH, f={"name": "colour"}))["field"] == "field"
        events = world.value("SELECT COUNT(*) FROM event")
        assert (await put("SN-3", colour="red"))["__typename"] == "UnknownUnit"
        assert (await put("SN-1", **{"1st": "x"}))["field"] == "name"
        assert (await put("SN-1", colour=""))["field"] == "value"
        many = {f"f{number}": "x" for number in range(101)}
        assert (await put("SN-1", **many))["field"] == "fields"
        assert world.value("SELECT COUNT(*) FROM unit_field") == 2
        assert world.value("SELECT COUNT(*) FROM event") == events
        shop = await hub.caller(Scope.STOREFRONT)
        assert (await shop.ask(SET, i="SN-1", f=[]))["setUnitFields"] == {"__typename": "Forbidden"}

    play(world, story)


@pytest.mark.req("R32")
@pytest.mark.req("R33")
def test_a_label_is_printed_as_often_as_it_is_asked_for(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        before = dump(world)
        for form in ("ZPL", "ZPL_DATAMATRIX", "SVG_QR", "PNG_QR"):
            label = (await scanner.ask(LABEL, i="SN-1", f=form))["unitLabel"]
            assert (await scanner.ask(LABEL, i="SN-1", f=form))["unitLabel"] == label
            found = await judge(scanner, label["content"], purpose="FIND")
            assert (found["signal"], found["unit"]["serial"]) == ("ACCEPT", "SN-1")
        assert (await scanner.error(LABEL, i="SN-9", f="ZPL"))["code"] == "UNKNOWN_UNIT"
        assert dump(world) == before

    play(world, story)


@pytest.mark.req("R10")
def test_what_was_typed_counts_against_what_was_scanned(world: World) -> None:
    world.receive("SN-1", place="SHOP")

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for number, method in enumerate(("SCAN", "SCAN", "RFID", "MANUAL")):
            row = {"serial": f"P-{number}", "product": "CAM"}
            await admin.ask(RECEIVE, key=f"k-{number}", units=[row], context={"capturedBy": method})
        world.do(Action.ALLOCATE, "P-0", hold_reference="cart-1")  # nobody had it in hand
        period = {"since": world.now.isoformat(), "until": (world.now + timedelta(1)).isoformat()}
        told = (await admin.ask(STATISTICS, **period))["captureStatistics"]
        counts = {each["capturedBy"]: each["events"] for each in told["byMethod"]}
        # Two events for each unit: received and put away.
        assert counts == {"SCAN": 4, "RFID": 2, "MANUAL": 2, "API": 2, "IMPORT": 0}
        assert (told["events"], told["scannedShare"]) == (10, 0.75)
        shop = (await admin.ask(STATISTICS, **period, location="SHOP"))["captureStatistics"]
        assert (shop["events"], shop["scannedShare"]) == (2, None)
        world.do(Action.SELL, "SN-1")
        shop = (await admin.ask(STATISTICS, **period, location="SHOP"))["captureStatistics"]
        assert shop["events"] == 3
        wrong = {"since": period["until"], "until": period["since"]}
        assert (await admin.error(STATISTICS, **wrong))["field"] == "until"
        naive = {"since": "2026-11-02T00:00:00", "until": period["until"]}
        assert (await admin.error(STATISTICS, **naive))["field"] == "since"
        gone = await admin.error(STATISTICS, **period, location="NOWHERE")
        assert gone["code"] == "UNKNOWN_REFERENCE"

    play(world, story)
