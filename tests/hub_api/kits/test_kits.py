"""Kits over the API: put together, replaced in part, checked, taken back, taken apart."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api_client import RESULTS, Caller, Hub, dump, play
from hub.access.keys import Scope
from hub.lifecycle import Action
from hub.proof import conservation
from world import World

ASSEMBLE = f"""mutation($key: String!, $kit: UnitInput!, $parts: [PartInput!]!) {{
  done: assembleKit(idempotencyKey: $key, kit: $kit, parts: $parts) {RESULTS} }}"""
REPLACE = f"""mutation($key: String!, $kit: UnitInput!, $old: UnitInput!, $new: UnitInput!) {{
  done: replaceKitMember(idempotencyKey: $key, kit: $kit, old: $old, new: $new,
    location: "RETURNS") {RESULTS} }}"""
TAKE_APART = f"""mutation($key: String!, $kit: UnitInput!, $parts: [UnitInput!]) {{
  done: disassembleKit(idempotencyKey: $key, kit: $kit, location: "WH", parts: $parts,
    restock: true) {RESULTS} }}"""
RETURN = """mutation($key: String!, $kit: UnitInput!, $scanned: [String!]!, $anyway: Boolean!) {
  done: returnKit(idempotencyKey: $key, kit: $kit, scanned: $scanned, location: "RETURNS",
    acceptIncomplete: $anyway) { __typename
    ... on KitReturn { replayed result { accepted status }
      check { complete foreign kit { serial } present { serial } missing { serial status } } }
    ... on Problem { code message } } }"""
CHECK = """query($kit: UnitInput!, $scanned: [String!]!) { checkKit(kit: $kit, scanned: $scanned) {
  complete foreign present { serial } missing { serial } } }"""
LINKS = """query($serial: String!, $at: DateTime) { unit(identifier: $serial) {
  kitMembers(asOf: $at) { role joinedAt leftAt part { serial soldAt } }
  kit(asOf: $at) { kit { serial } } kitHistory { leftAt kit { serial } part { serial } } } }"""
REPORT = """query($level: KitLevel!, $location: String) {
  kitReport(level: $level, location: $location) {
    nodes { sku units loose parts available withCustomers blocked } } }"""


def unit(serial: str) -> dict[str, str]:
    return {"identifier": serial}


def part(serial: str, role: str = "lens") -> dict[str, Any]:
    return {"unit": unit(serial), "role": role}


def as_ops(world: World, story: Callable[[Caller], Awaitable[None]]) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(Scope.OPS, name="olga"))

    play(world, told)
    assert world.read(conservation.check).breaches == ()


async def assembled(ops: Caller, world: World) -> Any:
    world.receive("CAM-1")
    world.receive("L-1", "L-2", "L-3", sku="LENS")
    data = await ops.ask(ASSEMBLE, key="kit", kit=unit("CAM-1"), parts=[part("L-1"), part("L-2")])
    return data["done"]


@pytest.mark.req("R123", "R124")
def test_a_kit_is_assembled_once_however_often_it_is_asked_for(world: World) -> None:
    async def story(ops: Caller) -> None:
        done = await assembled(ops, world)
        assert (done["accepted"], done["replayed"]) == (2, False)
        after = dump(world)
        again = await ops.ask(
            ASSEMBLE, key="kit", kit=unit("CAM-1"), parts=[part("L-1"), part("L-2")]
        )
        assert again["done"]["replayed"]
        other = await ops.ask(ASSEMBLE, key="kit", kit=unit("CAM-1"), parts=[part("L-3")])
        assert other["done"]["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert dump(world) == after
        found = await ops.ask(LINKS, serial="CAM-1")
        serials = [each["part"]["serial"] for each in found["unit"]["kitMembers"]]
        assert serials == ["L-1", "L-2"]
        found = await ops.ask(LINKS, serial="L-1")
        assert found["unit"]["kit"]["kit"]["serial"] == "CAM-1"

    as_ops(world, story)


def test_each_part_gets_its_verdict_and_a_bad_kit_is_refused_as_a_whole(world: World) -> None:
    async def story(ops: Caller) -> None:
        await assembled(ops, world)
        data = await ops.ask(
            ASSEMBLE, key="k-2", kit=unit("CAM-1"), parts=[part("NOBODY-9"), part("L-3")]
        )
        problems = [each["problem"] for each in data["done"]["results"]]
        assert [each and each["code"] for each in problems] == ["UNKNOWN_UNIT", None]
        for kit, parts, code in (
            ("NOBODY-9", [part("L-3")], "UNKNOWN_UNIT"),
            ("CAM-1", [], "INVALID_INPUT"),
            ("L-1", [part("L-3")], "STEP_NOT_ALLOWED"),
        ):
            data = await ops.ask(ASSEMBLE, key="k-3", kit=unit(kit), parts=parts)
            assert data["done"]["code"] == code

    as_ops(world, story)


@pytest.mark.req("R125", "R127")
def test_what_was_in_a_kit_at_any_time_is_told(world: World) -> None:
    async def story(ops: Caller) -> None:
        await assembled(ops, world)
        world.do(Action.SELL, "CAM-1")
        then = world.now.isoformat()
        world.pass_time(days=9)
        data = await ops.ask(REPLACE, key="r", kit=unit("CAM-1"), old=unit("L-2"), new=unit("L-3"))
        assert [each["status"] for each in data["done"]["results"]] == ["RETURNED", "IN_KIT"]
        now = (await ops.ask(LINKS, serial="CAM-1"))["unit"]
        was = (await ops.ask(LINKS, serial="CAM-1", at=then))["unit"]
        assert [each["part"]["serial"] for each in now["kitMembers"]] == ["L-1", "L-3"]
        assert [each["part"]["serial"] for each in was["kitMembers"]] == ["L-1", "L-2"]
        # Each component was sold when it came to the customer.
        sold = {each["part"]["serial"]: each["part"]["soldAt"] for each in now["kitMembers"]}
        assert sold["L-1"] < sold["L-3"]
        assert len(now["kitHistory"]) == 3
        left = (await ops.ask(LINKS, serial="L-2"))["unit"]
        assert left["kit"] is None
        assert left["kitHistory"][0]["leftAt"] is not None
        error = await ops.error(LINKS, serial="L-2", at="2026-01-01T00:00:00")
        assert error["code"] == "INVALID_INPUT"

    as_ops(world, story)


def test_a_replacement_that_can_not_be_is_refused_and_changes_nothing(world: World) -> None:
    async def story(ops: Caller) -> None:
        await assembled(ops, world)
        world.receive("L-4", "L-5", sku="LENS")
        world.do(Action.ALLOCATE, "L-4", hold_reference="cart")
        world.do(Action.HOLD, "L-5", hold_kind="quality")
        untouched = dump(world)
        for old, new, code in (
            ("L-1", "L-4", "UNIT_PROMISED"),
            ("L-1", "L-5", "UNIT_BLOCKED"),
            ("L-1", "L-2", "STEP_NOT_ALLOWED"),
            ("L-3", "L-3", "UNKNOWN_REFERENCE"),
        ):
            data = await ops.ask(REPLACE, key=new, kit=unit("CAM-1"), old=unit(old), new=unit(new))
            assert data["done"]["code"] == code
        assert dump(world) == untouched

    as_ops(world, story)


@pytest.mark.req("R128")
def test_a_set_is_checked_and_taken_back_serial_by_serial(world: World) -> None:
    async def story(ops: Caller) -> None:
        await assembled(ops, world)
        world.do(Action.SELL, "CAM-1")
        checked = await ops.ask(CHECK, kit=unit("CAM-1"), scanned=["L-1", "L-3"])
        assert checked["checkKit"] == {
            "complete": False,
            "foreign": ["L-3"],
            "present": [{"serial": "L-1"}],
            "missing": [{"serial": "L-2"}],
        }
        given = {"kit": unit("CAM-1"), "scanned": ["L-1", "L-3"]}
        refused = await ops.ask(RETURN, key="a", anyway=False, **given)
        assert refused["done"]["code"] == "STEP_NOT_ALLOWED"
        (alone,) = (
            await ops.command("acceptReturns", ["CAM-1"], key="b", location="WH", reason="x")
        )["results"]
        assert alone["problem"]["code"] == "STEP_NOT_ALLOWED"
        for replayed in (False, True):
            done = (await ops.ask(RETURN, key="c", anyway=True, **given))["done"]
            assert done["replayed"] is replayed
            assert done["result"] == {"accepted": True, "status": "RETURNED"}
            assert done["check"]["missing"] == [{"serial": "L-2", "status": "MISSING"}]
        too_many = await ops.error(CHECK, kit=unit("CAM-1"), scanned=["x"] * 1_001)
        assert too_many["code"] == "INVALID_INPUT"
        unknown = await ops.error(CHECK, kit=unit("NOBODY-9"), scanned=["x"])
        assert unknown["code"] == "UNKNOWN_UNIT"

    as_ops(world, story)


@pytest.mark.req("R126")
def test_reports_are_by_set_or_by_component(world: World) -> None:
    async def story(ops: Caller) -> None:
        await assembled(ops, world)
        sets = (await ops.ask(REPORT, level="SET"))["kitReport"]["nodes"]
        parts = (await ops.ask(REPORT, level="COMPONENT", location="WH"))["kitReport"]["nodes"]
        names = ("sku", "units", "loose", "parts", "available")
        assert [tuple(row[name] for name in names) for row in sets] == [("CAM", 1, 0, 2, 1)]
        assert [tuple(row[name] for name in names) for row in parts] == [("LENS", 2, 1, 0, 1)]
        taken = await ops.ask(TAKE_APART, key="t", kit=unit("CAM-1"), parts=[unit("L-1")])
        assert [each["status"] for each in taken["done"]["results"]] == ["IN_STOCK"]
        taken = await ops.ask(TAKE_APART, key="u", kit=unit("CAM-1"), parts=None)
        assert taken["done"]["accepted"] == 1
        assert (await ops.ask(REPORT, level="SET"))["kitReport"]["nodes"] == []

    as_ops(world, story)


def test_who_only_reads_changes_no_kit(world: World) -> None:
    world.receive("CAM-1")

    async def story(hub: Hub) -> None:
        till = await hub.caller(Scope.POS)
        for document, more in (
            (ASSEMBLE, {"parts": [part("L-1")]}),
            (REPLACE, {"old": unit("L-1"), "new": unit("L-2")}),
            (TAKE_APART, {}),
        ):
            data = await till.ask(document, key="k", kit=unit("CAM-1"), **more)
            assert data["done"]["code"] == "FORBIDDEN"
        shop = await hub.caller(Scope.STOREFRONT)
        error = await shop.error(CHECK, kit=unit("CAM-1"), scanned=[])
        assert error["code"] == "FORBIDDEN"
        error = await shop.error(REPORT, level="SET")
        assert error["code"] == "FORBIDDEN"

    play(world, story)
