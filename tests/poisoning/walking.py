"""All that reads: every query, page, feed and loop of the hub, walked over one database."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import httpx
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
    get_named_type,
    is_leaf_type,
)

from api_client import Hub
from commanding import CORE
from connectors.testing.serving import serve
from hub import webhooks
from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.sql import Transaction
from hub.sync import channels
from jobs import intake, relay, schedule
from jobs.runtime import Runtime
from jobs.webhooks.delivery import Courier
from jobs.webhooks.sending import Sender
from recording import Recording, _Fixed
from subscribing import listening
from world import KEY, World

PATHS = ("/", "/runs", "/differences", "/units", "/cases", "/orders", "/channels", "/webhooks")
# Of a product between the oldest and the newest: a unit is shown with its product, or not at all.
OF_CAM = (
    "SELECT unit.id FROM unit JOIN product ON product.id = product_id WHERE sku = 'CAM' "
    "ORDER BY unit.id"
)
# Pages of one record, by the statement that finds the oldest and the newest.
RECORDS = {
    "/runs/{}": "SELECT id FROM reconciliation_run ORDER BY id",
    "/runs/{}.csv": "SELECT id FROM reconciliation_run ORDER BY id",
    "/runs/{}.json": "SELECT id FROM reconciliation_run ORDER BY id",
    "/runs/{}/print": "SELECT id FROM reconciliation_run ORDER BY id",
    "/units/{}": OF_CAM,
    "/units/{}/certificate": OF_CAM,
    "/cases/{}": "SELECT id FROM exception_case ORDER BY id",
    "/orders/{}": "SELECT id FROM sales_order ORDER BY id",
    "/channels/{}": "SELECT code FROM channel WHERE code = 'rec'",
    "/channels/{}/availability": "SELECT code FROM channel WHERE code = 'rec'",
    "/webhooks/{}": "SELECT id FROM webhook_endpoint ORDER BY id",
}
ENDS = (lambda count: 0, lambda count: count // 2, lambda count: count - 1)
FEED_SECONDS_MAX = 1.5  # without an event: there are no more
FEED_MAX = 40  # events that are heard of over a socket
GIVEN = {
    "identifier": "OK-1", "location": "WH", "channel": "rec", "code": "rec",
    "sku": "CAM", "skus": ["CAM"], "at": "2026-12-20T00:00:00Z", "ref": "R-1",
    "since": "2026-11-01T00:00:00Z", "until": "2026-12-20T00:00:00Z", "reads": ["OK-1"],
    "readings": ["OK-1"], "scanned": ["OK-1"], "predicate": {"products": ["CAM"]},
    "identifiers": ["OK-1", "SN-1"], "cart": "c-2", "token": "none", "serials": ["OK-1"],
    "reference": "L-1", "provider": "Soft", "kit": {"identifier": "OK-2"}, "facts": {},
    "checkDispatch.scanned": [{"identifier": "OK-1"}],
    "rule": {"code": "c", "name": "c", "action": "<CLOSE>", "resolution": "done"},
}  # fmt: skip
# Records that are asked for by their id, by query and argument; of each table the middle one.
ASKED = {
    "case.id": "exception_case",
    "checkDispatch.orderId": "sales_order",
    "claim.id": "warranty_claim",
    "difference.id": "reconciliation_difference",
    "import.id": "import_run",
    "node.id": "unit",
    "nodes.ids": "sales_order",
    "order.id": "sales_order",
    "reconciliationRun.id": "reconciliation_run",
    "returnCase.id": "return_case",
    "webhook.id": "webhook_endpoint",
    "webhookDeliveries.endpoint": "webhook_endpoint",
}


def questions(ids: dict[str, str], depth: int = 1) -> Iterator[str]:
    """Yield a document for each query of the schema whose arguments are known.

    With a greater `depth` fewer levels of objects are asked.
    """
    assert CORE.query_type is not None
    for name, field in CORE.query_type.fields.items():
        given: dict[str, Any] = {}
        for argument, each in field.args.items():
            needed = isinstance(each.type, GraphQLNonNull) and each.default_value is Undefined
            named = get_named_type(each.type)
            of_query = f"{name}.{argument}"
            if of_query in ids or of_query in GIVEN:
                given[argument] = ids.get(of_query) or GIVEN[of_query]
            elif argument == "first":
                given[argument] = 100
            elif argument in GIVEN and needed:
                given[argument] = GIVEN[argument]
            elif needed and isinstance(named, GraphQLEnumType):
                given[argument] = f"<{next(iter(named.values))}>"
            elif needed:
                break
        else:
            passed = ", ".join(f"{key}: {_literal(value)}" for key, value in given.items())
            chosen = _chosen(get_named_type(field.type), depth)
            yield f"{{ {name}{f'({passed})' if passed else ''} {chosen} }}"


def unasked() -> list[str]:
    """Return the queries for which `questions` has no arguments."""
    assert CORE.query_type is not None
    asked = {each.split()[1].partition("(")[0] for each in questions(ASKED)}
    return sorted(set(CORE.query_type.fields) - asked)


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(each) for each in value) + "]"
    if not isinstance(value, str):
        return str(value)
    return value[1:-1] if value.startswith("<") else f'"{value}"'


def _chosen(type_: Any, depth: int) -> str:
    if is_leaf_type(type_):
        return ""
    if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
        return "{ __typename }"
    assert isinstance(type_, GraphQLObjectType)
    found = ["__typename"]
    for name, each in type_.fields.items():
        if any(
            isinstance(arg.type, GraphQLNonNull) and arg.default_value is Undefined
            for arg in each.args.values()
        ):
            continue
        named = get_named_type(each.type)
        if is_leaf_type(named):
            found.append(name)
        elif name == "nodes" or (depth < 2 and name != "warranty"):
            found.append(f"{name} {_chosen(named, depth + (name != 'nodes'))}")
    return "{ " + " ".join(found) + " }"


async def _ask_all(client: httpx.AsyncClient, ids: dict[str, str]) -> dict[str, Any]:
    """Ask every query; return the number of items of each list, or the codes of its errors."""
    found: dict[str, Any] = {}
    for question in questions(ids):
        said = (await client.post("/graphql", json={"query": question})).json()
        codes = {str(each["extensions"]["code"]) for each in said.get("errors", ())}
        name = question.split()[1].partition("(")[0]
        data = (said.get("data") or {}).get(name)
        items = data.get("nodes") if isinstance(data, dict) else data
        found[name] = codes or (len(items) if isinstance(items, list) else None)
    return found


async def _open_all(client: httpx.AsyncClient, secret: str, pages: list[str]) -> dict[str, int]:
    """Open every page of the console; return their states."""
    page = (await client.get("/console/login")).text
    token = re.search('name="csrf" value="([^"]+)"', page)
    assert token is not None
    form = {"csrf": token[1], "key": secret, "next": "/console/"}
    assert (await client.post("/console/login", data=form)).status_code == 303
    states = {}
    for path in (*PATHS, *pages):
        states[path] = (await client.get(f"/console{path}")).status_code
    return states


@asynccontextmanager
async def _visitor(hub: Hub, secret: str) -> AsyncIterator[httpx.AsyncClient]:
    """Call the application over a database, as an admin with the API and the console."""
    headers = {"authorization": f"Bearer {secret}"}
    transport = httpx.ASGITransport(hub.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://hub", headers=headers
    ) as client:
        yield client


@dataclass(frozen=True)
class Route:
    """The records by their ids whose pages are opened, and which are asked for."""

    pages: list[str]
    whole: set[str]  # pages of the middle records, which nobody changes
    ids: dict[str, str]


def route(database: Database) -> Route:
    """Choose the pages of the oldest, the middle and the newest record of each kind."""
    pages, whole = [], set()
    for path, statement in RECORDS.items():
        rows = database.read_now(partial(_ids, statement=statement))
        chosen = dict.fromkeys(rows[each(len(rows))] for each in ENDS)
        pages += [path.format(each) for each in chosen]
        # A unit is shown with its product, place and further records, any of which may be changed.
        if len(chosen) == len(ENDS) and not path.startswith("/units"):
            whole.add(path.format(rows[len(rows) // 2]))
    ids = {}
    for name, table in ASKED.items():
        rows = database.read_now(partial(_ids, statement=f"SELECT id FROM {table} ORDER BY id"))
        ids[name] = rows[len(rows) // 2]
    return Route(pages, whole, ids)


def _ids(tx: Transaction, statement: str) -> list[str]:
    return [str(next(iter(row.values()))) for row in tx.rows(statement)]


async def walk(
    database: Database, secret: str, now: datetime, way: Route
) -> tuple[dict[str, Any], dict[str, int]]:
    """Ask every query and open every page."""
    hub = Hub(World(database, now=now))
    try:
        async with _visitor(hub, secret) as client:
            return await _ask_all(client, way.ids), await _open_all(client, secret, way.pages)
    finally:
        await hub.opened.aclose()


async def hear(database: Database, secret: str, now: datetime) -> int:
    """Subscribe to the feed from its beginning; return how many events are heard of."""
    hub = Hub(World(database, now=now))
    heard = 0
    try:
        async with serve(hub.app, lifespan="on") as url, listening(url, secret) as listener:
            await listener.subscribe()
            while heard < FEED_MAX:
                message = await asyncio.wait_for(listener.hear(), FEED_SECONDS_MAX)
                if message["type"] != "next":
                    break
                heard += message["payload"].get("data") is not None
    except TimeoutError:
        pass
    finally:
        await hub.opened.aclose()
    return heard


async def work(database: Database, now: datetime, connector: Recording) -> dict[str, str]:
    """Run every job of the timetable, and what works between them; return their outcomes."""
    runtime = Runtime(database, _Fixed(connector), clock=lambda: now, holder="test")
    settings = Settings(database=database.url, secret_key=KEY)
    outcomes = {}
    for job in schedule.timetable(settings):
        outcomes[job.name] = await schedule._outcome(runtime, job)
    await intake.drain(runtime, rounds_max=3)
    channel = await runtime.database.read(partial(channels.get, code="rec"))
    await relay.drain(runtime, channel["id"], rounds_max=3)
    return outcomes


async def deliver(database: Database, now: datetime) -> dict[str, int]:
    """Let each loop of outgoing webhooks work; return how many messages arrived where.

    A loop that fails is counted under what it raised: it is the loop of one endpoint only.
    """
    arrived: dict[str, int] = {}

    def partner(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        arrived[path] = arrived.get(path, 0) + 1
        return httpx.Response(204)

    runtime = World(database, now=now).runtime()
    async with Sender(private=True, transport=httpx.MockTransport(partner)) as sender:
        for row in await database.read(webhooks.listed):
            courier = Courier(runtime, sender, row["id"])
            try:
                for _ in range(3):
                    await courier.deliver()
            except Exception as error:
                arrived[repr(error)] = arrived.get(repr(error), 0) + 1
    return arrived


def run(work: Any) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(work)
