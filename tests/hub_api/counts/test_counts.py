"""Counts over the API: from opening to closing, by several people, each command once."""

from collections.abc import Awaitable, Callable, Iterator

import pytest
from graphql import GraphQLInputObjectType, GraphQLNamedType, build_schema, get_named_type

from api_client import Caller, Hub, dump, play
from hub.access.keys import Scope
from hub.lifecycle import Action
from hub.proof import conservation
from hub_api.schema import schema
from world import World

OPEN = """mutation($key: String!, $ref: String!, $location: String!, $blind: Boolean! = false,
    $product: String, $category: String, $value: Int) {
  done: openCount(idempotencyKey: $key, ref: $ref, location: $location, blind: $blind,
    product: $product, category: $category, valueFrom: $value) { __typename
    ... on StockCount { ref location state blind openedBy category valueFrom }
    ... on Problem { code message } } }"""
COUNT = """mutation($key: String!, $units: [UnitInput!]!, $location: String) {
  done: countUnits(idempotencyKey: $key, ref: "C-1", units: $units, location: $location) {
    __typename ... on Counted { replayed results { index identifier answer problem { code } } }
    ... on Problem { code message } } }"""
COMPARE = """mutation($key: String!) { done: compareCount(idempotencyKey: $key, ref: "C-1") {
  __typename ... on Problem { code message } ... on StockCount { state
    tally { confirmed missing unexpected misplaced accuracy }
    results { nodes { subject identifier kind expectedAt foundAt conflict promisedTo state reason
      lastSeen { at location by action } readings { location counter } unit { serial status } } }
  } } }"""
ADJUST = """mutation($key: String!, $reason: String!, $subjects: [String!], $kind: CountKind) {
  done: adjustCount(idempotencyKey: $key, ref: "C-1", reason: $reason, subjects: $subjects,
    kind: $kind) { __typename
    ... on Adjustment { replayed results { identifier kind action case problem { code } } }
    ... on Problem { code message } } }"""
CLOSE = """mutation($key: String!, $reason: String) {
  done: closeCount(idempotencyKey: $key, ref: "C-1", reason: $reason) { __typename
    ... on StockCount { state closedAt } ... on Problem { code message } } }"""
CANCEL = """mutation($key: String!) { done: cancelCount(idempotencyKey: $key, ref: "C-1") {
  __typename ... on StockCount { state } ... on Problem { code message } } }"""
COUNTS = """query($state: String, $location: String) {
  stockCounts(state: $state, location: $location) { nodes { ref } }
  countAccuracy(location: "WH") { drift counts { ref tally { accuracy } } } }"""
ONE = 'query { stockCount(ref: "C-1") { ref state } }'


def as_ops(world: World, story: Callable[[Caller], Awaitable[None]]) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(Scope.OPS, name="olga"))

    play(world, told)
    assert world.read(conservation.check).breaches == ()


def units(*serials: str) -> list[dict[str, str]]:
    return [{"identifier": serial} for serial in serials]


@pytest.mark.req("R61", "R62", "R64", "R65", "R66")
def test_a_count_goes_from_opening_to_closing(world: World) -> None:
    world.receive("SN-1", "SN-2")
    world.receive("SN-3", place="SHOP")

    async def story(ops: Caller) -> None:
        for _ in range(2):
            done = (await ops.ask(OPEN, key="o", ref="C-1", location="WH"))["done"]
            assert (done["state"], done["openedBy"]) == ("open", "olga")
        world.pass_time(minutes=1)
        answers = []
        for _ in range(2):
            given = units("SN-1", "SN-3", "NOBODY-9", "")
            done = (await ops.ask(COUNT, key="c", units=given))["done"]
            answers.append(done.pop("replayed"))
            assert [each["answer"] for each in done["results"]] == [
                "EXPECTED",
                "MISPLACED",
                "UNEXPECTED",
                None,
            ]
            assert done["results"][3]["problem"]["code"] == "INVALID_BARCODE"
        assert answers == [False, True]
        compared = (await ops.ask(COMPARE, key="m"))["done"]
        assert compared["tally"] == {
            "confirmed": 1,
            "missing": 1,
            "unexpected": 1,
            "misplaced": 1,
            "accuracy": 0.25,
        }
        (missing,) = [row for row in compared["results"]["nodes"] if row["kind"] == "MISSING"]
        assert missing["lastSeen"]["by"] == "tester"
        assert missing["unit"] == {"serial": "SN-2", "status": "IN_STOCK"}
        untouched = dump(world)
        refused = (await ops.ask(ADJUST, key="a", reason=" ", kind="MISSING"))["done"]
        assert refused["code"] == "INVALID_INPUT"
        assert dump(world) == untouched
        for kind, action, case in (
            ("MISSING", "LOSE", None),
            ("MISPLACED", "RELOCATE", None),
            ("UNEXPECTED", None, "unknown_serial"),
        ):
            for replayed in (False, True):
                done = (await ops.ask(ADJUST, key=kind, reason="recount", kind=kind))["done"]
                (verdict,) = done["results"]
                assert done["replayed"] is replayed
                assert (verdict["action"], verdict["case"]) == (action, case)
        done = (await ops.ask(CLOSE, key="x"))["done"]
        assert (done["state"], done["closedAt"] is not None) == ("closed", True)
        late = (await ops.ask(COUNT, key="d", units=units("SN-2")))["done"]
        assert late["code"] == "STEP_NOT_ALLOWED"
        found = await ops.ask(COUNTS, state="closed", location="WH")
        assert found["stockCounts"]["nodes"] == [{"ref": "C-1"}]
        assert found["countAccuracy"] == {
            "drift": None,
            "counts": [{"ref": "C-1", "tally": {"accuracy": 0.25}}],
        }
        assert (await ops.ask(ONE))["stockCount"]["state"] == "closed"

    as_ops(world, story)
    assert world.unit("SN-2")["status"] == "missing"
    assert world.unit("SN-3")["location_code"] == "WH"


@pytest.mark.req("R63")
def test_a_blind_count_by_two_people_while_somebody_sells(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        anna = await hub.caller(Scope.SCANNER, name="anna")
        ben = await hub.caller(Scope.POS, name="ben")
        given = {"ref": "C-1", "location": "WH", "product": "CAM", "blind": True}
        assert (await ops.ask(OPEN, key="o", **given))["done"]["blind"]
        world.pass_time(minutes=1)
        for who, serial, place in ((anna, "SN-1", "WH"), (ben, "SN-1", "WH-A1")):
            done = (await who.ask(COUNT, key="c", units=units(serial), location=place))["done"]
            assert [each["answer"] for each in done["results"]] == ["NOTED"]
        await anna.ask(COUNT, key="e", units=units("SN-2"))
        (sold,) = (await ops.command("sellUnits", ["SN-3"], key="s", receipt="R-1"))["results"]
        assert sold["accepted"]
        compared = (await ops.ask(COMPARE, key="m"))["done"]
        rows = {row["identifier"]: row for row in compared["results"]["nodes"]}
        assert {name: row["kind"] for name, row in rows.items()} == {
            "SN-1": "MISPLACED",
            "SN-2": "CONFIRMED",
        }
        assert rows["SN-1"]["conflict"]
        assert [each["counter"] for each in rows["SN-1"]["readings"]] == ["anna", "ben"]

    play(world, story)


def test_who_counts_does_not_decide(world: World) -> None:
    async def story(hub: Hub) -> None:
        anna = await hub.caller(Scope.SCANNER)
        for document, given in (
            (OPEN, {"ref": "C-1", "location": "WH"}),
            (COMPARE, {}),
            (ADJUST, {"reason": "x", "kind": "MISSING"}),
            (CLOSE, {}),
            (CANCEL, {}),
        ):
            data = await anna.ask(document, key="k", **given)
            assert data["done"]["code"] == "FORBIDDEN"
        shop = await hub.caller(Scope.STOREFRONT)
        data = await shop.ask(COUNT, key="k", units=units("SN-1"))
        assert data["done"]["code"] == "FORBIDDEN"
        for document in (ONE, COUNTS):
            assert (await shop.error(document))["code"] == "FORBIDDEN"

    play(world, story)


def test_what_makes_no_sense_is_refused(world: World) -> None:
    async def story(ops: Caller) -> None:
        for given, code in (
            ({"ref": "", "location": "WH"}, "INVALID_INPUT"),
            ({"ref": "C-1", "location": "NOWHERE"}, "UNKNOWN_REFERENCE"),
            ({"ref": "C-1", "location": "CUSTOMER"}, "INVALID_INPUT"),
            ({"ref": "C-1", "location": "WH", "product": "NONE"}, "UNKNOWN_REFERENCE"),
            ({"ref": "C-1", "location": "WH", "value": -1}, "INVALID_INPUT"),
        ):
            assert (await ops.ask(OPEN, key="o", **given))["done"]["code"] == code
        data = await ops.ask(COUNT, key="c", units=units("SN-1"))
        assert data["done"]["code"] == "UNKNOWN_REFERENCE"
        await ops.ask(OPEN, key="o", ref="C-1", location="WH")
        taken = (await ops.ask(OPEN, key="p", ref="C-1", location="WH"))["done"]
        assert taken["code"] == "INVALID_INPUT"
        assert (await ops.ask(COUNT, key="c", units=[]))["done"]["code"] == "INVALID_INPUT"
        assert (await ops.ask(CLOSE, key="x"))["done"]["code"] == "STEP_NOT_ALLOWED"
        assert (await ops.ask(CANCEL, key="y"))["done"]["state"] == "cancelled"
        assert (await ops.ask(COMPARE, key="m"))["done"]["code"] == "STEP_NOT_ALLOWED"

    as_ops(world, story)


def inputs(kind: GraphQLNamedType, path: str, seen: frozenset[str]) -> Iterator[str]:
    if isinstance(kind, GraphQLInputObjectType) and kind.name not in seen:
        for name, field in kind.fields.items():
            below = get_named_type(field.type)
            yield f"{path}.{name}"
            yield from inputs(below, f"{path}.{name}", seen | {kind.name})


@pytest.mark.req("R57")
def test_no_command_takes_a_bare_quantity_of_a_serial_products_stock(world: World) -> None:
    root = build_schema(schema.as_str()).mutation_type
    assert root is not None
    paths = [
        path
        for name, field in root.fields.items()
        for argument, given in field.args.items()
        for path in (
            f"{name}.{argument}",
            *inputs(get_named_type(given.type), f"{name}.{argument}", frozenset()),
        )
    ]
    suspects = ("quantity", "onhand", "stocklevel", "delta", "adjustment", "available")
    found = {path for path in paths if path.rsplit(".")[-1].lower() in suspects}
    # None of these is stock: what is announced, what a repair used up, and the number of units of
    # which a case says that nobody read them. Stock from before serials were kept has none to name:
    # it is stated once, lies apart, and can only become less.
    elsewhere = {"announceShipment", "recordService", "reportUncapturedUnits"}
    # An ordered quantity is demand, and no stock.
    elsewhere |= {"startTracking", "startTrackingPhase", "placeOrder", "editOrder"}
    # So is a cart's: the hub answers with units that it chose.
    elsewhere |= {"reserve", "releaseReservation", "checkout"}
    # What is paid back is money for units, and moves none of them.
    elsewhere |= {"refundOrder"}
    assert {path.split(".")[0] for path in found} <= elsewhere


@pytest.mark.req("R57")
def test_every_movement_changes_the_place_of_each_unit_by_itself(world: World) -> None:
    world.receive("SN-1", "SN-2")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    places = {serial: world.unit(serial)["location_code"] for serial in ("SN-1", "SN-2")}
    assert places == {"SN-1": "WH-A1", "SN-2": "WH"}
