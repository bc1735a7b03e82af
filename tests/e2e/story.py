"""The hub with a second channel beside it, for stories with a real server: what they share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from hub.access import keys
from hub.access.keys import Scope
from hub.clock import now
from hub.settings import Settings
from hub.storage.database import open_database
from serial_hub.cli import compose
from serial_hub.demo import Api
from world import KEY

SETTLE_SECONDS_MAX = 60
SHOP_STORY = "order by webhook → bound → shipped with serials → stock falls → foreign edit healed"
REGISTER = """mutation { registerCatalogue(idempotencyKey: "catalogue",
  manufacturers: [{code: "LUMEN", name: "Lumen"}],
  products: [{sku: "CAM-X1", name: "Camera", manufacturer: "LUMEN"}],
  locations: [{code: "WH", name: "Warehouse", kind: WAREHOUSE}]) { __typename } }"""
CHANNEL = """mutation($key: String!, $channel: ChannelInput!) {
  registerChannel(idempotencyKey: $key, channel: $channel) {
  __typename ... on Problem { code message } } }"""
RECEIVE = """mutation($units: [ArrivalInput!]!) {
  receiveUnits(idempotencyKey: "r", units: $units, location: "WH", putAway: true) {
    ... on CommandResult { accepted } ... on Problem { code message } } }"""
RECONCILE = """mutation($key: String!, $channel: String!) {
  reconcile(idempotencyKey: $key, channel: $channel) {
  ... on ReconciliationStarted { runs { scope state error differences { nodes { kind subject cause
    state evidence ledgerClaim remoteClaim } } } } ... on Problem { code message } } }"""
LEVELS = """{ channels { lag { levelsWaiting factsWaiting inboxWaiting dead } } }"""
ORDERS = """{ orders { nodes { number channel state
  lines { sku units { id serial status } } } } }"""
SHIP = """mutation($units: [UnitInput!]!) {
  pick: pickUnits(idempotencyKey: "p", units: $units) { __typename }
  pack: packUnits(idempotencyKey: "q", units: $units) { __typename }
  ship: shipUnits(idempotencyKey: "s", units: $units, carrier: "UPS", tracking: "1Z999") {
    __typename ... on CommandResult { accepted } ... on Problem { code message } } }"""


@dataclass(frozen=True)
class Hub:
    """A hub that serves and works in this loop."""

    api: Api
    url: str


@asynccontextmanager
async def working_hub(database_url: str) -> AsyncIterator[Hub]:
    """Run a hub with its jobs; nothing but what the story is about happens by schedule."""
    settings = Settings(
        database=database_url,
        secret_key=KEY,
        poll_seconds=3600,
        reconcile_seconds=3600,
        private_hosts="127.0.0.1,localhost",
    )
    database = open_database(database_url)
    _, secret = database.write_now(lambda tx: keys.create(tx, "e2e", [Scope.ADMIN], now()))
    try:
        async with serve(compose(settings, database, works=True), lifespan="on") as url:
            api = Api(url, secret)
            try:
                yield Hub(api, url)
            finally:
                await api.aclose()
    finally:
        database.close()


@asynccontextmanager
async def second_channel() -> AsyncIterator[tuple[ShopifySimulator, str]]:
    """Serve a twin that shows the same article, and falls when the first channel sells."""
    twin = ShopifySimulator()
    twin.add_item("CAM-X1", 0)
    async with serve(twin.app) as url:
        yield twin, url
    await twin.aclose()


async def set_up(api: Api, channels: dict[str, tuple[str, dict[str, Any]]]) -> None:
    """Receive five cameras and bind channels, by code: a connector and its settings."""
    await api.ask(REGISTER)
    units = [{"serial": f"SN-{number:04}", "product": "CAM-X1"} for number in range(1, 6)]
    await api.ask(RECEIVE, units=units)
    for code, (connector, settings) in channels.items():
        channel = {"code": code, "name": code, "connector": connector, "settings": settings}
        await api.ask(CHANNEL, channel=channel)
        await api.ask(RECONCILE, channel=code)  # binds what has the SKU of a product
    await settled(api)


async def settled(api: Api) -> dict[str, Any]:
    """Wait until nothing is on its way."""
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while True:
            data = await api.ask(LEVELS)
            lags = [channel["lag"] for channel in data["channels"]]
            if not any(lag[name] for lag in lags for name in lag if name != "dead"):
                return data
            await asyncio.sleep(0.1)


async def open_order(api: Api) -> dict[str, Any]:
    """Wait until the order has come in by webhook or poll."""
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while True:
            nodes = (await api.ask(ORDERS))["orders"]["nodes"]
            if nodes:
                return dict(nodes[0])
            await asyncio.sleep(0.1)


async def in_thread(work: Any, *arguments: Any) -> Any:
    """Call the real server without blocking the hub, which runs in this loop."""
    return await asyncio.to_thread(work, *arguments)


async def order_of_two(api: Api, channel: str) -> list[dict[str, Any]]:
    """Wait for the order of two cameras; returns the units that are promised to it."""
    order = await open_order(api)
    assert (order["channel"], order["state"]) == (channel, "OPEN")
    (line,) = order["lines"]
    assert [unit["serial"] for unit in line["units"]] == ["SN-0001", "SN-0002"]
    await settled(api)
    return list(line["units"])


async def ship(api: Api, units: list[dict[str, Any]]) -> None:
    """Pick, pack and ship units, and wait until every channel knows; nothing is left over."""
    shipped = await api.ask(SHIP, units=[{"identifier": unit["id"]} for unit in units])
    assert shipped["ship"]["accepted"] == len(units), shipped
    data = await settled(api)
    assert not any(channel["lag"]["dead"] for channel in data["channels"])


async def heals_a_foreign_edit(api: Api, channel: str, ours: int, theirs: int) -> None:
    """Reconcile a channel in which somebody changed the quantity behind the hub's back."""
    runs = (await api.ask(RECONCILE, channel=channel))["reconcile"]["runs"]
    assert [run["state"] for run in runs] == ["finished"] * len(runs), runs
    found = [each for run in runs for each in run["differences"]["nodes"]]
    (edit,) = [each for each in found if each["kind"] == "QUANTITY"]
    assert (edit["subject"], edit["cause"], edit["state"]) == ("CAM-X1", "FOREIGN_EDIT", "HEALED")
    claims = ({"quantity": ours}, {"quantity": theirs})
    assert (edit["ledgerClaim"], edit["remoteClaim"]) == claims
