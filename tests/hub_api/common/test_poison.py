"""One record with a stored value that nobody can read stops no query, no page and no job."""

import asyncio
import random
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
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
from commanding import CORE, SERIALS, Situation, document, mutations
from hub import catalogue
from hub.access import keys
from hub.access.keys import Scope
from hub.catalogue import ManufacturerCard, ProductCard
from hub.commands.context import CommandContext
from hub.settings import Settings
from hub.storage.database import Database, open_database
from hub.storage.sql import Transaction
from hub.sync import channels
from hub_api import app
from hub_api.engine.limits import Limits
from hub_api.http.limiter import Limiter
from jobs import intake, relay, schedule
from jobs.runtime import Runtime
from recording import Recording, _Fixed, stage
from tampering import VALUES, columns, poison
from world import KEY, NOON, World

# About the hub itself; the rest fills tables.
LEFT_OUT = {"pauseChannel", "revokeApiKey", "registerChannel", "erasePerson", "reconcile"}
STORIES = (
    ("sellUnits", "checkReturn", "acceptReturn", "routeReturn"),
    ("sellUnits", "openClaim", "decideClaim"),
    ("openCount", "countUnits", "compareCount"),
    ("announceShipment", "grantCover", "linkLicense", "linkIdentifier"),
    ("assembleKit", "recordCosts", "recordReadings", "setUnitFields"),
    ("openRecall", "holdUnits", "mergeUnits"),
    ("createWebhook", "putDecisionRule", "putCaseRule", "setCaseOwner", "upsertContact"),
    ("captureUnserializedStock", "reportFailedCapture", "putAlternatives", "recordService"),
)
PATHS = ("/", "/runs", "/differences", "/units", "/cases", "/orders", "/channels", "/webhooks")
GIVEN = {
    "identifier": "OK-1", "location": "WH", "channel": "rec", "code": "rec",
    "sku": "CAM", "skus": ["CAM"], "at": "2026-12-20T00:00:00Z", "ref": "R-1",
    "since": "2026-11-01T00:00:00Z", "until": "2026-12-20T00:00:00Z", "reads": ["OK-1"],
    "readings": ["OK-1"], "scanned": ["OK-1"], "predicate": {"products": ["CAM"]},
}  # fmt: skip
EXPECTED = {"INVALID_INPUT", "UNKNOWN_REFERENCE", "UNKNOWN_UNIT"}


def questions() -> Iterator[str]:
    """Yield a document for each query of the schema whose arguments are known."""
    assert CORE.query_type is not None
    for name, field in CORE.query_type.fields.items():
        given: dict[str, Any] = {}
        for argument, each in field.args.items():
            needed = isinstance(each.type, GraphQLNonNull) and each.default_value is Undefined
            named = get_named_type(each.type)
            if argument == "first":
                given[argument] = 100
            elif argument in GIVEN and needed:
                given[argument] = GIVEN[argument]
            elif needed and isinstance(named, GraphQLEnumType):
                given[argument] = f"<{next(iter(named.values))}>"
            elif needed:
                break
        else:
            passed = ", ".join(f"{key}: {_literal(value)}" for key, value in given.items())
            chosen = _chosen(get_named_type(field.type), 1)
            yield f"{{ {name}{f'({passed})' if passed else ''} {chosen} }}"


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
    """A file with a row in most tables, an admin's key and how many items each query gave."""

    path: Path
    secret: str
    now: Any


def _filled(path: Path) -> Full:
    database = open_database(f"sqlite:///{path}")
    try:
        return _fill(database, path)
    finally:
        database.close()


def _fill(database: Database, path: Path) -> Full:
    world = World(database)
    world.write(_first)
    world.write(world._register)
    world.channel("first")
    _, _, channel = stage(world)
    for sku in ("CAM", "LENS"):
        world.list_product(channel, sku, {"id": sku})
    world.receive(*SERIALS[:4])
    world.receive(*SERIALS[4:6], sku="LENS", put_away=False)
    world.receive("OK-1", "OK-2", identifiers=())
    for number in range(3):
        world.accept(channel, world.order(f"o-{number}"))
    secret = world.write(lambda tx: keys.create(tx, "all", [Scope.ADMIN], world.now)[1])
    asyncio.run(_command(world, Dice(13)))
    made = Full(path, secret, world.now)
    asyncio.run(_work(database, made))
    world.receive("OK-3")
    world.channel("last")
    return made


def _first(tx: Transaction) -> None:
    """Register the maker and the product that are the oldest."""
    context = CommandContext(actor="tester", now=NOON)
    catalogue.register_manufacturer(tx, context, ManufacturerCard(code="FIRST", name="First"))
    card = ProductCard(sku="FIRST", name="First", manufacturer="FIRST")
    catalogue.register_product(tx, context, card)


async def _command(world: World, dice: Dice) -> None:
    hub = Hub(world)
    caller = await hub.caller(Scope.ADMIN)
    situation = Situation(world)
    rest = sorted(set(mutations()) - LEFT_OUT)
    for story in (*STORIES * 6, *([each] for each in rest * 4)):
        serial = dice.draw_from(SERIALS)
        for mutation in story:
            given = situation.arguments(mutation, dice.draw, identifier=serial, serial=serial)
            if given is not None:
                await caller.post(document(mutation, tuple(sorted(given))), **given)
    await hub.opened.aclose()


class Unlimited(Limiter):
    """Lets every question pass."""

    async def spend(self, *_: object) -> None:
        """Take nothing."""


@pytest.fixture(scope="module", autouse=True)
def _without_limits() -> Iterator[None]:
    """Whole lists are asked for here, and all of them at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app, "Limiter", Unlimited)
        patched.setattr(app, "Limits", partial(Limits, cost_max=10**9))
        yield


@pytest.fixture(scope="module")
def full(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Full:
    path = tmp_path_factory.mktemp("full") / "hub.db"
    shutil.copy(_sqlite_template, path)
    return _filled(path)


EVERY = list(columns())
WITHIN_OTHERS = {"product", "location", "channel", "manufacturer", "unit"}
TABLES = sorted({each.table for each in EVERY})


@asynccontextmanager
async def _visitor(database: Database, full: Full) -> AsyncIterator[httpx.AsyncClient]:
    """Call the application over a database, as an admin with the API and the console."""
    hub = Hub(World(database, now=full.now))
    headers = {"authorization": f"Bearer {full.secret}"}
    transport = httpx.ASGITransport(hub.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://hub", headers=headers
    ) as client:
        yield client


async def _ask_all(client: httpx.AsyncClient) -> dict[str, Any]:
    """Ask every query; return the number of items of each list, or the codes of its errors."""
    found: dict[str, Any] = {}
    for question in questions():
        said = (await client.post("/graphql", json={"query": question})).json()
        codes = {str(each["extensions"]["code"]) for each in said.get("errors", ())}
        name = question.split()[1].partition("(")[0]
        data = (said.get("data") or {}).get(name)
        items = data.get("nodes") if isinstance(data, dict) else data
        found[name] = codes or (len(items) if isinstance(items, list) else None)
    return found


async def _open_all(client: httpx.AsyncClient, full: Full) -> dict[str, int]:
    """Open every page of the console that lists something; return their states."""
    page = (await client.get("/console/login")).text
    token = re.search('name="csrf" value="([^"]+)"', page)
    assert token is not None
    form = {"csrf": token[1], "key": full.secret, "next": "/console/"}
    assert (await client.post("/console/login", data=form)).status_code == 303
    return {path: (await client.get(f"/console{path}")).status_code for path in PATHS}


async def _walk(database: Database, full: Full) -> tuple[dict[str, Any], dict[str, int]]:
    async with _visitor(database, full) as client:
        return await _ask_all(client), await _open_all(client, full)


async def _work(database: Database, full: Full) -> dict[str, str]:
    """Run every job of the timetable, and what works between them; return their outcomes."""
    connector = Recording()
    runtime = Runtime(database, _Fixed(connector), clock=lambda: full.now, holder="test")
    settings = Settings(database=database.url, secret_key=KEY)
    outcomes = {}
    for job in schedule.timetable(settings):
        outcomes[job.name] = await schedule._outcome(runtime, job)
    await intake.drain(runtime, rounds_max=3)
    channel = await runtime.database.read(partial(channels.get, code="rec"))
    await relay.drain(runtime, channel["id"], rounds_max=3)
    return outcomes


@pytest.fixture(scope="module")
def before(full: Full) -> dict[str, Any]:
    """How many items each list has, and what every query answers while nothing is wrong."""
    database = open_database(f"sqlite:///{full.path}")
    try:
        return asyncio.run(_walk(database, full))[0]
    finally:
        database.close()


def stopped(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the queries that answer with an error of the server's own since a value is wrong."""
    return {
        name: found
        for name, found in after.items()
        if isinstance(found, set) and found - EXPECTED and found != before[name]
    }


def check(full: Full, before: dict[str, Any], path: Path) -> dict[str, Any]:
    """Use all that reads a poisoned file; return how many items each list has now."""
    database = open_database(f"sqlite:///{path}")
    try:
        after, pages = asyncio.run(_walk(database, full))
        outcomes = asyncio.run(_work(database, full))
    finally:
        database.close()
    assert stopped(before, after) == {}
    assert set(pages.values()) == {200}, pages
    assert not [each for each in outcomes.items() if each[1].startswith("failed:")], outcomes
    return after


def test_most_tables_have_a_row(full: Full, tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    shutil.copy(full.path, path)
    reached = {each.table for each in poison(path, EVERY, 1)}
    print(sorted(set(TABLES) - reached))
    assert len(reached) >= 34


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(kind, value, marks=() if value == values[0] else pytest.mark.slow)
        for kind, values in VALUES.items()
        for value in values
    ],
)
def test_no_stored_value_stops_a_query_a_page_or_a_job(
    full: Full, before: dict[str, Any], tmp_path: Path, kind: str, value: Any
) -> None:
    path = tmp_path / "hub.db"
    shutil.copy(full.path, path)
    assert poison(path, [each for each in EVERY if each.kind == kind], value)
    check(full, before, path)


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_no_record_of_a_table_hides_the_others(
    full: Full, before: dict[str, Any], tmp_path: Path, table: str
) -> None:
    path = tmp_path / "hub.db"
    shutil.copy(full.path, path)
    changed = 0
    for kind, values in VALUES.items():
        wanted = [each for each in EVERY if (each.kind, each.table) == (kind, table)]
        changed += len(poison(path, wanted, values[0]))
    if not changed:
        pytest.skip("no row to change")
    after = check(full, before, path)
    # A record that is shown within others (a product in its units) is left out with them.
    shorter = {
        name: (before[name], items)
        for name, items in after.items()
        if isinstance(items, int) and items < before[name] - 2
    }
    assert table in WITHIN_OTHERS or shorter == {}
