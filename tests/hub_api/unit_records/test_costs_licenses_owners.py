"""Costs, owners, measurements and licenses over the API: who may ask, and what is answered."""

from collections.abc import Awaitable, Callable

import pytest

from api_client import Caller, Hub, play
from hub.access.keys import Scope
from world import World

COSTS = """mutation($key: String!, $costs: [CostInput!]!) {
  done: recordCosts(idempotencyKey: $key, costs: $costs) { __typename
    ... on CostsRecorded { replayed accepted results { index costId problem { code } } }
    ... on Problem { code } } }"""
TAKE_BACK = """mutation($key: String!, $id: ID!) {
  done: reverseCost(idempotencyKey: $key, costId: $id) { __typename
    ... on UnitCost { amount reverses } ... on Problem { code } } }"""
OF_UNIT = """{ unitCosts(identifier: "sn-1") {
  lines { kind amount currency } totals { currency amount } } }"""
VALUE = """query($at: DateTime!) { valuation(at: $at, by: LOCATION) {
  units uncosted lines { key units currency amount } } }"""
BOOKS = """query($after: String) { financialEvents(first: 1, after: $after) {
  cursor serial sku action toLocation costs { currency amount } } }"""
READINGS = """mutation($key: String!, $readings: [ReadingInput!]!) {
  done: recordReadings(idempotencyKey: $key, units: [{identifier: "sn-1"}], readings: $readings,
    limits: [{type: "Temperature", high: 8}], hold: true) {
    ... on CommandResult { accepted replayed } ... on Problem { code } } }"""
MEASURED = """{ exposure(identifier: "sn-1") { type count lowest highest mean }
  sensorReadings(identifier: "sn-1", first: 1) {
    nodes { value device } pageInfo { hasNextPage endCursor } }
  unit(identifier: "sn-1") { isBlocked } }"""
LICENSE = """mutation($key: String!, $serial: String!) {
  done: linkLicense(idempotencyKey: $key, unit: {identifier: $serial}, reference: "KEY-1",
    provider: "Soft", endsOn: "2030-01-01") {
    ... on CommandResult { accepted replayed } ... on Problem { code message } } }"""
LICENSES = """{ licenses(identifier: "sn-1") { reference endsOn endedAt }
  licenseHolder(reference: "KEY-1", provider: "Soft") { serial } }"""
OWNERS = """{ ownerPeriods(identifier: "sn-1") { kind owner since until } }"""
CHANGE = """mutation($key: String!) {
  done: changeOwner(idempotencyKey: $key, units: [{identifier: "sn-1"}], owner: "c-9") {
    ... on CommandResult { accepted } ... on Problem { code } } }"""


def as_ops(world: World, story: Callable[[Caller], Awaitable[None]]) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(Scope.OPS))

    play(world, told)


@pytest.mark.req("R50", "R54")
def test_costs_are_recorded_added_up_and_taken_back(world: World) -> None:
    world.receive("SN-1")
    large = 90_000_000_000  # more than an Int holds
    lines = [
        {"unit": {"identifier": "sn 1"}, "kind": "ACQUISITION", "amount": large, "currency": "EUR"},
        {"unit": {"identifier": "ghost"}, "kind": "DUTY", "amount": 5, "currency": "EUR"},
    ]

    async def story(ops: Caller) -> None:
        done = (await ops.ask(COSTS, key="k-1", costs=lines))["done"]
        assert (done["accepted"], done["replayed"]) == (1, False)
        kept, refused = done["results"]
        assert (kept["problem"], refused["problem"]) == (None, {"code": "UNKNOWN_UNIT"})
        again = (await ops.ask(COSTS, key="k-1", costs=lines))["done"]
        assert again == done | {"replayed": True}
        found = (await ops.ask(OF_UNIT))["unitCosts"]
        assert found["lines"] == [{"kind": "ACQUISITION", "amount": large, "currency": "EUR"}]
        value = (await ops.ask(VALUE, at=world.now.isoformat()))["valuation"]
        assert value == {
            "units": 1,
            "uncosted": 0,
            "lines": [{"key": "WH", "units": 1, "currency": "EUR", "amount": large}],
        }
        back = (await ops.ask(TAKE_BACK, key="k-2", id=kept["costId"]))["done"]
        assert (back["amount"], back["reverses"]) == (-large, kept["costId"])
        twice = (await ops.ask(TAKE_BACK, key="k-3", id=kept["costId"]))["done"]
        assert twice["code"] == "STEP_NOT_ALLOWED"
        found = (await ops.ask(OF_UNIT))["unitCosts"]
        assert found["totals"] == [{"currency": "EUR", "amount": 0}]
        bad = dict(lines[0], amount="12")
        assert await ops.error(COSTS, key="k-4", costs=[bad])

    as_ops(world, story)


@pytest.mark.req("R54")
def test_the_feed_of_the_books_goes_on_where_it_ended(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(ops: Caller) -> None:
        after, seen = None, []
        while rows := (await ops.ask(BOOKS, after=after))["financialEvents"]:
            seen += [(row["serial"], row["action"]) for row in rows]
            after = rows[-1]["cursor"]
        expected = [("SN-1", "RECEIVE"), ("SN-2", "RECEIVE")]
        assert seen == expected[: len(seen)]
        assert (await ops.error(BOOKS, after="x"))["code"] == "INVALID_INPUT"

    as_ops(world, story)


@pytest.mark.req("R51")
def test_measurements_are_kept_and_block_what_left_its_limits(world: World) -> None:
    world.receive("SN-1")
    readings = [
        {"type": "Temperature", "value": value, "unitOfMeasure": "CEL",
         "measuredAt": world.now.isoformat(), "device": "logger-1"}
        for value in (4.5, 9.5)
    ]  # fmt: skip

    async def story(ops: Caller) -> None:
        done = (await ops.ask(READINGS, key="k-1", readings=readings))["done"]
        assert done == {"accepted": 1, "replayed": False}
        again = (await ops.ask(READINGS, key="k-1", readings=readings))["done"]
        assert again == {"accepted": 1, "replayed": True}
        found = await ops.ask(MEASURED)
        assert found["exposure"] == [
            {"type": "Temperature", "count": 2, "lowest": 4.5, "highest": 9.5, "mean": 7.0}
        ]
        assert found["sensorReadings"]["nodes"] == [{"value": 4.5, "device": "logger-1"}]
        assert found["sensorReadings"]["pageInfo"]["hasNextPage"]
        assert found["unit"]["isBlocked"]

    as_ops(world, story)


@pytest.mark.req("R44", "R52")
def test_licenses_and_owners_are_told(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(ops: Caller) -> None:
        assert (await ops.ask(LICENSE, key="k-1", serial="SN-1"))["done"]["accepted"] == 1
        refused = (await ops.ask(LICENSE, key="k-2", serial="SN-2"))["done"]
        assert refused["code"] == "STEP_NOT_ALLOWED"
        found = await ops.ask(LICENSES)
        assert found["licenses"] == [
            {"reference": "KEY-1", "endsOn": "2030-01-01", "endedAt": None}
        ]
        assert found["licenseHolder"] == {"serial": "SN-1"}
        assert (await ops.ask(CHANGE, key="k-3"))["done"] == {"accepted": 0}
        await ops.command("sellUnits", ["SN-1"], key="k-4", receipt="T-1")
        assert (await ops.ask(CHANGE, key="k-5"))["done"] == {"accepted": 1}
        owners = (await ops.ask(OWNERS))["ownerPeriods"]
        assert [(each["kind"], each["owner"]) for each in owners] == [
            ("OWN", None),
            ("CUSTOMER", None),
            ("CUSTOMER", "c-9"),
        ]

    as_ops(world, story)


def test_what_units_cost_is_for_ops_alone(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        for scope in (Scope.STOREFRONT, Scope.SCANNER, Scope.POS):
            caller = await hub.caller(scope)
            assert (await caller.error(OF_UNIT))["code"] == "FORBIDDEN"
            asked = await caller.error(VALUE, at=world.now.isoformat())
            assert asked["code"] == "FORBIDDEN"
            refused = (await caller.ask(COSTS, key="k", costs=[]))["done"]
            assert refused["code"] == "FORBIDDEN"

    play(world, story)
