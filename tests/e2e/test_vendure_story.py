"""The main job against a real shop server, from the shopper's click to the healed difference."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.simulators import ShopifyTwin, serve
from e2e.vendure_server import VendureServer, vendure_server, why_not
from hub import keys
from hub.__main__ import compose
from hub.clock import now
from hub.database import open_database
from hub.demo import Api
from hub.keys import Scope
from hub.settings import Settings
from world import KEY

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

REGISTER = """mutation { registerCatalogue(
  manufacturers: [{code: "LUMEN", name: "Lumen"}],
  products: [{sku: "CAM-X1", name: "Camera", manufacturer: "LUMEN"}],
  locations: [{code: "WH", name: "Warehouse", kind: WAREHOUSE}]) { __typename } }"""
CHANNEL = """mutation($channel: ChannelInput!) { registerChannel(channel: $channel) {
  __typename ... on Problem { code message } } }"""
RECEIVE = """mutation($units: [ArrivalInput!]!) {
  receiveUnits(idempotencyKey: "r", units: $units, location: "WH", putAway: true) {
    ... on Movement { accepted } ... on Problem { code message } } }"""
RECONCILE = """mutation($channel: String!) { reconcile(channel: $channel) {
  ... on ReconciliationStarted { runs { scope state error differences { nodes { kind subject cause
    state evidence ledgerClaim remoteClaim } } } } ... on Problem { code message } } }"""
LEVELS = """{ channels { lag { levelsWaiting factsWaiting inboxWaiting dead } } }"""
ORDERS = """{ orders { nodes { number channel state
  lines { sku units { id serial status } } } } }"""
SHIP = """mutation($units: [UnitInput!]!) {
  pick: pickUnits(idempotencyKey: "p", units: $units) { __typename }
  pack: packUnits(idempotencyKey: "q", units: $units) { __typename }
  ship: shipUnits(idempotencyKey: "s", units: $units, carrier: "UPS", tracking: "1Z999") {
    __typename ... on Movement { accepted } ... on Problem { code message } } }"""
FULFILMENTS = """query($id: ID!) { order(id: $id) { state fulfillments { state trackingCode
  customFields { serials } } } }"""
STOCK = """{ productVariants(options: {filter: {sku: {eq: "CAM-X1"}}}) { items { id
  stockLevels { stockOnHand stockAllocated stockLocation { id } } } } }"""
SET_STOCK = """mutation($i: [UpdateProductVariantInput!]!) { updateProductVariants(input: $i) {
  id } }"""


@dataclass
class Play:
    """The hub, a real shop and a second channel."""

    hub: Api
    shop: VendureServer
    twin: ShopifyTwin


@asynccontextmanager
async def curtain(url: str, directory: Path) -> AsyncIterator[Play]:
    """Run the hub with its jobs, and tell the shop where its webhooks go."""
    settings = Settings(database=url, secret_key=KEY, poll_seconds=3600, reconcile_seconds=3600)
    database = open_database(url)
    _, secret = database.write_now(lambda tx: keys.create(tx, "e2e", [Scope.ADMIN], now()))
    twin = ShopifyTwin()
    try:
        async with (
            serve(compose(settings, database, works=True), lifespan="on") as hub_url,
            serve(twin.app) as twin_url,
        ):
            api = Api(hub_url, secret)
            with vendure_server(f"{hub_url}/webhooks/vendure", "CAM-X1:0") as shop:
                await set_up(api, shop, twin, twin_url)
                yield Play(api, shop, twin)
            await twin.aclose()
            await api.aclose()
    finally:
        database.close()


async def set_up(api: Api, shop: VendureServer, twin: ShopifyTwin, twin_url: str) -> None:
    twin.add_item("CAM-X1", 0)
    await api.ask(REGISTER)
    units = [{"serial": f"SN-{number:04}", "product": "CAM-X1"} for number in range(1, 6)]
    await api.ask(RECEIVE, units=units)
    for code, connector, settings in (
        ("vendure", "vendure", shop.settings()),
        ("shopify", "shopify", twin.settings(twin_url)),
    ):
        channel = {"code": code, "name": code, "connector": connector, "settings": settings}
        await api.ask(CHANNEL, channel=channel)
        await api.ask(RECONCILE, channel=code)  # binds what has the SKU of a product
    await settled(api)


async def settled(api: Api) -> dict[str, Any]:
    """Wait until nothing is on its way."""
    async with asyncio.timeout(60):
        while True:
            data = await api.ask(LEVELS)
            lags = [channel["lag"] for channel in data["channels"]]
            if not any(lag[name] for lag in lags for name in lag if name != "dead"):
                return data
            await asyncio.sleep(0.1)


async def in_thread(work: Any, *arguments: Any) -> Any:
    """Call the real server without blocking the hub, which runs in this loop."""
    return await asyncio.to_thread(work, *arguments)


def shown_by(shop: VendureServer) -> int:
    (variant,) = shop.as_admin(STOCK)["productVariants"]["items"]
    (level,) = variant["stockLevels"]
    return int(level["stockOnHand"]) - int(level["stockAllocated"])


def edit_stock(shop: VendureServer, on_hand: int) -> None:
    (variant,) = shop.as_admin(STOCK)["productVariants"]["items"]
    location = variant["stockLevels"][0]["stockLocation"]["id"]
    change = {"stockLocationId": location, "stockOnHand": on_hand}
    shop.as_admin(SET_STOCK, i=[{"id": variant["id"], "stockLevels": [change]}])


async def open_order(api: Api) -> dict[str, Any]:
    """Wait until the order has come in by webhook or poll."""
    async with asyncio.timeout(60):
        while True:
            nodes = (await api.ask(ORDERS))["orders"]["nodes"]
            if nodes:
                return dict(nodes[0])
            await asyncio.sleep(0.1)


def test_a_shoppers_order_is_served_and_drift_is_healed(url: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with curtain(url, tmp_path) as play:
            assert await in_thread(shown_by, play.shop) == 5
            assert play.twin.quantity("CAM-X1") == 5
            remote_id = await in_thread(play.shop.shopper.place_order, "CAM-X1", 2)
            units = await the_order_comes_in_and_other_channels_fall(play)
            await the_shop_shows_the_serials(play, remote_id, units)
            await an_edit_behind_our_back_is_healed(play)

    asyncio.run(story())


async def the_order_comes_in_and_other_channels_fall(play: Play) -> list[dict[str, Any]]:
    order = await open_order(play.hub)
    assert (order["channel"], order["state"]) == ("vendure", "OPEN")
    (line,) = order["lines"]
    assert [unit["serial"] for unit in line["units"]] == ["SN-0001", "SN-0002"]
    await settled(play.hub)
    assert play.twin.quantity("CAM-X1") == 3
    assert await in_thread(shown_by, play.shop) == 3
    return list(line["units"])


async def the_shop_shows_the_serials(
    play: Play, remote_id: str, units: list[dict[str, Any]]
) -> None:
    shipped = await play.hub.ask(SHIP, units=[{"identifier": unit["id"]} for unit in units])
    assert shipped["ship"]["accepted"] == 2
    data = await settled(play.hub)
    assert [channel["lag"]["dead"] for channel in data["channels"]] == [0, 0]
    seen = await in_thread(lambda: play.shop.as_admin(FULFILMENTS, id=remote_id))
    (fulfilment,) = seen["order"]["fulfillments"]
    assert fulfilment["state"] == "Shipped"
    assert fulfilment["trackingCode"] == "1Z999"
    assert sorted(fulfilment["customFields"]["serials"]) == ["SN-0001", "SN-0002"]
    assert (await open_order(play.hub))["state"] == "FULFILLED"


async def an_edit_behind_our_back_is_healed(play: Play) -> None:
    await in_thread(edit_stock, play.shop, 77)
    runs = (await play.hub.ask(RECONCILE, channel="vendure"))["reconcile"]["runs"]
    assert [run["state"] for run in runs] == ["finished"] * len(runs), runs
    found = [each for run in runs for each in run["differences"]["nodes"]]
    (edit,) = [each for each in found if each["kind"] == "QUANTITY"]
    assert (edit["subject"], edit["cause"], edit["state"]) == ("CAM-X1", "FOREIGN_EDIT", "healed")
    assert (edit["ledgerClaim"], edit["remoteClaim"]) == ({"quantity": 3}, {"quantity": 77})
    assert await in_thread(shown_by, play.shop) == 3
