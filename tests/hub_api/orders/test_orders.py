"""Orders and their returns over the API: repeats, listings, oversold channels, alternatives."""

from typing import Any

import pytest

from api_client import Hub, play
from hub.access.keys import Scope
from hub.sync.channels import Oversell
from hub.vocabulary import OrderLine, OrderState, ReturnLine, ReturnState
from world import World

PROBLEM = "... on Problem { code message }"
DECIDE = f"""mutation($key: String!, $id: ID!, $different: Boolean!) {{
  done: decideDuplicateOrder(idempotencyKey: $key, orderId: $id, different: $different) {{
    __typename ... on Order {{ number originRef sameAsId sameVerdict
      lines {{ units {{ serial }} }} }} {PROBLEM} }} }}"""
BIND = f"""mutation($sku: String!, $unit: String) {{
  done: bindListings(idempotencyKey: "NEW", channel: "shop", listings: [
  {{ sku: "CAM", remoteSku: $sku, remote: {{}}, unit: $unit }}]) {{
    __typename ... on ListingsBound {{ bound }} {PROBLEM} }} }}"""
PUT = f"""mutation($sku: String!, $others: [String!]!) {{
  done: putAlternatives(idempotencyKey: "NEW", sku: $sku, alternatives: $others) {{
    __typename ... on Alternatives {{ sku alternatives }} {PROBLEM} }} }}"""
RETURNS = """query($awaited: Boolean!) { channelReturns(awaited: $awaited) { nodes { channel ref
  orderRef orderId order state remoteState refundReference refundedAt exchangeLineRefs
  exchangeOrderRef exchangeOrderId lines { orderLineRef orderLineId sku quantity comesBack arrived
  cameBack refunded restock reason serials } } } }"""
OF_ORDER = "query($id: ID!) { order(id: $id) { number returns { ref state lines { quantity } } } }"
CHECK = """mutation { done: checkReturn(idempotencyKey: "k1", identifier: "SN-1", location: "SHOP",
  reason: "too small") { ... on ReturnCase { decision rule nextStep findings { code }
  announced { ref state comesBack reason refundReference } } } }"""


WORDS = f"""mutation($words: [MappingInput!]!) {{
  done: putMappings(idempotencyKey: "NEW", channel: "shop", kind: ORDER_STATE, mappings: $words) {{
    __typename ... on Mappings {{ channel kind words {{ source target mapped times }} }}
    {PROBLEM} }} }}"""
SPOKEN = """{ mappings(channel: "shop", kind: ORDER_STATE) {
  words { source target mapped times } } }"""


@pytest.mark.req("R140")
def test_what_a_channels_words_mean_is_changed_by_administrators(world: World) -> None:
    shop = world.channel("shop")
    world.accept(shop, world.order("o-1", remote_state="odd"))

    async def story(hub: Hub) -> None:
        ops, admin = await hub.caller(Scope.OPS), await hub.caller(Scope.ADMIN)
        words = [{"source": "odd", "target": "PENDING"}]
        assert (await ops.ask(WORDS, words=words))["done"]["code"] == "FORBIDDEN"
        done = (await admin.ask(WORDS, words=words))["done"]
        told = [{"source": "odd", "target": "pending", "mapped": True, "times": 1}]
        assert (done["kind"], done["words"]) == ("ORDER_STATE", told)
        assert (await ops.ask(SPOKEN))["mappings"]["words"] == told
        bad = [{"source": "odd", "target": "asleep"}]
        assert (await admin.ask(WORDS, words=bad))["done"]["code"] == "INVALID_INPUT"

    play(world, story)


@pytest.mark.req("R74")
def test_a_repeated_order_is_decided_once_by_operations(world: World) -> None:
    market, shop = world.channel("market"), world.channel("shop")
    world.receive("SN-1", "SN-2")
    first = world.accept(market, world.order("111-22"))
    second = world.accept(shop, world.order("o-1", origin_ref="111-22"))

    async def story(hub: Hub) -> None:
        ops, pos = await hub.caller(Scope.OPS), await hub.caller(Scope.POS)
        given = {"key": "k-1", "id": second, "different": True}
        refused = (await pos.ask(DECIDE, **given))["done"]
        assert refused["code"] == "FORBIDDEN"
        for _ in range(2):
            done = (await ops.ask(DECIDE, **given))["done"]
            assert done == {
                "__typename": "Order",
                "number": "#o-1",
                "originRef": "111-22",
                "sameAsId": first,
                "sameVerdict": "different",
                "lines": [{"units": [{"serial": "SN-2"}]}],
            }
        wrong = (await ops.ask(DECIDE, key="k-2", id=first, different=True))["done"]
        assert wrong["code"] == "STEP_NOT_ALLOWED"

    play(world, story)


def test_a_bound_listing_serves_the_orders_that_wait_for_it_at_once(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1")
    world.accept(shop, world.order(lines=[OrderLine(ref="l-1", sku="THEIRS", quantity=1)]))

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        done = (await admin.ask(BIND, sku="THEIRS"))["done"]
        assert done == {"__typename": "ListingsBound", "bound": 1}
        assert world.unit("SN-1")["promised_to"] is not None
        assert world.open_cases() == []

    play(world, story)


def test_a_listing_of_one_unit_is_bound_by_any_of_its_names(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.receive("LENS-1", sku="LENS")

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for _ in range(2):
            done = (await admin.ask(BIND, sku="CAM-2", unit="sn 2"))["done"]
            assert done["bound"] == 1
        assert (await admin.ask(BIND, sku="CAM"))["done"]["bound"] == 2
        taken = (await admin.ask(BIND, sku="CAM-2", unit="SN-1"))["done"]
        assert taken["code"] == "INVALID_INPUT"
        wrong = (await admin.ask(BIND, sku="CAM-9", unit="LENS-1"))["done"]
        assert wrong["code"] == "UNKNOWN_UNIT"
        world.accept(shop, world.order(lines=[OrderLine(ref="l-1", sku="CAM-2", quantity=1)]))
        assert world.unit("SN-2")["promised_to"] is not None

    play(world, story)


def test_alternatives_are_named_and_shown_and_channels_say_what_they_want(world: World) -> None:
    world.channel(oversell=Oversell.ALTERNATIVE)

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        done = (await admin.ask(PUT, sku="CAM", others=["SAW", "LENS"]))["done"]
        assert done["alternatives"] == ["SAW", "LENS"]
        shown: Any = await admin.ask('{ alternatives(sku: "CAM") { sku alternatives } }')
        assert shown["alternatives"] == {"sku": "CAM", "alternatives": ["SAW", "LENS"]}
        assert (await admin.ask(PUT, sku="CAM", others=["CAM"]))["done"]["code"] == "INVALID_INPUT"
        channels = (await admin.ask("{ channels { code oversell } }"))["channels"]
        assert channels == [{"code": "shop", "oversell": "ALTERNATIVE"}]
        ops = await hub.caller(Scope.OPS)
        assert (await ops.ask(PUT, sku="CAM", others=[]))["done"]["code"] == "FORBIDDEN"

    play(world, story)


def test_the_policy_of_a_channel_is_registered(world: World) -> None:
    settings = {
        "shop_url": "https://shop.test",
        "access_token": "t",
        "webhook_secret": "s",
        "location_id": "gid://shopify/Location/1",
    }
    document = f"""mutation($settings: JSON!) {{
  done: registerChannel(idempotencyKey: "NEW", channel: {{ code: "shop",
      name: "Shop", connector: "shopify", settings: $settings, oversell: CANCEL }}) {{
      ... on Channel {{ oversell capabilities }} {PROBLEM} }} }}"""

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        done = (await admin.ask(document, settings=settings))["done"]
        assert done["oversell"] == "CANCEL"
        assert {"pull_returns", "cancel_orders"} <= set(done["capabilities"])

    play(world, story)


@pytest.mark.req("R90", "R144")
def test_returns_of_channels_are_shown_on_their_orders_and_at_the_counter(world: World) -> None:
    till = world.channel("till", "square")
    world.receive("SN-1", place="SHOP")
    line = OrderLine(ref="l-1", sku="CAM", quantity=1, serials=("SN-1",))
    sold = world.order(lines=[line], state=OrderState.FULFILLED, at_counter=True)
    order_id = world.accept(till, sold)
    said = ReturnLine(order_line_ref="l-1", quantity=1, refunded=1, reason="too small")
    world.announce(
        till,
        world.returned(line=said, state=ReturnState.OPEN, refunded_at=world.now, refund_ref="f-1"),
    )

    async def story(hub: Hub) -> None:
        pos = await hub.caller(Scope.POS)
        for awaited in (False, True):
            (shown,) = (await pos.ask(RETURNS, awaited=awaited))["channelReturns"]["nodes"]
            assert (shown["ref"], shown["state"], shown["order"]) == ("r-1", "OPEN", "#o-1")
            assert shown["refundReference"] == "f-1"
            (part,) = shown["lines"]
            assert (part["sku"], part["quantity"], part["cameBack"]) == ("CAM", 1, 0)
        order = (await pos.ask(OF_ORDER, id=order_id))["order"]
        assert order["returns"] == [{"ref": "r-1", "state": "OPEN", "lines": [{"quantity": 1}]}]
        answer = (await pos.ask(CHECK))["done"]
        assert (answer["decision"], answer["rule"]) == ("ACCEPT", "refund-made")
        assert "Do not refund" in answer["nextStep"]
        assert answer["announced"]["refundReference"] == "f-1"

    play(world, story)
