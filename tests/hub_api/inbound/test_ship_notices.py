"""Deliveries, births and sweeps over the API."""

from typing import Any

import pytest

from api_client import RESULTS, Caller, Hub, dump, play
from hub.access.keys import Scope
from hub.identifiers import epc
from world import World

SERIALS = "{ count serials(first: 10) }"
CHECK = f"""check {{ agrees missing matched {SERIALS} short {SERIALS} over {SERIALS}
  unexpected {SERIALS} lines {{ ref sku quantity missing matched {SERIALS} over {SERIALS} }} }}"""
DELIVERY = f"{{ id supplier ref purchaseOrder state expectedOn closedAt {CHECK} }}"
PROBLEM = "... on Problem { code message } ... on InvalidInput { field }"
ANNOUNCE = f"""mutation($key: String!, $supplier: String!, $ref: String!,
    $lines: [AdvanceShipNoticeLineInput!]!) {{
  done: announceShipment(idempotencyKey: $key, supplier: $supplier, ref: $ref, lines: $lines,
    purchaseOrder: "PO-7", expectedOn: "2026-11-03") {{ __typename {PROBLEM}
    ... on AnnouncedAdvanceShipNotice {{ replayed accepted refused
      results {{ index identifier accepted status problem {{ code }} }}
      advanceShipNotice {DELIVERY} }} }} }}"""
CLOSE = f"""mutation($key: String!, $id: ID!, $giveUp: Boolean!, $owner: String) {{
  done: closeAdvanceShipNotice(idempotencyKey: $key, id: $id, giveUp: $giveUp, owner: $owner) {{
    __typename {PROBLEM}
    ... on ClosedAdvanceShipNotice {{ replayed advanceShipNotice {DELIVERY} }} }} }}"""
RECEIVE = f"""mutation($key: String!, $units: [ArrivalInput!]!,
  $delivery: AdvanceShipNoticeReference) {{
  done: receiveUnits(idempotencyKey: $key, units: $units, location: "WH",
    advanceShipNotice: $delivery)
  {RESULTS} }}"""
COMMISSION = f"""mutation($key: String!, $units: [ArrivalInput!]!, $point: RecordOrigin!,
    $location: String) {{
  done: commissionUnits(idempotencyKey: $key, units: $units, point: $point, location: $location)
  {RESULTS} }}"""
LABEL = """mutation($key: String!, $count: Int!, $product: String! = "SAW") {
  done: labelUnits(idempotencyKey: $key, product: $product, count: $count, location: "WH",
    supplier: "BOLT") { __typename ... on Problem { code }
    ... on CommandResult { replayed accepted results { identifier
      unit { serial origin supplier label(format: SVG_QR) { content mediaType } } } } } }"""
UNIT = """query($i: String!) { unit(identifier: $i) { serial origin condition supplier purchaseOrder
  advanceShipNoticeId receivedAt lot location { code } history { action details } } }"""
SWEEP = """query($reads: [String!]!, $product: String) { readTags(reads: $reads, product:
    $product) {
  reads known tags { read times code gtin serial sku unit { serial status } } } }"""
LINES = [
    {"ref": "1", "product": "CAM", "quantity": 3, "serials": ["A-1", "A-2"]},
    {"ref": "2", "product": "LENS", "quantity": 1},
]
ASN = {"supplier": "ACME", "ref": "ASN-1"}


async def announce(caller: Caller, key: str = "a-1", **changes: Any) -> Any:
    return (await caller.ask(ANNOUNCE, **({"key": key, "lines": LINES} | ASN | changes)))["done"]


def cams(*serials: str) -> list[dict[str, str]]:
    return [{"serial": serial, "product": "CAM"} for serial in serials]


@pytest.mark.req("R6")
def test_a_delivery_is_announced_received_checked_and_closed(world: World) -> None:
    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        made = await announce(ops)
        assert (made["accepted"], made["refused"], made["replayed"]) == (2, 0, False)
        delivery = made["advanceShipNotice"]
        assert (delivery["purchaseOrder"], delivery["expectedOn"], delivery["state"]) == (
            "PO-7", "2026-11-03", "OPEN",
        )  # fmt: skip
        done = await ops.ask(RECEIVE, key="r-1", units=cams("A-1", "A-3", "A-4"), delivery=ASN)
        assert [each["status"] for each in done["done"]["results"]] == ["RECEIVED"] * 3
        asked = (
            f"query($s: String, $r: String) {{ "
            f"advanceShipNotice(supplier: $s, ref: $r) {DELIVERY} }}"
        )
        found = (await ops.ask(asked, s="ACME", r="ASN-1"))["advanceShipNotice"]["check"]
        assert found["matched"] == {"count": 2, "serials": ["A-1", "A-3"]}
        assert found["short"] == {"count": 1, "serials": ["A-2"]}
        assert found["unexpected"] == {"count": 1, "serials": ["A-4"]}
        assert (found["missing"], found["over"]["count"]) == (2, 0)
        assert [line["missing"] for line in found["lines"]] == [1, 1]
        given = {"key": "c-1", "id": delivery["id"], "giveUp": True, "owner": "dock"}
        closed = (await ops.ask(CLOSE, **given))["done"]
        assert (closed["advanceShipNotice"]["state"], closed["replayed"]) == ("CLOSED", False)
        assert (await ops.ask(CLOSE, **given))["done"]["replayed"] is True
        again = (await ops.ask(CLOSE, **(given | {"key": "c-2"})))["done"]
        assert again["code"] == "STEP_NOT_ALLOWED"
        (case,) = (await ops.ask("{ cases { nodes { kind owner details } } }"))["cases"]["nodes"]
        assert (case["kind"], case["owner"]) == ("DELIVERY_VARIANCE", "dock")
        assert (case["details"]["short"], case["details"]["missing"]) == (["A-2"], 2)
        await announce(ops, "a-2", ref="ASN-2", lines=[LINES[1]])
        listed = """query($f: Int!, $a: String, $s: AdvanceShipNoticeState) {
          advanceShipNotices(first: $f, after: $a, state: $s) {
            nodes { ref } pageInfo { hasNextPage endCursor } } }"""
        first = (await ops.ask(listed, f=1))["advanceShipNotices"]
        assert (first["nodes"], first["pageInfo"]["hasNextPage"]) == ([{"ref": "ASN-1"}], True)
        after = first["pageInfo"]["endCursor"]
        assert (await ops.ask(listed, f=1, a=after))["advanceShipNotices"]["nodes"] == [
            {"ref": "ASN-2"}
        ]
        assert (await ops.ask(listed, f=9, s="OPEN"))["advanceShipNotices"]["nodes"] == [
            {"ref": "ASN-2"}
        ]

    play(world, story)


@pytest.mark.req("R6", "R22")
def test_announcing_again_answers_the_same_and_what_is_wrong_changes_nothing(
    world: World,
) -> None:
    world.receive("A-2")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        made = await announce(ops)
        assert [each["problem"] for each in made["results"]] == [
            None, {"code": "DUPLICATE_SERIAL"},
        ]  # fmt: skip
        before = dump(world)
        again = await announce(ops)
        assert again["replayed"] is True
        assert again["results"] == made["results"]
        assert (await announce(ops, "a-2"))["field"] == "ref"
        assert (await announce(ops, supplier="BOLT"))["code"] == "IDEMPOTENCY_KEY_REUSED"
        gone = [LINES[0] | {"product": "NONE"}]
        assert (await announce(ops, "a-3", ref="X", lines=gone))["code"] == "UNKNOWN_REFERENCE"
        scanner = await hub.caller(Scope.SCANNER)
        assert (await announce(scanner, "a-4", ref="X"))["code"] == "FORBIDDEN"
        wrong = {"supplier": "ACME", "ref": "ASN-9"}
        done = await scanner.ask(RECEIVE, key="r-1", units=cams("A-1"), delivery=wrong)
        assert done["done"]["code"] == "UNKNOWN_REFERENCE"
        missing = await ops.error('{ advanceShipNotice(id: "none") { ref } }')
        assert missing["code"] == "UNKNOWN_REFERENCE"
        assert (await ops.error("{ advanceShipNotice { ref } }"))["field"] == "ref"
        shop = await hub.caller(Scope.STOREFRONT)
        assert (await shop.error("{ advanceShipNotices { nodes { ref } } }"))["code"] == "FORBIDDEN"
        named = {"key": "c-1", "id": "none", "giveUp": False}
        assert (await ops.ask(CLOSE, **named))["done"]["code"] == "UNKNOWN_REFERENCE"
        assert (await ops.ask(CLOSE, **(named | {"owner": ""})))["done"]["field"] == "owner"
        assert dump(world) == before

    play(world, story)


@pytest.mark.req("R2", "R42", "R45", "R4", "R5")
def test_a_unit_is_commissioned_and_received_with_all_that_is_known_of_it(world: World) -> None:
    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        unit = {
            "serial": "M-1", "product": "CAM", "batch": "B-4", "testedOn": "2026-03-04",
            "history": [{"what": "burn-in", "on": "2026-03-03", "reference": "T-9"}],
        }  # fmt: skip
        given = {"key": "k-1", "units": [unit], "point": "MANUFACTURING"}
        (verdict,) = (await scanner.ask(COMMISSION, **given))["done"]["results"]
        assert verdict["status"] == "EXPECTED"
        assert (await scanner.ask(COMMISSION, **given))["done"]["replayed"] is True
        arrival = {
            "serial": "M-1", "product": "CAM", "supplier": "ACME", "purchaseOrder": "PO-7",
            "lot": "L7", "condition": "REFURBISHED",
        }  # fmt: skip
        await scanner.ask(RECEIVE, key="r-1", units=[arrival])
        shown = (await scanner.ask(UNIT, i="M-1"))["unit"]
        kept = ("origin", "condition", "supplier", "purchaseOrder", "lot", "advanceShipNoticeId")
        assert [shown[name] for name in kept] == [
            "MANUFACTURING", "REFURBISHED", "ACME", "PO-7", "L7", None,
        ]  # fmt: skip
        assert (shown["receivedAt"], shown["location"]["code"]) == (world.now.isoformat(), "WH")
        commission = shown["history"][0]
        assert (commission["action"], commission["details"]["batch"]) == ("COMMISSION", "B-4")
        assert commission["details"]["history"][0]["reference"] == "T-9"
        for point, location, field in (
            ("LABELLING", None, "location"),
            ("RECEIVING", "WH", "point"),
            ("UNSERIALIZED_STOCK", "WH", "point"),
            ("LABELLING", "CUSTOMER", "location"),
        ):
            refused = await scanner.ask(
                COMMISSION, key="k-2", units=cams("M-2"), point=point, location=location
            )
            assert (refused["done"]["code"], refused["done"]["field"]) == ("INVALID_INPUT", field)
        shop = await hub.caller(Scope.POS)
        assert (await shop.ask(COMMISSION, **given))["done"]["code"] == "FORBIDDEN"

    play(world, story)


@pytest.mark.req("R32", "R2")
def test_units_without_a_serial_are_labelled_in_one_call(world: World) -> None:
    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        made = (await scanner.ask(LABEL, key="l-1", count=2))["done"]
        assert made["accepted"] == 2
        for verdict in made["results"]:
            unit = verdict["unit"]
            assert (unit["serial"], unit["origin"]) == (verdict["identifier"], "LABELLING")
            assert (unit["supplier"], unit["label"]["mediaType"]) == ("BOLT", "image/svg+xml")
            found = await scanner.ask(UNIT, i=unit["label"]["content"])
            assert found["unit"]["serial"] == unit["serial"]
        again = (await scanner.ask(LABEL, key="l-1", count=2))["done"]
        assert (again["replayed"], again["results"]) == (True, made["results"])
        assert world.value("SELECT COUNT(*) FROM unit") == 2
        assert (await scanner.ask(LABEL, key="l-2", count=0))["done"]["code"] == "INVALID_INPUT"

    play(world, story)


@pytest.mark.req("R13")
def test_one_sweep_tells_many_tags_and_they_are_received_as_they_are(world: World) -> None:
    tags = [epc.encode(epc.of_gtin("04006381333931", str(n), 7)) for n in range(1, 401)]

    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        units = [{"serial": tag} for tag in tags[:200]]
        done = (await scanner.ask(RECEIVE, key="r-1", units=units))["done"]
        assert done["accepted"] == 200
        before = dump(world)
        found = (await scanner.ask(SWEEP, reads=tags * 10, product="CAM"))["readTags"]
        assert (found["reads"], found["known"], len(found["tags"])) == (4_000, 200, 400)
        assert found["tags"][0] == {
            "read": tags[0], "times": 10, "code": "OK", "gtin": "04006381333931", "serial": "1",
            "sku": "CAM", "unit": {"serial": "1", "status": "RECEIVED"},
        }  # fmt: skip
        assert (found["tags"][399]["code"], found["tags"][399]["unit"]) == ("UNKNOWN_UNIT", None)
        assert dump(world) == before
        done = await scanner.command(
            "putAwayUnits", tags[:200], key="p-1", location="WH-A1", context={"capturedBy": "RFID"}
        )
        assert done["accepted"] == 200
        assert (await scanner.error(SWEEP, reads=[]))["field"] == "reads"
        shop = await hub.caller(Scope.STOREFRONT)
        assert (await shop.error(SWEEP, reads=["1"]))["code"] == "FORBIDDEN"

    play(world, story)
