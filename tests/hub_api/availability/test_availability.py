"""Availability policies over the API, and why a channel shows what it shows."""

import asyncio
from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub.access.keys import Scope
from hub.lifecycle import Action
from jobs import relay
from recording import stage
from world import World

POLICY = """policy { safetyBuffer sites cap share sellingPaused grades conditions preOrder
  changedBy changedAt }"""
SET = f"""mutation($key: String!, $sku: String, $policy: AvailabilityPolicyInput!) {{
  done: setAvailabilityPolicy(idempotencyKey: $key, channel: "rec", sku: $sku, policy: $policy) {{
    __typename ... on PolicySet {{ replayed {POLICY} }}
    ... on Problem {{ code message }} ... on InvalidInput {{ field }} }} }}"""
WHY = f"""query($sku: String!, $reason: AvailabilityReason) {{
  explainAvailability(channel: "rec", sku: $sku) {{
    channel sku remoteSku hasOwnPolicy {POLICY}
    steps {{ counted afterShare afterBuffer preOrder afterCap shown }}
    incoming {{ expected backOrdered backOrderedHere }}
    reasons {{ reason units }}
    acknowledged acknowledgedAt observed observedAt pending pendingSince dueAt attempts lastError
    units(first: 1, reason: $reason) {{
      nodes {{ serial reason status location grade condition promisedTo blocks }}
      pageInfo {{ hasNextPage }} }} }} }}"""
SHOWN = f"""{{ channel(code: "rec") {{ {POLICY} }} }}"""
REGISTER = f"""mutation($channel: ChannelInput!) {{
  done: registerChannel(idempotencyKey: "NEW", channel: $channel) {{
  __typename ... on Channel {{ {POLICY} }} ... on Problem {{ code }} }} }}"""


def as_admin(world: World, story: Any) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(Scope.ADMIN))

    play(world, told)


def test_a_policy_is_set_once_and_shown_with_who_set_it(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1", "SN-2", "SN-3", "SN-4")

    async def story(admin: Caller) -> None:
        given = {"cap": 3, "sites": ["WH"], "conditions": ["NEW"], "share": 90}
        for replayed in (False, True):
            said = (await admin.ask(SET, key="k-1", policy=given))["done"]
            assert (said["__typename"], said["replayed"]) == ("PolicySet", replayed)
            assert said["policy"] | given == said["policy"]
            assert said["policy"]["changedBy"] == "caller"
        assert (await admin.ask(SHOWN))["channel"]["policy"] == said["policy"]
        again = (await admin.ask(SET, key="k-1", policy={"cap": 4}))["done"]
        assert again["code"] == "IDEMPOTENCY_KEY_REUSED"
        own = (await admin.ask(SET, key="k-2", sku="CAM", policy={"cap": 1}))["done"]
        assert (own["policy"]["cap"], own["policy"]["share"]) == (1, 90)

    as_admin(world, story)
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shown == {"CAM": 1}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"policy": {"share": 101}}, "INVALID_INPUT"),
        ({"policy": {"sites": ["NOWHERE"]}}, "UNKNOWN_REFERENCE"),
        ({"policy": {}, "sku": "SAW"}, "UNKNOWN_REFERENCE"),
        ({"policy": {}, "sku": "NOTHING"}, "UNKNOWN_REFERENCE"),
    ],
)
def test_a_policy_that_makes_no_sense_is_a_problem(
    world: World, given: dict[str, Any], code: str
) -> None:
    _, _, channel = stage(world)
    world.list_product(channel)

    async def story(admin: Caller) -> None:
        assert (await admin.ask(SET, key="k", **given))["done"]["code"] == code

    as_admin(world, story)


def test_who_may_look_may_not_set(world: World) -> None:
    stage(world)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        assert (await ops.ask(SET, key="k", policy={}))["done"]["code"] == "FORBIDDEN"
        counter = await hub.caller(Scope.POS)
        assert (await counter.error(WHY, sku="CAM"))["code"] == "FORBIDDEN"
        assert (await ops.error(WHY, sku="CAM"))["code"] == "UNKNOWN_REFERENCE"  # not listed

    play(world, story)


def test_a_channel_may_be_registered_with_its_policy(world: World) -> None:
    card = {
        "code": "tills", "name": "Tills", "connector": "square",
        "settings": {"access_token": "t", "location_id": "L", "webhook_signature_key": "k",
                     "notification_url": "https://hub.test"}, "safetyBuffer": 1,
        "policy": {"cap": 2, "grades": ["B"]},
    }  # fmt: skip

    async def story(admin: Caller) -> None:
        said = (await admin.ask(REGISTER, channel=card))["done"]
        assert said["__typename"] == "Channel", said
        policy = said["policy"]
        assert (policy["cap"], policy["grades"], policy["safetyBuffer"]) == (2, ["B"], 1)
        del card["policy"]
        kept = (await admin.ask(REGISTER, channel=card))["done"]["policy"]
        assert kept["cap"] == 2
        card["policy"] = {"safetyBuffer": 3, "sites": ["SHOP"]}
        policy = (await admin.ask(REGISTER, channel=card))["done"]["policy"]
        assert (policy["cap"], policy["safetyBuffer"], policy["sites"]) == (None, 3, ["SHOP"])
        card["policy"] = {"cap": -1}
        assert (await admin.ask(REGISTER, channel=card))["done"]["code"] == "INVALID_INPUT"

    as_admin(world, story)


def test_a_figure_is_explained_step_by_step_and_unit_by_unit(world: World) -> None:
    _, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1", "SN-2", "SN-3", "SN-4", "SN-5")
    world.do(Action.HOLD, "SN-5", hold_kind="quality")
    world.accept(channel, world.order("o-1"))
    asyncio.run(relay.drain(runtime, channel["id"]))

    async def story(admin: Caller) -> None:
        await admin.ask(SET, key="k", policy={"share": 70, "safetyBuffer": 1, "cap": 9})
        said = (await admin.ask(WHY, sku="CAM"))["explainAvailability"]
        assert said["steps"] == {
            "counted": 3, "afterShare": 2, "afterBuffer": 1, "preOrder": 0, "afterCap": 1,
            "shown": 1,
        }  # fmt: skip
        assert said["reasons"] == [
            {"reason": "COUNTS", "units": 3},
            {"reason": "PROMISED", "units": 1},
            {"reason": "BLOCKED", "units": 1},
        ]
        assert (said["acknowledged"], said["observed"], said["pending"]) == (3, 3, "WAITING")
        assert said["pendingSince"] is not None
        assert said["units"]["pageInfo"]["hasNextPage"]
        assert (said["hasOwnPolicy"], said["remoteSku"]) == (False, "CAM")
        (held,) = (await admin.ask(WHY, sku="CAM", reason="PROMISED"))["explainAvailability"][
            "units"
        ]["nodes"]
        assert (held["serial"], held["promisedTo"]) == ("SN-1", "#o-1")
        (blocked,) = (await admin.ask(WHY, sku="CAM", reason="BLOCKED"))["explainAvailability"][
            "units"
        ]["nodes"]
        assert (blocked["serial"], blocked["blocks"]) == ("SN-5", ["quality"])

    as_admin(world, story)
