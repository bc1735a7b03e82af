"""Serialization over the API: tracking is switched on, and old stock read as it moves."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api_client import Caller, Hub, dump, play
from hub.access.keys import Scope
from hub.proof import conservation
from world import World

CATALOGUE = """mutation { registerCatalogue(idempotencyKey: "NEW", products: [
  {sku: "OLD", name: "Old", manufacturer: "ACME", tracking: NONE, category: "optics",
   value: 50000, currency: "EUR", traits: [THEFT_RISK]},
  {sku: "LOW", name: "Low", manufacturer: "ACME", tracking: NONE, value: 100, currency: "EUR"}])
  { __typename } }"""
ANSWER = """{ __typename ... on TrackingStarted { skus replayed }
  ... on Problem { code message } }"""
START = f"""mutation($key: String!, $sku: String!, $stock: [UnserializedStockInput!],
    $reason: String!) {{
  done: startTracking(idempotencyKey: $key, sku: $sku, stock: $stock,
    reason: $reason) {ANSWER} }}"""
PHASE = f"""mutation($key: String!, $category: String, $value: Int, $currency: String,
    $stock: [ProductStockInput!]) {{
  done: startTrackingPhase(idempotencyKey: $key, category: $category, valueFrom: $value,
    currency: $currency, stock: $stock, reason: "phase") {ANSWER} }}"""
STOCK = """query($sku: String, $first: Int! = 50, $after: String) {
  stock: unserializedStock(sku: $sku, first: $first, after: $after) {
    nodes { sku location quantity reason trackedSince } pageInfo { hasNextPage endCursor } } }"""
FIRST = """query($by: SerializationOrder!) { serializationPriorities(by: $by) {
  sku unread value currency traits tracking trackedSince category } }"""
MOVE = """mutation($key: String!, $units: [UnitInput!]!) {
  done: moveUnits(idempotencyKey: $key, units: $units, location: "WH-A1") { ... on CommandResult {
    replayed accepted results { problem { code message }
      unit { serial origin historyGap location { code } } } } } }"""
CAPTURE = """mutation($key: String!, $units: [ArrivalInput!]!) {
  done: captureUnserializedStock(idempotencyKey: $key, units: $units, location: "WH") { ... on
    CommandResult {
    replayed results { problem { code } unit { status historyGap } } } } }"""
GAP = 'query { unit(identifier: "NEW-1") { historyGap } }'
SALE = """mutation($key: String!, $units: [UnitInput!]!) {
  done: sellUnits(idempotencyKey: $key, units: $units, receipt: "R-1") { ... on CommandResult {
    accepted results { problem { code } unit { status origin } } } } }"""


def as_ops(world: World, story: Callable[[Caller], Awaitable[None]]) -> None:
    async def told(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        await admin.ask(CATALOGUE)
        await story(await hub.caller(Scope.OPS, Scope.POS, name="olga"))

    play(world, told)
    assert world.read(conservation.check).breaches == ()


def stock(**places: int) -> list[dict[str, Any]]:
    return [{"location": code, "quantity": quantity} for code, quantity in places.items()]


@pytest.mark.req("R202")
def test_tracking_is_switched_on_once_for_its_key(world: World) -> None:
    async def story(ops: Caller) -> None:
        given = {"key": "k-1", "sku": "OLD", "stock": stock(WH=2, SHOP=1), "reason": "phase 1"}
        first = await ops.ask(START, **given)
        assert first["done"] == {
            "__typename": "TrackingStarted",
            "skus": ["OLD"],
            "replayed": False,
        }
        again = await ops.ask(START, **given)
        assert again["done"]["replayed"] is True
        other = await ops.ask(START, **given | {"reason": "else"})
        assert other["done"]["code"] == "IDEMPOTENCY_KEY_REUSED"
        more = await ops.ask(START, **given | {"key": "k-2", "stock": stock(WH=3)})
        assert more["done"]["code"] == "NOT_ENOUGH_STOCK"
        page = (await ops.ask(STOCK, first=1))["stock"]
        assert page["pageInfo"]["hasNextPage"] is True
        rest = (await ops.ask(STOCK, after=page["pageInfo"]["endCursor"], sku="OLD"))["stock"]
        nodes = [*page["nodes"], *rest["nodes"]]
        assert {node["location"]: node["quantity"] for node in nodes} == {"WH": 2, "SHOP": 1}
        assert nodes[0]["reason"] == "phase 1"
        assert nodes[0]["trackedSince"].startswith("2026-11-02")

    as_ops(world, story)


@pytest.mark.req("R203", "R206")
def test_what_is_dear_comes_first_and_phases_go_by_category_and_value(world: World) -> None:
    async def story(ops: Caller) -> None:
        listed = (await ops.ask(FIRST, by="RISK"))["serializationPriorities"]
        assert [each["sku"] for each in listed] == ["OLD", "LOW"]
        assert listed[0]["traits"] == ["THEFT_RISK"]
        assert listed[0]["trackedSince"] is None
        there = [{"sku": "OLD", "location": "WH", "quantity": 4}]
        dear = await ops.ask(PHASE, key="k-1", value=1_000, currency="EUR", stock=there)
        assert dear["done"]["skus"] == ["OLD"]
        again = await ops.ask(PHASE, key="k-2", category="optics")
        assert again["done"]["skus"] == []  # its serials are kept by now
        bad = await ops.ask(PHASE, key="k-3")
        assert bad["done"]["code"] == "INVALID_INPUT"
        listed = (await ops.ask(FIRST, by="WORTH"))["serializationPriorities"]
        assert [(each["sku"], each["unread"]) for each in listed] == [("OLD", 4), ("LOW", 0)]

    as_ops(world, story)


@pytest.mark.req("R204", "R207")
def test_a_scan_of_old_stock_makes_its_record_and_marks_the_gap(world: World) -> None:
    world.receive("NEW-1")

    async def story(ops: Caller) -> None:
        await ops.ask(START, key="s", sku="OLD", stock=stock(WH=2, SHOP=2), reason="phase 1")
        units = [{"identifier": "SN-1", "sku": "OLD"}, {"identifier": "SN-2"}]
        first = (await ops.ask(MOVE, key="k-1", units=units))["done"]
        moved, unknown = first["results"]
        assert moved["unit"] == {
            "serial": "SN-1",
            "origin": "UNSERIALIZED_STOCK",
            "historyGap": "history before 2026-11-02 is unknown",
            "location": {"code": "WH-A1"},
        }
        assert unknown["problem"]["code"] == "UNKNOWN_UNIT"
        assert (await ops.ask(MOVE, key="k-1", units=units))["done"]["replayed"] is True
        assert (await ops.ask(GAP))["unit"]["historyGap"] is None
        unit = {"identifier": "SN-3", "sku": "OLD"}
        where = (await ops.ask(SALE, key="k-2", units=[unit]))["done"]["results"][0]
        assert where["problem"]["code"] == "INVALID_INPUT"  # two places have some
        sold = (await ops.ask(SALE, key="k-2", units=[unit | {"at": "SHOP"}]))["done"]
        # A refused verdict is an answer: its key is used.
        assert sold.get("accepted") is None
        sold = (await ops.ask(SALE, key="k-3", units=[unit | {"at": "SHOP"}]))["done"]
        assert sold["results"][0]["unit"] == {"status": "SOLD", "origin": "UNSERIALIZED_STOCK"}

    as_ops(world, story)
    left = world.rows("SELECT quantity FROM unserialized_stock")
    assert [row["quantity"] for row in left] == [1, 1]


@pytest.mark.req("R204")
def test_old_stock_is_read_where_it_lies_once_for_its_key(world: World) -> None:
    async def story(ops: Caller) -> None:
        await ops.ask(START, key="s", sku="OLD", stock=stock(WH=1), reason="phase 1")
        units = [{"serial": serial, "product": "OLD"} for serial in ("SN-1", "SN-2")]
        for replayed in (False, True):
            done = (await ops.ask(CAPTURE, key="k-1", units=units))["done"]
            assert done["replayed"] is replayed
            commission, refused = done["results"]
            assert commission["unit"]["status"] == "IN_STOCK"
            assert "unknown" in commission["unit"]["historyGap"]
            assert refused["problem"]["code"] == "NOT_ENOUGH_STOCK"

    as_ops(world, story)


def test_each_question_and_command_needs_its_scope(world: World) -> None:
    async def story(hub: Hub) -> None:
        pos = await hub.caller(Scope.POS)
        before = dump(world)
        done = await pos.ask(START, key="k", sku="CAM", stock=stock(WH=1), reason="r")
        assert done["done"]["code"] == "FORBIDDEN"
        assert (await pos.ask(PHASE, key="k", category="x"))["done"]["code"] == "FORBIDDEN"
        for question, given in ((STOCK, {}), (FIRST, {"by": "RISK"})):
            assert (await pos.error(question, **given))["code"] == "FORBIDDEN"
        assert dump(world) == before

    play(world, story)
