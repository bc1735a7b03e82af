"""A database with rows in every table: what was commanded at random, and the rest on purpose."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Float, Integer, LargeBinary, Table, Text

from api_client import Caller, Hub
from commanding import SERIALS, Situation, document, mutations
from connectors import PushedEvent, PushEvents, SendNotice
from hub import catalogue, imports, webhooks
from hub.access import keys
from hub.access.keys import Scope
from hub.catalogue import ManufacturerCard, ProductCard
from hub.clock import new_id
from hub.commands.context import CommandContext
from hub.imports import Plan
from hub.recalls import notices, people
from hub.recalls.people import Contact
from hub.storage.database import Database
from hub.storage.model import metadata
from hub.storage.sql import Row, Transaction
from hub.sync import circuit, inbox, rate_limits
from hub.vocabulary import LedgerEvent, Notice, NoticeReceipt
from hub.webhooks import EndpointCard, signing
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from jobs.warranty import lookup
from poisoning.walking import work
from recalling import open_recall, sell
from recording import Calling, _Fixed, stage
from shopping.steps import check_out, reserve
from world import NOON, World

# About the hub itself; the rest fills tables.
LEFT_OUT = {"pauseChannel", "revokeApiKey", "registerChannel", "erasePerson", "reconcile"}
STORIES = (
    ("sellUnits", "checkReturn", "acceptReturn", "routeReturn"),
    ("sellUnits", "openClaim", "decideClaim"),
    ("openCount", "countUnits", "compareCount"),
    ("announceShipment", "grantCover", "linkLicense", "linkIdentifier"),
    ("assembleKit", "recordCosts", "recordReadings", "setUnitFields"),
    ("openRecall", "holdUnits", "mergeUnits"),
    ("putCaseRule", "setCaseOwner"),
    ("captureUnserializedStock", "reportFailedCapture", "putAlternatives", "recordService"),
)
GIVEN: dict[str, dict[str, Any]] = {
    "linkIdentifier": {"identifier": "OK-1", "scheme": "asset", "value": "A-77"},
    "putAlternatives": {"sku": "CAM", "alternatives": ["LENS"]},
    "putDecisionRule": {
        "topic": "CLAIM", "code": "r-1", "name": "Always", "rank": 1, "decision": "REPAIR",
    },
    "scheduleReconciliation": {
        "channel": "rec", "scope": "ORDERS", "everySeconds": 3600,
        "blackouts": [{"begin": "01:00", "end": "02:00"}],
    },
    "recordReadings": {
        "units": [{"identifier": "OK-1"}],
        "readings": [
            {"type": "temperature", "value": 4.5, "unitOfMeasure": "CEL",
             "measuredAt": NOON.isoformat()}
        ],
    },
}  # fmt: skip


class Filling(Calling, PushEvents, SendNotice):
    """A channel that does all that a channel can do, and shows what the hub does not have."""

    async def push_events(self, events: Sequence[LedgerEvent]) -> Sequence[PushedEvent]:
        return [PushedEvent(event.id) for event in events]

    async def read_push(self, job: str, events: Sequence[LedgerEvent]) -> Sequence[PushedEvent]:
        return [PushedEvent(event.id) for event in events]

    async def send_notice(self, notice: Notice) -> str:
        return "sent"

    def receipts(self, topic: str, body: bytes) -> Sequence[NoticeReceipt]:
        return []


class Dice:
    """Draws from strategies of Hypothesis as a seed has it, for a world that is always the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def draw_from(self, values: Sequence[Any]) -> Any:
        """Return one of some values."""
        return self._random.choice(values)

    def draw(self, strategy: Any) -> Any:
        """Return a value of an integers, sampled_from or booleans strategy."""
        plain = getattr(strategy, "wrapped_strategy", strategy)
        if hasattr(plain, "elements"):
            return self._random.choice(list(plain.elements))
        if hasattr(plain, "start"):
            return self._random.randint(plain.start, plain.end)
        return self._random.random() < 0.5


@dataclass(frozen=True)
class Full:
    """A database with a row in every table, an admin's key, and its time."""

    url: str
    secret: str
    now: datetime


def fill(database: Database, folder: Path) -> Full:
    """Fill an empty database; the files that are read are written into `folder`."""
    world = World(database)
    world.write(_first)
    world.write(world._register)
    world.channel("first")
    _, _, channel = stage(world, Filling)
    for sku in ("CAM", "LENS"):
        world.list_product(channel, sku, {"id": sku})
    world.receive(*SERIALS[:4])
    world.receive(*SERIALS[4:6], sku="LENS", put_away=False)
    world.receive("OK-1", "OK-2", identifiers=())
    for number in range(3):
        world.accept(channel, world.order(f"o-{number}"))
    world.announce(channel, world.returned())
    secret = world.write(lambda tx: keys.create(tx, "all", [Scope.ADMIN], world.now)[1])
    _endpoints(world)
    asyncio.run(_command(world, Dice(13)))
    _recalled(world, channel)
    _read_in(world, folder)
    made = Full(database.url, secret, world.now)
    _compared(world, channel)
    asyncio.run(work(database, made.now, Filling()))
    asyncio.run(_asked(world))
    _of_the_channel(world, channel)
    world.receive("OK-3")
    world.channel("last")
    world.write(_rest)
    return made


def _first(tx: Transaction) -> None:
    """Register the maker and the product that are the oldest."""
    context = CommandContext(actor="tester", now=NOON)
    catalogue.register_manufacturer(tx, context, ManufacturerCard(code="FIRST", name="First"))
    card = ProductCard(sku="FIRST", name="First", manufacturer="FIRST")
    catalogue.register_product(tx, context, card)


def _endpoints(world: World) -> None:
    """Three partners that are told of everything; nobody changes the second one."""
    for name in ("one", "two", "three"):
        card = EndpointCard(url=f"http://127.0.0.1:9/{name}")
        sealed = webhooks.seal(world.vault, signing.new_secret(signing.Signature.HMAC))
        world.write(
            lambda tx, card=card, sealed=sealed: webhooks.create(  # type: ignore[misc]
                tx, world.context(), card, sealed, private=True
            )
        )


async def _command(world: World, dice: Dice) -> None:
    hub = Hub(world)
    caller = await hub.caller(Scope.ADMIN)
    situation = Situation(world)
    for number, (mutation, given) in enumerate(GIVEN.items()):
        named = {"idempotencyKey": f"given-{number}"} | given
        await caller.ask(document(mutation, tuple(sorted(named))), **named)
    await _shopped(caller)
    rest = sorted(set(mutations()) - LEFT_OUT)
    for story in (*STORIES * 6, *([each] for each in rest * 4)):
        serial = dice.draw_from(SERIALS)
        for mutation in story:
            drawn = situation.arguments(mutation, dice.draw, identifier=serial, serial=serial)
            if drawn is not None:
                await caller.post(document(mutation, tuple(sorted(drawn))), **drawn)
    await hub.opened.aclose()


async def _shopped(caller: Caller) -> None:
    await reserve(caller, "c-1", ("CAM", 1))
    await check_out(caller, "c-1")
    await reserve(caller, "c-2", ("CAM", 1))


def _recalled(world: World, channel: Row) -> None:
    """Two customers have a unit that is recalled, and are told."""
    world.receive("RE-1", "RE-2", "RE-3")
    for number, serial in enumerate(("RE-1", "RE-2")):
        contact = Contact(name="Jo", email=f"jo{number}@example.com")
        world.write(
            lambda tx, number=number, contact=contact: people.put(  # type: ignore[misc]
                tx, world.context(), world.vault, f"c-{number}", contact
            )
        )
        sell(world, channel, f"s-{number}", serial, customer=f"c-{number}")
    recall = open_recall(world, "F-1", serials=["RE-1", "RE-2"])
    open_recall(world, "F-2", serials=["RE-3"])
    world.write(lambda tx: notices.tell_customers(tx, world.context(), recall, channel))


def _read_in(world: World, folder: Path) -> None:
    """Two files, each with a row that is refused."""
    for name in ("one", "two"):
        path = folder / f"{name}.csv"
        path.write_text(f"serial,sku\nIM-{name},CAM\nIM-{name}-2,NONE\n")
        run = imports.begin(world.database, world.context(), path, Plan(location="WH"))
        imports.carry_out(world.database, world.context(), run)


def _compared(world: World, channel: Row) -> None:
    """Compare a channel that shows other numbers, and listings and an order that nobody knows."""
    connector = Filling()
    connector.shown |= {"CAM": 99, "LENS": 98, "GHOST": 5, "GHOST-2": 6}
    connector.orders["x-1"] = world.order("x-1")
    runtime = Runtime(world.database, _Fixed(connector), clock=lambda: world.now, holder="test")
    options = RunOptions(trigger="test", heal=False, grace=timedelta())
    asyncio.run(reconcile.reconcile(runtime, channel, options))


async def _asked(world: World) -> None:
    """Ask the manufacturer about units."""
    connector = Filling()
    connector.serials |= set(SERIALS) | {"OK-1", "OK-2"}

    runtime = Runtime(world.database, _Fixed(connector), clock=lambda: world.now, holder="test")
    for serial in ("OK-1", "OK-2"):
        await lookup.answer(runtime, world.unit(serial)["id"])


def _of_the_channel(world: World, channel: Row) -> None:
    """What waits for the channel, and what is known of its limits."""
    now = world.now + timedelta(hours=1)
    bodies = (b"{}", b'{"ref": 1}')
    messages = [
        inbox.Message(channel["id"], f"d{number}", "pull", "order", body)
        for number, body in enumerate(bodies)
    ]

    def write(tx: Transaction) -> None:
        inbox.accept(tx, messages, now)
        circuit.failed(tx, channel["id"], "a", now)
        rate_limits.claim_token(tx, channel["id"], now)
        rate_limits.change_budget(tx, channel["id"], "calls", lambda kept: ("{}", None))

    world.write(write)


def _rest(tx: Transaction) -> None:
    """Write two plain rows into each table that is still empty."""
    for table in metadata.sorted_tables:
        if tx.value(f'SELECT COUNT(*) FROM "{table.name}"'):
            continue
        for end in ("ASC", "DESC"):
            row = {column.name: _plain(tx, column, end) for column in table.columns}
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join(f":{name}" for name in row)
            tx.run(f'INSERT INTO "{table.name}"({names}) VALUES({marks})', **row)


def _plain(tx: Transaction, column: Any, end: str) -> Any:
    for key in column.foreign_keys:
        there: Table = key.column.table
        statement = f'SELECT "{key.column.name}" FROM "{there.name}" ORDER BY 1 {end} LIMIT 1'
        return tx.value(statement)
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, Float | Integer):
        return 1
    if isinstance(column.type, LargeBinary):
        return b"{}"
    if isinstance(column.type, Text):
        return "{}"
    if column.primary_key:
        return new_id()[-(getattr(column.type, "length", None) or 36) :]
    return end.lower()[: getattr(column.type, "length", None)]
