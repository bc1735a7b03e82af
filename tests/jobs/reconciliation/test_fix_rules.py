"""The policy of fixes: data that decides what is healed without a person."""

import asyncio

import pytest

from api_client import Hub, play
from hub.access.keys import Scope as Right
from hub.catalogue import ProductCard, register_product
from hub.decision_rules import Conditions, FixDecision, Rule, Topic, put
from hub.reconciliation import plans
from hub.reconciliation.fix_rules import FIX_RULES
from hub.reconciliation.kinds import Fix, Scope
from hub.storage.sql import Row
from jobs.runtime import Runtime
from jobs.services import JobServices
from reconciling import Shop, run
from recording import stage
from world import World


def shop(world: World) -> tuple[Shop, Runtime, Row]:
    connector, runtime, channel = stage(world, Shop)
    assert isinstance(connector, Shop)
    world.receive("SN-1", "SN-2", "SN-3", "SN-4")
    connector.listed = {"a": ("CAM", 4)}
    run(world, runtime, channel, Scope.LEVELS)
    return connector, runtime, channel


def rule(world: World, decision: FixDecision, **conditions: object) -> None:
    given = Rule(
        topic=Topic.FIX,
        code="ours",
        name="ours",
        rank=1,
        conditions=Conditions(**conditions),  # type: ignore[arg-type]
        decision=str(decision),
    )
    world.write(lambda tx: put(tx, world.context(), given, FIX_RULES))


@pytest.mark.parametrize(
    ("shows", "healed"), [(6, True), (50, False)], ids=["two units", "46 units"]
)
def test_a_large_difference_is_left_to_a_person(world: World, shows: int, healed: bool) -> None:
    connector, runtime, channel = shop(world)
    rule(world, FixDecision.ASK, units_from=10, channels=("rec",))
    connector.listed["a"] = ("CAM", shows)
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert found["state"] == ("healed" if healed else "open")
    assert found["fix_rule"] == ("else" if healed else None)
    assert world.open_cases() == ([] if healed else [("disagreement", "CAM")])


@pytest.mark.parametrize(("shows", "healed"), [(6, True), (7, False)])
def test_the_worth_of_a_difference_is_that_of_all_its_units(
    world: World, shows: int, healed: bool
) -> None:
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", value=10_000, currency="EUR")
    world.write(lambda tx: register_product(tx, world.context(), card))
    connector, runtime, channel = shop(world)
    rule(world, FixDecision.ASK, value_from=30_000)
    connector.listed["a"] = ("CAM", shows)  # two or three more than there are
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert found["state"] == ("healed" if healed else "open")


def test_nothing_is_raised_where_a_rule_forbids_it(world: World) -> None:
    connector, runtime, channel = shop(world)
    rule(world, FixDecision.ASK, findings=("raises_offer",))
    connector.listed["a"] = ("CAM", 1)
    run(world, runtime, channel, Scope.LEVELS)
    assert connector.shows() == {"a": 1}
    connector.listed["a"] = ("CAM", 9)
    run(world, runtime, channel, Scope.LEVELS)
    assert connector.shows() == {"a": 4}


@pytest.mark.parametrize(
    ("decision", "shows"),
    [(FixDecision.SELL_ON_ONE, {"a": 4, "b": 0}), (FixDecision.SHARE_FIGURE, {"a": 2, "b": 2})],
)
def test_copies_are_bound_by_the_policy_of_their_channel(
    world: World, decision: FixDecision, shows: dict[str, int]
) -> None:
    connector, runtime, channel = shop(world)
    rule(world, decision, reasons=("duplicate_listing",), channels=("rec",))
    connector.listed["b"] = ("CAM", 50)
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["state"], found["fix_rule"], connector.shows()) == ("healed", "ours", shows)


def test_a_plan_names_each_effect_before_it_happens(world: World) -> None:
    connector, runtime, channel = shop(world)
    rule(world, FixDecision.ASK, units_from=10)
    connector.listed = {"a": ("CAM", 52), "b": ("SAW", 3)}
    _, found = run(world, runtime, channel, Scope.LEVELS)
    planned = world.read(lambda tx: plans.plan(tx, "rec", world.now))
    assert [(each.fix, each.rule, each.effect) for each in planned] == [
        (None, "ours", "a person decides about CAM on Rec")
    ]
    wrong = next(each for each in found if each["kind"] == "quantity")
    assert plans.effect(wrong, Fix.PUSH_LEVEL, "Rec") == "send Rec 4 of CAM: 48 less than it shows"
    assert connector.shows() == {"a": 52, "b": 0}
    done = JobServices(runtime).heal_many(channel, Fix.PUSH_LEVEL, world.context(), limit=10)
    assert asyncio.run(done) == (1, 1, 0)
    assert connector.shows() == {"a": 4, "b": 0}
    assert world.open_cases() == []


def test_people_change_the_policy_and_read_the_plan_over_the_api(world: World) -> None:
    connector, runtime, channel = shop(world)
    put_rule = """mutation { done: putDecisionRule(idempotencyKey: "NEW", topic: FIX, code: "big",
      name: "Large", rank: 5, decision: "ask", conditions: {unitsFrom: 10}) { __typename } }"""
    plan = """{ fixPlan(channel: "rec") { kind subject fix rule effect surplus }
      differenceGroups { kind cause fix number surplus shortage } }"""

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Right.ADMIN)
        ops = await hub.caller(Right.OPS)
        assert (await admin.ask(put_rule))["done"]["__typename"] == "DecisionRules"
        connector.listed["a"] = ("CAM", 52)
        await asyncio.to_thread(run, world, runtime, channel, Scope.LEVELS)
        answer = await ops.ask(plan)
        assert answer["fixPlan"] == [
            {
                "kind": "QUANTITY",
                "subject": "CAM",
                "fix": None,
                "rule": "big",
                "effect": "a person decides about CAM on Rec",
                "surplus": 48,
            }
        ]
        (group,) = answer["differenceGroups"]
        assert (group["number"], group["surplus"], group["shortage"]) == (1, 48, 0)

    play(world, story)
