"""Two channels of one account, and how the streams of a channel are shown."""

from typing import Any

from api_client import Caller, Hub, play
from connectors import Transient
from hub.access.keys import Scope
from hub.sync import streams
from world import World

CHANNEL = """mutation($channel: ChannelInput!) {
  done: registerChannel(idempotencyKey: "NEW", channel: $channel) { __typename
  ... on Channel { channelCode: code account sharesAccount goneOrders goneOrderMinutes }
  ... on AccountInUse { code message channel } ... on Problem { code message } } }"""
STREAMS = """query($code: String!) { channel(code: $code) { streams {
  name attempts failures failingSince lastSuccessAt error pageDivisor } } }"""
AMAZON = {
    "base_url": "https://sellingpartnerapi-na.amazon.com",
    "client_id": "amzn1.application-oa2-client.1",
    "client_secret": "not-a-real-secret",
    "refresh_token": "Atzr|not-a-real-token",
    "seller_id": "A2SELLER",
}
US = "ATVPDKIKX0DER"
SHOPIFY = {
    "shop_url": "https://one-shop.myshopify.com",
    "access_token": "shpat_not_a_real_token",
    "webhook_secret": "shopify-webhook-secret",
    "location_id": "gid://shopify/Location/1",
}


def channel(code: str, connector: str, settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"code": code, "name": code, "connector": connector, "settings": settings, **more}


def registered(world: World, *given: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def story(hub: Hub) -> None:
        admin: Caller = await hub.caller(Scope.ADMIN)
        found.extend([(await admin.ask(CHANNEL, channel=each))["done"] for each in given])

    play(world, story)
    return found


def test_what_becomes_of_orders_that_are_gone_is_a_policy_of_the_channel(world: World) -> None:
    given = channel("shop", "shopify", SHOPIFY)
    asked = {"goneOrders": "ASK", "goneOrderMinutes": 30}
    default, chosen, wrong = registered(
        world, given, {**given, **asked}, {**given, "goneOrderMinutes": -1}
    )
    assert (default["goneOrders"], default["goneOrderMinutes"]) == ("CANCEL", 0)
    assert {name: chosen[name] for name in asked} == asked
    assert (wrong["code"], wrong["message"]) == ("INVALID_INPUT", "0 to 525600 minutes")


def test_a_second_channel_of_the_same_account_is_refused_and_names_the_first(world: World) -> None:
    first, second, changed = registered(
        world,
        channel("one", "shopify", SHOPIFY),
        channel("two", "shopify", {**SHOPIFY, "shop_url": "http://ONE-SHOP.myshopify.com/"}),
        channel("one", "shopify", {**SHOPIFY, "access_token": "shpat_another_token"}),
    )
    assert first["account"] == ["one-shop.myshopify.com"]
    assert (second["__typename"], second["code"]) == ("AccountInUse", "ACCOUNT_IN_USE")
    assert second["channel"] == "one"
    assert changed["__typename"] == "Channel"
    assert world.value("SELECT COUNT(*) FROM channel WHERE connector = 'shopify'") == 1


def test_marketplaces_of_one_seller_are_parts_of_their_own(world: World) -> None:
    us, ca, both = registered(
        world,
        channel("us", "amazon", {**AMAZON, "marketplace_ids": [US]}),
        channel("ca", "amazon", {**AMAZON, "marketplace_ids": ["A2EUQ1WTGCTBG2"]}),
        channel("both", "amazon", {**AMAZON, "marketplace_ids": ["A1AM78C64UM0Y8", US]}),
    )
    assert [us["__typename"], ca["__typename"]] == ["Channel", "Channel"]
    assert both["channel"] == "us"


def test_the_whole_shop_and_one_of_its_counters_overlap(world: World) -> None:
    counter = {**SHOPIFY, "orders": "counter"}
    other = {**counter, "location_id": "gid://shopify/Location/2"}
    till, second_till, shop = registered(
        world,
        channel("till-1", "shopify", counter),
        channel("till-2", "shopify", other),
        channel("shop", "shopify", SHOPIFY),
    )
    assert [till["__typename"], second_till["__typename"]] == ["Channel", "Channel"]
    assert shop["channel"] == "till-1"


def test_an_account_is_shared_where_a_person_states_it(world: World) -> None:
    first, second, changed = registered(
        world,
        channel("one", "shopify", SHOPIFY),
        channel("two", "shopify", SHOPIFY, shareAccount=True),
        channel("one", "shopify", SHOPIFY),
    )
    assert second["sharesAccount"] is True
    assert [each["__typename"] for each in (first, second, changed)] == ["Channel"] * 3


def test_a_connector_that_names_no_account_may_be_connected_twice(world: World) -> None:
    """Two channels may write their histories into one repository of events."""
    settings = {"base_url": "https://epcis.test"}
    done = registered(world, channel("a", "epcis", settings), channel("b", "epcis", settings))
    assert [each["__typename"] for each in done] == ["Channel", "Channel"]


def test_a_channel_shows_since_when_nothing_came(world: World) -> None:
    row = world.channel()
    error = Transient("GET /orders: 504", timed_out=True)
    world.write(lambda tx: streams.succeeded(tx, row["id"], streams.ORDERS, world.now))
    last = world.now
    world.pass_time(minutes=3)
    for _ in range(2):
        world.write(
            lambda tx: streams.failed(
                tx, row["id"], streams.ORDERS, str(error), world.now, timed_out=True
            )
        )

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        (stream,) = (await ops.ask(STREAMS, code="shop"))["channel"]["streams"]
        assert stream == {
            "name": "orders",
            "attempts": 3,
            "failures": 2,
            "failingSince": world.now.isoformat(),
            "lastSuccessAt": last.isoformat(),
            "error": "GET /orders: 504",
            "pageDivisor": 4,
        }

    play(world, story)
