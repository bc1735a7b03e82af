"""Recalls and people over the API: previewed, opened, followed, closed; kept and erased."""

from typing import Any

import pytest

from api_client import RESULTS, Caller, Hub, dump, play
from hub.access.keys import Scope
from recalling import sell
from world import World

PROBLEM = "... on Problem { code message }"
RECALL = """{ ref title state product describes predicate channel openedBy closedBecause
  containment { total { affected onHand blocked sold located missing destroyed returned resolved
    open } byChannel { channel affected blocked sold resolved } } }"""
OPEN = f"""mutation($key: String!, $ref: String! = "R-1", $predicate: RecallPredicateInput!) {{
  done: openRecall(idempotencyKey: $key, ref: $ref, title: "Fire", predicate: $predicate) {{
    __typename {PROBLEM} ... on RecallChange {{ commandId replayed recall {RECALL} }} }} }}"""
CLOSE = f"""mutation($key: String!, $force: Boolean! = false, $reason: String) {{
  done: closeRecall(idempotencyKey: $key, ref: "R-1", force: $force, reason: $reason) {{
    __typename {PROBLEM} ... on RecallChange {{ replayed recall {RECALL} }} }} }}"""
RESOLVE = f"""mutation($key: String!, $units: [UnitInput!]!, $how: RecallResolution!) {{
  done: resolveRecallUnits(idempotencyKey: $key, ref: "R-1", units: $units, resolution: $how)
  {RESULTS} }}"""
PREVIEW = """query($predicate: RecallPredicateInput!) { previewRecall(predicate: $predicate) {
    affected ofProducts customers statuses { status units } places { location units }
    channels { channel units } products { sku affected units } }
  previewRecallUnits(predicate: $predicate, first: 2) {
    nodes { serial } pageInfo { hasNextPage } } }"""
UNITS = """query($first: Int! = 50, $after: String, $channel: String, $open: Boolean! = false) {
  recall(ref: "R-1") { units(first: $first, after: $after, channel: $channel, openOnly: $open) {
    nodes { why channel orderNumber customerRef returnedAt resolution resolvedBy statusWhenCaught
      unit { serial status disposition isBlocked location { code } } }
    pageInfo { hasNextPage endCursor } } } }"""
RANGE = {"products": ["CAM"], "ranges": [{"first": "A-1", "last": "A-4"}]}


def unit(serial: str) -> dict[str, str]:
    return {"identifier": serial}


def stocked(world: World) -> None:
    """Five cameras, of which c-1 bought two."""
    shop = world.channel("pos", "square")
    world.receive(*(f"A-{number}" for number in range(1, 6)))
    sell(world, shop, "o-1", "A-1", "A-2", customer="c-1")


async def opened(ops: Caller, key: str = "o-1", **more: Any) -> Any:
    return (await ops.ask(OPEN, **({"key": key, "predicate": RANGE} | more)))["done"]


@pytest.mark.req("R111", "R115", "R121")
def test_a_recall_is_seen_before_it_is_opened(world: World) -> None:
    stocked(world)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, name="olga")
        before = dump(world)
        seen = await ops.ask(PREVIEW, predicate=RANGE)
        assert seen["previewRecall"] == {
            "affected": 4,
            "ofProducts": 5,
            "customers": 1,
            "statuses": [{"status": "IN_STOCK", "units": 2}, {"status": "SOLD", "units": 2}],
            "places": [{"location": "CUSTOMER", "units": 2}, {"location": "WH", "units": 2}],
            "channels": [{"channel": "pos", "units": 2}, {"channel": None, "units": 2}],
            "products": [{"sku": "CAM", "affected": 4, "units": 5}],
        }
        assert [each["serial"] for each in seen["previewRecallUnits"]["nodes"]] == ["A-1", "A-2"]
        assert seen["previewRecallUnits"]["pageInfo"]["hasNextPage"] is True
        assert dump(world) == before
        nothing = await ops.error(PREVIEW, predicate={})
        assert nothing["code"] == "INVALID_INPUT"
        deep = {"any": [{"lots": ["L"]}, {"component": {"suppliers": ["S"]}}]}
        assert (await ops.ask(PREVIEW, predicate=deep))["previewRecall"]["affected"] == 0
        dated = {
            "producedFrom": "2026-01-01",
            "receivedFrom": "2026-01-01T00:00:00Z",
            "manufacturer": "ACME",
        }
        assert (await ops.ask(PREVIEW, predicate=dated))["previewRecall"]["affected"] == 0

    play(world, story)


@pytest.mark.req("R115", "R116", "R117", "R119", "R120")
def test_a_recall_is_opened_followed_and_closed(world: World) -> None:
    stocked(world)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, name="olga")
        done = await opened(ops)
        recall = done["recall"]
        assert (done["replayed"], recall["state"], recall["product"]) == (False, "open", "CAM")
        assert recall["describes"] == "product CAM; serials A1 to A4"
        assert recall["containment"]["total"] | {"located": 4} == {
            "affected": 4, "onHand": 2, "blocked": 2, "sold": 2, "located": 4, "missing": 0,
            "destroyed": 0, "returned": 0, "resolved": 0, "open": 4,
        }  # fmt: skip
        after = dump(world)
        assert (await opened(ops))["replayed"] is True
        assert (await opened(ops, "o-2"))["code"] == "INVALID_INPUT"
        assert (await opened(ops, "o-1", ref="R-9"))["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert dump(world) == after
        first = (await ops.ask(UNITS, first=3))["recall"]["units"]
        assert first["pageInfo"]["hasNextPage"] is True
        rest = await ops.ask(UNITS, first=3, after=first["pageInfo"]["endCursor"])
        nodes = first["nodes"] + rest["recall"]["units"]["nodes"]
        assert [each["unit"]["serial"] for each in nodes] == ["A-1", "A-2", "A-3", "A-4"]
        assert (nodes[0]["channel"], nodes[0]["orderNumber"], nodes[0]["customerRef"]) == (
            "pos", "#o-1", "pos:c-1",
        )  # fmt: skip
        assert nodes[2]["unit"] == {
            "serial": "A-3", "status": "IN_STOCK", "disposition": "RECALLED", "isBlocked": True,
            "location": {"code": "WH"},
        }  # fmt: skip
        sold = (await ops.ask(UNITS, channel="pos"))["recall"]["units"]["nodes"]
        assert [each["unit"]["serial"] for each in sold] == ["A-1", "A-2"]
        refused = (await ops.ask(CLOSE, key="c-1"))["done"]
        assert refused["code"] == "STEP_NOT_ALLOWED"
        await ops.command(
            "acceptReturns", ["A-1"], key="r-1", location="RETURNS", reason="recalled"
        )
        given = {"key": "s-1", "units": [unit("A-1"), unit("A-5")], "how": "REPAIRED"}
        resolved = (await ops.ask(RESOLVE, **given))["done"]
        assert [each["accepted"] for each in resolved["results"]] == [True, False]
        assert resolved["results"][1]["problem"]["code"] == "UNKNOWN_REFERENCE"
        assert (await ops.ask(RESOLVE, **given))["done"]["replayed"] is True
        (row,) = [
            each
            for each in (await ops.ask(UNITS))["recall"]["units"]["nodes"]
            if each["unit"]["serial"] == "A-1"
        ]
        assert (row["resolution"], row["resolvedBy"], row["unit"]["isBlocked"]) == (
            "REPAIRED", "olga", False,
        )  # fmt: skip
        assert row["returnedAt"] is not None
        left = (await ops.ask(UNITS, open=True))["recall"]["units"]["nodes"]
        assert len(left) == 3
        closed = (await ops.ask(CLOSE, key="c-2", force=True, reason="merged into R-2"))["done"]
        assert closed["recall"]["closedBecause"] == "merged into R-2"
        listed = "query($s: String) { recalls(state: $s) { nodes { ref state } } }"
        assert (await ops.ask(listed, s="open"))["recalls"]["nodes"] == []
        assert (await ops.ask(listed))["recalls"]["nodes"] == [{"ref": "R-1", "state": "closed"}]
        of_unit = '{ unitRecalls(identifier: "A-1") { recall resolution why } }'
        (found,) = (await ops.ask(of_unit))["unitRecalls"]
        assert (found["recall"], found["resolution"]) == ("R-1", "REPAIRED")
        assert (await ops.ask('{ recall(ref: "NONE") { ref } }'))["recall"] is None

    play(world, story)


def test_only_who_answers_for_it_opens_a_recall_or_sees_people(world: World) -> None:
    stocked(world)

    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        before = dump(world)
        assert (await opened(scanner))["code"] == "FORBIDDEN"
        given = {"key": "s-1", "units": [unit("A-1")], "how": "CLEARED"}
        assert (await scanner.ask(RESOLVE, **given))["done"]["code"] == "FORBIDDEN"
        assert (await scanner.ask(CLOSE, key="c-1"))["done"]["code"] == "FORBIDDEN"
        assert (await scanner.error(PREVIEW, predicate=RANGE))["code"] == "FORBIDDEN"
        assert (await scanner.error('{ person(ref: "c-1") { ref } }'))["code"] == "FORBIDDEN"
        nobody = await hub.caller(Scope.STOREFRONT)
        assert (await nobody.error('{ recall(ref: "R-1") { ref } }'))["code"] == "FORBIDDEN"
        assert dump(world) == before

    play(world, story)


PUT = f"""mutation($key: String!, $email: String, $ref: String! = "c-1") {{
  done: upsertContact(idempotencyKey: $key, ref: $ref, name: "Ann", email: $email) {{ __typename
    {PROBLEM} ... on PersonChange {{ replayed person {{ ref reachable erasedAt }} }} }} }}"""
ERASE = f"""mutation($key: String!, $ref: String! = "c-1") {{
  done: erasePerson(idempotencyKey: $key, ref: $ref, reason: "asked for it") {{ __typename
    {PROBLEM} ... on PersonChange {{ replayed person {{
      ref reachable erasedAt erasedBy erasedBecause }} }} }} }}"""
CONTACT = '{ person(ref: "c-1") { ref reachable contact { name email phone language } } }'


def test_a_person_is_kept_shown_to_few_and_erased_for_good(world: World) -> None:
    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, name="olga")
        kept = (await ops.ask(PUT, key="p-1", email="ann@example.org"))["done"]
        assert kept["person"] == {"ref": "c-1", "reachable": True, "erasedAt": None}
        assert (await ops.ask(PUT, key="p-1", email="ann@example.org"))["done"]["replayed"]
        other = (await ops.ask(PUT, key="p-1", email="eve@example.org"))["done"]
        assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert (await ops.ask(PUT, key="p-2", email="none"))["done"]["code"] == "INVALID_INPUT"
        assert (await ops.error(CONTACT))["code"] == "FORBIDDEN"
        admin = await hub.caller(Scope.ADMIN)
        assert (await admin.ask(CONTACT))["person"]["contact"] == {
            "name": "Ann", "email": "ann@example.org", "phone": None, "language": "en",
        }  # fmt: skip
        assert (await ops.ask(ERASE, key="e-0", ref="c-9"))["done"]["code"] == "UNKNOWN_REFERENCE"
        gone = (await ops.ask(ERASE, key="e-1"))["done"]["person"]
        assert (gone["reachable"], gone["erasedBy"], gone["erasedBecause"]) == (
            False, "olga", "asked for it",
        )  # fmt: skip
        assert (await ops.ask(ERASE, key="e-1"))["done"]["replayed"] is True
        assert (await ops.ask(ERASE, key="e-2"))["done"]["code"] == "STEP_NOT_ALLOWED"
        assert (await admin.ask(CONTACT))["person"]["contact"] is None
        again = (await ops.ask(PUT, key="p-3", email="ann@example.org"))["done"]
        assert again["code"] == "STEP_NOT_ALLOWED"
        unknown = await ops.error('{ person(ref: "c-9") { ref } }')
        assert unknown["code"] == "UNKNOWN_REFERENCE"

    play(world, story)


EDGES = """query($p: RecallPredicateInput!) { edges: previewRecallEdges(predicate: $p) {
  first { serial } last { serial } nearestBefore { serial } nearestAfter { serial } } }"""


def test_the_edges_of_a_recall_are_previewed(world: World) -> None:
    world.receive("A-1", "A-2", "A-9", "A-10", "A-11", "A-12")
    world.receive("A-3", sku="SAW")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)

        async def edges(**predicate: Any) -> list[str | None]:
            found = (await ops.ask(EDGES, p=predicate))["edges"]
            return [each and each["serial"] for each in found.values()]

        assert await edges(products=["CAM"], ranges=[{"first": "A-2", "last": "A-11"}]) == [
            "A-2", "A-11", "A-1", "A-12",
        ]  # fmt: skip
        assert await edges(prefixes=["A-1"]) == ["A-1", "A-12", None, None]
        assert await edges(serials=["A-1", "A-12"]) == ["A-1", "A-12", None, None]
        assert await edges(patterns=["A-#"], products=["CAM"]) == ["A-1", "A-9", None, "A-10"]
        segment = {"start": 2, "first": "10", "last": "11"}
        assert await edges(segments=[segment]) == ["A-10", "A-11", "A-9", "A-12"]
        assert await edges(prefixes=["Z"]) == [None] * 4
        wrong = await ops.error(EDGES, p={"ranges": [{"first": "A-1", "last": "B-22"}]})
        assert wrong["code"] == "INVALID_INPUT"
        pos = await hub.caller(Scope.POS)
        assert (await pos.error(EDGES, p={"prefixes": ["A"]}))["code"] == "FORBIDDEN"

    play(world, story)
