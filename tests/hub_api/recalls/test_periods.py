"""Recalls by the time of production that a maker's serials state, decoded by the maker's rule."""

from typing import Any

import pytest

from api_client import Hub, play
from hub.access.keys import Scope
from world import World

REGISTER = """mutation($key: String!, $rule: String) { done: registerCatalogue(
  idempotencyKey: $key, manufacturers: [{ code: "ACME", name: "ACME", serialPeriod: $rule }]) {
    __typename ... on Problem { code message } ... on InvalidInput { field } } }"""
PREVIEW = """query($predicate: RecallPredicateInput!) {
  previewRecallUnits(predicate: $predicate, first: 50) { nodes { serial } }
  previewRecallEdges(predicate: $predicate) { first { serial } last { serial }
    nearestBefore { serial } nearestAfter { serial } } }"""
OPEN = """mutation($predicate: RecallPredicateInput!) { done: openRecall(idempotencyKey: "o",
  ref: "R-1", title: "Fire", predicate: $predicate) { __typename
    ... on Problem { code message } ... on RecallChange { recall { describes
      containment { total { affected } } } } } }"""
WEEKS = ("LT-2024-52A1", "LT-2025-09A1", "LT-2025-10A1", "LT-2025-2077", "LT-2025-21A1")
# No such serials: week 77, letters for a year, another form, another maker's.
OTHERS = ("LT-2025-77A1", "LT-20A5-12A1", "XT-2025-12A1", "LT-2025-12A1-9")


def period(first: str, last: str, maker: str = "ACME") -> dict[str, Any]:
    return {"periods": [{"manufacturer": maker, "first": first, "last": last}]}


async def caught(ops: Any, predicate: Any) -> list[str]:
    found = await ops.ask(PREVIEW, predicate=predicate)
    return sorted(each["serial"] for each in found["previewRecallUnits"]["nodes"])


def test_a_recall_names_weeks_and_catches_what_the_makers_rule_decodes(world: World) -> None:
    world.receive(*WEEKS, *OTHERS)
    world.receive("LT-2025-12A1", sku="SAW")

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN, Scope.OPS)
        done = (await admin.ask(REGISTER, key="a", rule="LT-yyyy-ww??"))["done"]
        assert done["__typename"] == "CatalogueChanged", done
        weeks = period("2025-W10", "2025-W20")
        assert await caught(admin, weeks) == ["LT-2025-10A1", "LT-2025-2077"]
        edges = (await admin.ask(PREVIEW, predicate=weeks))["previewRecallEdges"]
        assert {name: each["serial"] for name, each in edges.items()} == {
            "first": "LT-2025-10A1",
            "last": "LT-2025-2077",
            "nearestBefore": "LT-2025-09A1",
            "nearestAfter": "LT-2025-21A1",
        }
        assert await caught(admin, period("2024-W50", "2025-W09")) == list(WEEKS[:2])
        assert await caught(admin, period("2025", "2025")) == list(WEEKS[1:])
        opened = (await admin.ask(OPEN, predicate=weeks))["done"]["recall"]
        assert opened["containment"]["total"]["affected"] == 2
        assert opened["describes"] == "made by ACME in 2025-W10 to 2025-W20"
        # The recall keeps the rule with which it was opened.
        await admin.ask(REGISTER, key="b", rule="yy-ww*")
        world.receive("LT-2025-15ZZ")

    play(world, story)
    assert world.unit("LT-2025-15ZZ")["blocks"] == 1
    assert world.unit("LT-2025-21A1")["blocks"] == 0


def test_months_and_years_of_two_digits_are_decoded_too(world: World) -> None:
    world.receive("25-03-1", "25-13-1", "25-04-77", "2503")

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN, Scope.OPS)
        await admin.ask(REGISTER, key="a", rule="yymm#*")
        assert await caught(admin, period("2025-02", "2025-03")) == ["25-03-1"]
        assert await caught(admin, {"any": [period("2025-04", "2025-04"), {"serials": ["2503"]}]})

    play(world, story)


@pytest.mark.parametrize(
    "rule", ["", "LT-ww??", "yyy-ww", "yyyymmww", "yyyy*ww", "lt-yyyy", "yy?yy"]
)
def test_a_rule_that_decodes_nothing_is_refused(world: World, rule: str) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        done = (await admin.ask(REGISTER, key="a", rule=rule))["done"]
        assert (done["code"], done["field"]) == ("INVALID_INPUT", "serialPeriod")

    play(world, story)


@pytest.mark.parametrize(
    ("rule", "given", "code"),
    [
        (None, period("2025", "2025"), "INVALID_INPUT"),  # no rule
        ("yyyy-ww*", period("2025", "2025", "NOBODY"), "UNKNOWN_REFERENCE"),
        ("yyyy-ww*", period("2025-W54", "2025-W60"), "INVALID_INPUT"),
        ("yyyy-ww*", period("2025-W20", "2025-W10"), "INVALID_INPUT"),
        ("yyyy-ww*", period("2025-W20", "2025"), "INVALID_INPUT"),
        ("yyyy-ww*", period("2025-03", "2025-04"), "INVALID_INPUT"),  # it states no months
        ("yyyy-ww*", period("March", "April"), "INVALID_INPUT"),
        ("yy-ww*", period("1999", "2001"), "INVALID_INPUT"),
    ],
)
def test_a_period_that_can_not_be_decoded_opens_no_recall(
    world: World, rule: str | None, given: Any, code: str
) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN, Scope.OPS)
        await admin.ask(REGISTER, key="a", rule=rule)
        assert (await admin.ask(OPEN, predicate=given))["done"]["code"] == code

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM recall") == 0


def test_the_rule_of_a_maker_is_shown_with_its_products(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN, Scope.OPS)
        await admin.ask(REGISTER, key="a", rule="LT-yyyy-ww??")
        found = await admin.ask("{ products { sku manufacturer { code serialPeriod } } }")
        rules = {each["sku"]: each["manufacturer"]["serialPeriod"] for each in found["products"]}
        assert rules == {"CAM": "LT-yyyy-ww??", "LENS": "LT-yyyy-ww??", "SAW": None}

    play(world, story)
