"""The composed application and its callers, for tests: everything but the socket is real."""

import asyncio
import hashlib
import itertools
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from hub.access import keys
from hub.access.keys import Scope
from hub.settings import Settings
from hub.storage.sql import PostgresTransaction, SqliteTransaction
from hub_api.app import Parts, create_app
from jobs.services import JobServices
from world import KEY, World

RESULTS = """{ __typename
  ... on CommandResult { commandId replayed accepted refused results {
    index identifier accepted status version unitId
    problem { __typename code message
      ... on StepNotAllowed { allowed } ... on UnitPromised { reference }
      ... on UnitBlocked { allowed } ... on VersionConflict { version }
      ... on UnknownUnit { identifier } ... on DuplicateSerial { status }
      ... on AmbiguousUnit { skus } ... on InvalidBarcode { read }
      ... on UnknownReference { field } }
    unit { serial status version location { code } } } }
  ... on Problem { code message } ... on InvalidInput { field } ... on Forbidden { needs }
  ... on UnknownReference { field } ... on IdempotencyKeyReused { key } }"""

# The arguments of all movements, by their types.
ARGUMENTS = {
    "location": "String!",
    "destination": "String!",
    "kind": "HoldKind!",
    "loss": "Loss!",
    "reference": "String",
    "orderLineId": "ID",
    "expiresAt": "DateTime",
    "carrier": "String",
    "tracking": "String",
    "receipt": "String!",
    "holdReference": "String",
    "reason": "String!",
    "outcome": "Outcome!",
    "grade": "String",
    "putAway": "Boolean!",
    "context": "CommandContextInput",
}

NEW_KEYS = (f"new-{number}" for number in itertools.count())

LEDGER = ("unit", "event", "hold", "identifier", "outbox", "listing_level", "order_line")


@dataclass(frozen=True)
class Caller:
    """Somebody with an API key."""

    http: httpx.AsyncClient

    async def post(self, document: str, **variables: Any) -> httpx.Response:
        """Ask, and return the whole answer; each idempotency key "NEW" is one that is not used."""
        document = re.sub('"NEW"', lambda _: f'"{next(NEW_KEYS)}"', document)
        return await self.http.post("/graphql", json={"query": document, "variables": variables})

    async def ask(self, document: str, **variables: Any) -> Any:
        """Ask, and return the data; errors fail the test."""
        answer = await self.post(document, **variables)
        said = answer.json()
        assert answer.status_code == 200, said
        assert "errors" not in said, said["errors"]
        return said["data"]

    async def error(self, document: str, **variables: Any) -> Any:
        """Ask what is refused as a whole, and return the extensions of its first error."""
        said = (await self.post(document, **variables)).json()
        assert said.get("errors"), said
        return said["errors"][0]["extensions"]

    async def command(self, mutation: str, units: Any, *, key: str, **arguments: Any) -> Any:
        """Send one movement and return its answer; a text among the units is an identifier."""
        rows = [{"identifier": unit} if isinstance(unit, str) else unit for unit in units]
        data = await self.ask(movement(mutation, arguments), key=key, units=rows, **arguments)
        return data["done"]


def movement(mutation: str, arguments: Any) -> str:
    """Write the document of one movement."""
    of_units = "ArrivalInput" if mutation == "receiveUnits" else "UnitInput"
    types = {"key": "String!", "units": f"[{of_units}!]!"}
    types |= {name: ARGUMENTS[name] for name in arguments}
    declared = ", ".join(f"${name}: {each}" for name, each in types.items())
    given = ", ".join(f"{name}: ${name}" for name in arguments)
    return (
        f"mutation({declared}) "
        f"{{ done: {mutation}(idempotencyKey: $key, units: $units, {given}) {RESULTS} }}"
    )


class Hub:
    """The application around a world, with the world's clock."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world = world
        self.runtime = world.runtime()
        self.settings = Settings(database=world.database.url, secret_key=KEY, **settings)
        self.app = create_app(
            Parts(
                database=world.database,
                services=JobServices(self.runtime),
                settings=self.settings,
                clock=lambda: world.now,
            )
        )
        self.opened = AsyncExitStack()

    async def caller(
        self, *scopes: Scope, name: str = "caller", client: str | None = None
    ) -> Caller:
        """Make a key with these scopes and return who carries it; a client's is of some client."""
        if Scope.CLIENT in scopes:
            client = self.world.client(client or "KEPT")
        _, secret = self.world.write(
            lambda tx: keys.create(tx, name, scopes, self.world.now, client=client)
        )
        return await self.with_secret(secret)

    async def with_secret(self, secret: str | None) -> Caller:
        """Return a caller with this secret, or without any."""
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://hub", headers=headers
        )
        return Caller(await self.opened.enter_async_context(client))


def play(world: World, story: Callable[[Hub], Awaitable[None]], **settings: Any) -> None:
    """Run a story around a composed application, and close what it opened."""

    async def told() -> None:
        hub = Hub(world, **settings)
        try:
            async with hub.opened:
                await story(hub)
        finally:
            await hub.runtime.connections.aclose()

    asyncio.run(told())


def dump(world: World) -> dict[str, Any]:
    """Describe everything that a refused command must leave as it was."""
    found: dict[str, Any] = {
        "events": world.value("SELECT COUNT(*) FROM event"),
        "newest version": world.value("SELECT MAX(version) FROM unit"),
    }
    for table in LEDGER:
        rows = world.rows(f"SELECT * FROM {table}")
        lines = sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS, default=str) for row in rows)
        found[table] = hashlib.sha256(b"\n".join(lines)).hexdigest()
    return found


class Counter:
    """Counts the statements that read, but for those that find the caller."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        for kind in (SqliteTransaction, PostgresTransaction):
            for name in ("rows", "tuples"):
                monkeypatch.setattr(kind, name, self._counted(getattr(kind, name)))

    def _counted(self, rows: Any) -> Any:
        def counted(tx: Any, statement: str, **values: Any) -> list[Any]:
            if "FROM api_key" not in statement:  # read now and then, whatever is asked
                self.statements.append(statement)
            found: list[Any] = rows(tx, statement, **values)
            return found

        return counted

    async def of(self, caller: Caller, document: str, **variables: Any) -> tuple[Any, int]:
        for _ in range(3):  # by then the key is known, and a plan is made
            await caller.ask(document, **variables)
        self.statements.clear()
        data = await caller.ask(document, **variables)
        return data, len(self.statements)
