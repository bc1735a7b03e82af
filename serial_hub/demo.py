"""The demo: the hub with three simulated channels over real HTTP, told as one story.

A shop, a till and a manufacturer's warranty database are served on loopback; everything that the
hub is told goes through its public API, as any client would. In the end every side must agree.
"""

import asyncio
import random
import shutil
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from starlette.applications import Starlette

from connectors.shopify.simulator.server import ShopifySimulator
from connectors.square.simulator.server import SquareSimulator
from connectors.testing.serving import serve
from connectors.warranty_rest.simulator import WarrantySimulator
from hub.access import keys
from hub.access.keys import Scope
from hub.clock import now
from hub.ledger import hash_chain
from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.migrations import migrate
from serial_hub.shop.opening import opened_shop

FOLDER = Path("demo-data")
UNITS = 1_000
BATCH = 50
SETTLE_SECONDS_MAX = 60.0
GRACE_SECONDS = 1
Compose = Callable[..., Starlette]

CATALOGUE = [
    ("CAM-X1", "Mirrorless camera X1", "LUMEN"),
    ("CAM-X2", "Mirrorless camera X2", "LUMEN"),
    ("LENS-35", "Lens 35 mm f/1.8", "LUMEN"),
    ("LENS-85", "Lens 85 mm f/1.4", "LUMEN"),
    ("DRONE-A", "Survey drone A", "AERIS"),
    ("DRONE-B", "Survey drone B", "AERIS"),
    ("GIMBAL-3", "Three-axis gimbal", "AERIS"),
    ("MON-PATIENT", "Patient monitor PM-7", "MEDIX"),
    ("PUMP-INF", "Infusion pump IP-2", "MEDIX"),
    ("SAW-TRACK", "Track saw TS-55", "TOOLCO"),
]
MAKERS = {"LUMEN": "Lumen Optics", "AERIS": "Aeris", "MEDIX": "Medix", "TOOLCO": "Toolco"}
WARRANTY_MAKER = "LUMEN"

REGISTER = """mutation($key: String!, $makers: [ManufacturerInput!], $products: [ProductInput!],
  $places: [LocationInput!]) { registerCatalogue(idempotencyKey: $key, manufacturers: $makers,
  products: $products, locations: $places) { __typename ... on Problem { code message } } }"""
CHANNEL = """mutation($key: String!, $channel: ChannelInput!) {
  registerChannel(idempotencyKey: $key, channel: $channel) {
  __typename ... on Problem { code message } } }"""
RECEIVE = """mutation($key: String!, $units: [ArrivalInput!]!, $place: String!) {
  receiveUnits(idempotencyKey: $key, units: $units, location: $place, putAway: true,
    context: { capturedBy: SCAN, documentType: "po", documentRef: "PO-2026-117" }) {
    __typename ... on CommandResult { accepted refused } ... on Problem { code message } } }"""
OPEN_ORDERS = """query { orders(first: 50, state: OPEN) { nodes { number channel
  lines { id sku units { id serial status } } } } }"""
FULFIL = """mutation($pick: String!, $pack: String!, $ship: String!, $units: [UnitInput!]!,
  $tracking: String!) {
  pick: pickUnits(idempotencyKey: $pick, units: $units) { __typename }
  pack: packUnits(idempotencyKey: $pack, units: $units) { __typename }
  ship: shipUnits(idempotencyKey: $ship, units: $units, carrier: "UPS", tracking: $tracking) {
    __typename ... on CommandResult { accepted refused } ... on Problem { code message } } }"""
RECONCILE = """mutation($key: String!, $channel: String!) {
  reconcile(idempotencyKey: $key, channel: $channel) { __typename
  ... on ReconciliationStarted { runs { id scope state compared matched inFlight differencesFound
    healed error differences { nodes { kind subject cause evidence state ledgerClaim remoteClaim
    } } } } ... on Problem { code message } } }"""
AVAILABILITY = """query($skus: [String!]!) { availability(skus: $skus) { sku available
  channels { channel desired isPending } } }"""
DECISIONS = """query { differences { nodes { channel kind subject evidence } } }"""
LAG = """query { channels { code state lag { levelsWaiting factsWaiting inboxWaiting dead } } }"""


class DemoFailed(RuntimeError):
    """The story did not go as it should."""


@dataclass
class Stage:
    """Everything that plays a part."""

    hub: "Api"
    database: Database
    shop: ShopifySimulator
    till: SquareSimulator
    maker: WarrantySimulator
    url: str
    secret: str
    console: Console
    orders: int = 0
    sold: int = 0
    serials: dict[str, list[str]] = field(default_factory=dict)

    @property
    def skus(self) -> list[str]:
        """Return the SKUs of the catalogue."""
        return [sku for sku, _, _ in CATALOGUE]


class Api:
    """A client of the hub's GraphQL API."""

    def __init__(self, url: str, secret: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {secret}"}, timeout=120.0
        )

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Send a document and return its data; a problem or an error ends the story.

        A document that declares `$key` and is given none has an idempotency key of its own.
        """
        body = {"query": document, "variables": {"key": token_hex(16)} | variables}
        answer = (await self._client.post("/graphql", json=body)).json()
        if answer.get("errors"):
            raise DemoFailed(str(answer["errors"]))
        data: dict[str, Any] = answer["data"]
        for value in data.values():
            if isinstance(value, dict) and "code" in value:
                raise DemoFailed(f"{value['code']}: {value['message']}")
        return data

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def run(compose: Compose, *, once: bool, port: int) -> None:
    """Tell the story; without `once` the hub goes on until it is stopped."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    settings = Settings(
        database=f"sqlite:///{FOLDER / 'serial-hub.db'}",
        # The story itself says when to look: nothing shall heal what it is about to show.
        poll_seconds=3_600,
        reconcile_seconds=3_600,
        reconcile_grace_seconds=GRACE_SECONDS,
        private_hosts="127.0.0.1",  # where the simulated channels are
    )
    migrate(settings.database)
    agreed = asyncio.run(_play(compose, settings, once=once, port=0 if once else port))
    if not agreed:
        sys.exit("The ledger and the channels do not agree.")


async def _play(compose: Compose, settings: Settings, *, once: bool, port: int) -> bool:
    console = Console()
    database = settings.open_database()
    async with AsyncExitStack() as stack:
        stack.callback(database.close)
        stage = await _raise_curtain(stack, compose, settings, database, console, port)
        await _stock(stage)
        await _sell(stage)
        await _fulfil(stage)
        await _break(stage)
        await _reconcile(stage)
        agreed = await _agree(stage)
        await _leave_decisions(stage)
        if once:
            _where_to_look(stage, agreed=agreed)
            return agreed
        shop = opened_shop(stage.url, stage.hub.ask, port + 1 if port else 0)
        _where_to_look(stage, agreed=agreed, shop_url=await stack.enter_async_context(shop))
        await _go_on(stage)
    return agreed


async def _raise_curtain(
    stack: AsyncExitStack,
    compose: Compose,
    settings: Settings,
    database: Database,
    console: Console,
    port: int,
) -> Stage:
    scopes = [Scope.ADMIN]
    _, secret = database.write_now(lambda tx: keys.create(tx, "demo", scopes, now()))
    app = compose(settings, database, works=True)
    url = await stack.enter_async_context(serve(app, port=port, lifespan="on"))
    api = Api(url, secret)
    stack.push_async_callback(api.aclose)
    shop, till, maker = ShopifySimulator(), SquareSimulator(), WarrantySimulator()
    for twin in (shop, till, maker):
        stack.push_async_callback(twin.aclose)
    stage = Stage(api, database, shop, till, maker, url, secret, console)
    shop_url, till_url, maker_url = [
        await stack.enter_async_context(serve(twin.app)) for twin in (shop, till, maker)
    ]
    await _register(stage)
    for code, name, connector, remote_settings, maker_code in (
        ("webshop", "Web shop (Shopify)", "shopify", shop.settings(shop_url), None),
        ("till", "Shop counter (Square)", "square", _till_settings(stage, till_url), None),
        ("lumen", "Lumen warranty", "warranty_rest", maker.settings(maker_url), WARRANTY_MAKER),
    ):
        channel = {
            "code": code,
            "name": name,
            "connector": connector,
            "settings": remote_settings,
            "manufacturer": maker_code,
            # An order that its channel erased is a question here, so that it can be seen.
            "goneOrders": "ASK",
        }
        await api.ask(CHANNEL, channel=channel)
    shop.subscribers.append(f"{url}/webhooks/webshop")
    till.subscribers.append(f"{url}/webhooks/till")
    console.print(f"[green]●[/] hub at {url}, three channels over real HTTP")
    return stage


def _till_settings(stage: Stage, till_url: str) -> dict[str, Any]:
    return stage.till.settings(till_url, notification_url=f"{stage.url}/webhooks/till")


async def _register(stage: Stage) -> None:
    products = [
        {"sku": sku, "name": name, "manufacturer": maker, "warrantyMonths": 24}
        for sku, name, maker in CATALOGUE
    ]
    places = [
        {"code": "WH", "name": "Central warehouse", "kind": "WAREHOUSE"},
        {"code": "WH-A1", "name": "Aisle A, shelf 1", "kind": "WAREHOUSE", "site": "WH"},
        {"code": "WH-B1", "name": "Aisle B, shelf 1", "kind": "WAREHOUSE", "site": "WH"},
        {"code": "SHOP", "name": "Flagship shop", "kind": "STORE"},
        {"code": "RETURNS", "name": "Returns desk", "kind": "RETURNS"},
    ]
    makers = [{"code": code, "name": name} for code, name in MAKERS.items()]
    await stage.hub.ask(REGISTER, makers=makers, products=products, places=places)


async def _stock(stage: Stage) -> None:
    """Receive the units, list them at both channels, and let the first levels go out."""
    for sku, name, _ in CATALOGUE:
        stage.shop.add_item(sku, 0, name)
        stage.till.add_variation(sku, 0, name)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=stage.console) as progress:
        receiving = progress.add_task("receiving units", total=UNITS)
        for start in range(0, UNITS, BATCH):
            units = [_new_unit(stage, number) for number in range(start, start + BATCH)]
            place = random.choice(("WH-A1", "WH-B1", "SHOP"))
            await stage.hub.ask(RECEIVE, key=f"receive-{start}", units=units, place=place)
            progress.advance(receiving, BATCH)
    # The first reconciliation binds every listing whose SKU is a product of ours.
    for code in ("webshop", "till"):
        await stage.hub.ask(RECONCILE, channel=code)
    await _settle(stage)
    stage.console.print("[green]●[/] listings bound, levels on both channels")


def _new_unit(stage: Stage, number: int) -> dict[str, Any]:
    sku, _, maker = CATALOGUE[number % len(CATALOGUE)]
    serial = f"{maker[:2]}{26_000_000 + number}"
    stage.serials.setdefault(sku, []).append(serial)
    if maker == WARRANTY_MAKER:
        ends_on = datetime.now(UTC).date() + timedelta(days=730)
        stage.maker.add_unit(serial, sku, ends_on=ends_on)
    return {"serial": serial, "product": sku}


async def _sell(stage: Stage) -> None:
    """Let orders arrive on both channels; the till names the serials that it sold."""
    for number in range(24):
        sku = stage.skus[number % len(stage.skus)]
        stage.shop.place_order({sku: 1 + number % 2})
        stage.orders += 1
        if number % 2:
            stage.till.sell(sku, note=f"SN: {stage.serials[sku].pop()}")
            stage.orders += 1
            stage.sold += 1
    await _settle(stage)
    stage.console.print(f"[green]●[/] {stage.orders} orders came in by webhook")


async def _fulfil(stage: Stage) -> None:
    """Pick, pack and ship what the web shop sold."""
    data = await stage.hub.ask(OPEN_ORDERS)
    shipped = 0
    for order in data["orders"]["nodes"]:
        units = [{"identifier": unit["id"]} for line in order["lines"] for unit in line["units"]]
        if not units:
            continue
        tracking = f"1Z{order['number'].strip('#'):0>10}"
        steps = {step: f"{step}-{order['number']}" for step in ("pick", "pack", "ship")}
        data = await stage.hub.ask(FULFIL, units=units, tracking=tracking, **steps)
        shipped += data["ship"]["accepted"]
    await _settle(stage)
    stage.console.print(f"[green]●[/] {shipped} units shipped; the shop was told their serials")


async def _break(stage: Stage) -> None:
    """Lose a webhook, and let somebody change a quantity in the shop's own back office."""
    stage.shop.lose_webhooks = True
    stage.shop.place_order({"CAM-X1": 2})
    stage.shop.lose_webhooks = False
    stage.shop.set_quantity("DRONE-A", stage.shop.quantity("DRONE-A") + 7)
    await asyncio.sleep(2 * GRACE_SECONDS)  # a younger order might still be on its way
    stage.console.print("[yellow]●[/] a webhook was lost, and someone edited a quantity by hand")


async def _reconcile(stage: Stage) -> None:
    table = Table("channel", "scope", "compared", "matched", "on its way", "different", "healed")
    found = Table("channel", "what", "subject", "why", "state")
    for code in ("webshop", "till", "lumen"):
        data = await stage.hub.ask(RECONCILE, channel=code)
        for run in data["reconcile"]["runs"]:
            if run["state"] != "finished":
                raise DemoFailed(f"reconciliation of {code}: {run['error']}")
            numbers = ("compared", "matched", "inFlight", "differencesFound", "healed")
            table.add_row(code, run["scope"].lower(), *[str(run[name]) for name in numbers])
            for each in run["differences"]["nodes"]:
                words = [each[name].lower().replace("_", " ") for name in ("kind", "cause")]
                found.add_row(code, words[0], each["subject"], words[1], each["state"])
    await _settle(stage)
    stage.console.print(table)
    stage.console.print(found)
    causes = set(found.columns[3].cells)
    if not {"lost webhook", "foreign edit"} <= causes:
        raise DemoFailed(f"reconciliation did not find what was broken: {sorted(map(str, causes))}")


async def _settle(stage: Stage) -> None:
    """Wait until nothing is on its way in either direction."""
    await stage.shop.settle()
    await stage.till.settle()
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while True:
            data = await stage.hub.ask(LAG)
            lags = [channel["lag"] for channel in data["channels"]]
            if not any(lag[name] for lag in lags for name in lag if name != "dead"):
                return
            await asyncio.sleep(0.05)


async def _agree(stage: Stage) -> bool:
    """Hold every side against the ledger."""
    data = await stage.hub.ask(AVAILABILITY, skus=stage.skus)
    table = Table("SKU", "ledger", "web shop", "till", "")
    agreed = True
    for row in data["availability"]:
        sku, available = row["sku"], row["available"]
        there = (stage.shop.quantity(sku), stage.till.quantity(sku))
        same = set(there) == {available}
        agreed &= same
        mark = "[green]agrees[/]" if same else "[red]differs[/]"
        table.add_row(sku, str(available), *map(str, there), mark)
    stage.console.print(table)
    sold = await stage.database.report(
        lambda tx: tx.rows(
            "SELECT unit.serial FROM unit JOIN manufacturer ON manufacturer.id = "
            "unit.manufacturer_id WHERE manufacturer.code = :maker "
            "AND unit.status IN ('sold', 'shipped')",
            maker=WARRANTY_MAKER,
        )
    )
    missing = [row["serial"] for row in sold if stage.maker.sold_on(row["serial"]) is None]
    proof = await stage.database.report(hash_chain.verify)
    stage.console.print(
        f"[green]●[/] {len(sold) - len(missing)} of {len(sold)} sales registered with the maker; "
        f"{proof.events} events of {proof.units} units verified, {len(proof.breaks)} breaks"
    )
    return agreed and not missing and not proof.breaks


async def _leave_decisions(stage: Stage) -> None:
    """Bring about what only a person can decide, and show that it waits for one."""
    stage.shop.add_item("CAM-X2", 5, "Mirrorless camera X2, copy")
    erased = stage.shop.place_order({"LENS-85": 1})
    await _settle(stage)
    stage.shop.erase_order(erased)
    sold = await stage.database.report(
        lambda tx: tx.value(
            "SELECT unit.serial FROM unit JOIN outbox ON outbox.subject = unit.id "
            "WHERE outbox.topic = 'registration' AND outbox.state = 'sent' ORDER BY unit.serial"
        )
    )
    stage.maker.forget_unit(str(sold))
    await asyncio.sleep(2 * GRACE_SECONDS)
    for _ in range(2):  # what is gone is gone at two looks
        for code in ("webshop", "lumen"):
            await stage.hub.ask(RECONCILE, channel=code)
        await asyncio.sleep(2 * GRACE_SECONDS)
    data = await stage.hub.ask(DECISIONS)
    table = Table("channel", "what", "subject", "evidence", title="Decisions for you")
    for each in data["differences"]["nodes"]:
        kind = each["kind"].lower().replace("_", " ")
        table.add_row(each["channel"], kind, each["subject"], each["evidence"])
    stage.console.print(table)
    kinds = {each["kind"] for each in data["differences"]["nodes"]}
    if kinds != {"DUPLICATE_LISTING", "UNKNOWN_ORDER", "UNKNOWN_SERIAL"}:
        raise DemoFailed(f"other decisions than expected are open: {sorted(kinds)}")


def _where_to_look(stage: Stage, *, agreed: bool, shop_url: str | None = None) -> None:
    verdict = "[green]agreed[/]" if agreed else "[red]did not agree[/]"
    lines = [
        f"The ledger and all channels {verdict}.",
        "Since then three things happened that only you can decide.",
    ]
    if shop_url is not None:
        lines += [
            "",
            f"Decisions  {stage.url}/console/differences",
            f"Console    {stage.url}/console/",
            f"GraphiQL   {stage.url}/graphql  (with ready operations)",
            f"API key    {stage.secret}",
            f"Shop       {shop_url}/  (an example storefront, with a publishable key)",
            "",
            "Orders keep arriving; stop with Ctrl+C.",
        ]
    stage.console.print(Panel("\n".join(lines), title="Serial Hub", expand=False))


async def _go_on(stage: Stage) -> None:
    """Let an order arrive now and then, so that there is something to see."""
    while True:
        await asyncio.sleep(random.uniform(3, 8))
        sku = random.choice(stage.skus)
        stage.shop.place_order({sku: 1})
