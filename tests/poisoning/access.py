"""Who sees what: every field of the schema, asked by a key of every scope, as a table for review.

``python -m tests.poisoning.access`` prints docs/access.md. A database is filled through the API;
every query is asked by each scope with all plain fields; a leaf counts as seen by a scope when it
came with a value.
"""

import asyncio
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from graphql import (
    FieldNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
    parse,
    print_ast,
)

from api_client import Hub
from commanding import CORE
from hub.access import keys
from hub.access.keys import Narrowing, Scope
from hub.storage.database import Database, open_database
from hub.storage.migrations import migrate
from hub_api.common.commands import COMMANDS
from poisoning.filling import fill
from poisoning.walking import questions, route
from world import World

SCOPES = tuple(Scope)
REFUSALS_MAX = 12  # rounds of refused fields in one question
HEAD = """# Who may see and do what

Written by `make access` and held current by a test: a change here is a change of who sees what, so
review it line by line. A database is filled through the API, and every query is asked by a key of
each scope with all its plain fields. Keys may be narrowed further (site, client, commands); what
publishable keys may ask is `graphql/public.graphql`. What is refused within a record is left out,
and the rest asked again.
"""

FIELDS = "Fields of each type by the scopes to which they came, with a value or empty."


@dataclass
class Seen:
    """What keys of each scope saw."""

    queries: dict[str, set[Scope]] = field(default_factory=lambda: defaultdict(set))
    leaves: dict[str, set[Scope]] = field(default_factory=lambda: defaultdict(set))
    present: dict[str, set[Scope]] = field(default_factory=lambda: defaultdict(set))
    """Leaves that came, with a value or without."""
    internal: list[str] = field(default_factory=list)
    calls: int = 0
    refused: int = 0
    of_client: set[str] = field(default_factory=set)
    """Every text that the client's key saw."""
    of_others: set[str] = field(default_factory=set)
    """Serials and ids of units of other owners."""


async def walk(database: Database) -> Seen:
    """Ask every query by every scope."""
    seen, world, way = Seen(), World(database), route(database)
    client = str(world.value("SELECT code FROM client ORDER BY code LIMIT 1"))
    own = world.value("SELECT id FROM client WHERE code = :code", code=client)
    world.receive("OF-CLIENT-1", "OF-CLIENT-2", client=client, place="WH")
    for row in world.rows("SELECT id, serial, client_id FROM unit"):
        if row["client_id"] != own:
            seen.of_others |= {row["id"], row["serial"]}
    hub = Hub(world)
    try:
        async with hub.opened:
            for scope in SCOPES:
                _, secret = world.write(
                    lambda tx, scope=scope: keys.create(  # type: ignore[misc]
                        tx, "k", [scope], world.now,
                        narrowing=Narrowing(client=client if scope is Scope.CLIENT else None),
                    )
                )  # fmt: skip
                caller = await hub.with_secret(secret)
                pairs = zip(questions(way.ids), questions(way.ids, 2), strict=True)
                for question, shallow in pairs:
                    if not await _ask(caller.http, scope, question, seen):
                        assert await _ask(caller.http, scope, shallow, seen), shallow
    finally:
        await hub.runtime.connections.aclose()
    return seen


async def _ask(http: httpx.AsyncClient, scope: Scope, question: str, seen: Seen) -> bool:
    """Ask one query; return whether it was asked at all: it may be too large.

    What is refused within a record takes its neighbours with it: it is left out, and the rest is
    asked again.
    """
    question = question.replace("first: 100", "first: 6")
    name = question.split()[1].partition("(")[0]
    for _ in range(REFUSALS_MAX):
        answer = await http.post("/graphql", json={"query": question})
        said = answer.json()
        seen.calls += 1
        codes = {
            (tuple(each.get("path") or ()), each["extensions"].get("code"))
            for each in said.get("errors", ())
        }
        seen.internal += [f"{name} by {scope}" for _, code in codes if code == "INTERNAL"]
        if ((name,), "FORBIDDEN") in codes:
            seen.refused += 1
            return True
        if any(not path for path, _ in codes):
            return False
        _note(scope, name, said, seen)
        refused = {path for path, code in codes if code == "FORBIDDEN"}
        if not refused:
            break
        question = without(question, refused)
    return True


def without(question: str, paths: set[tuple[str | int, ...]]) -> str:
    """Return a document without the fields that answers have at some paths."""
    keys_of = {tuple(each for each in path if isinstance(each, str)) for path in paths}

    def kept(selections: SelectionSetNode, above: tuple[str, ...]) -> SelectionSetNode:
        fields = []
        for field_ in selections.selections:
            if isinstance(field_, FieldNode):
                here = (*above, (field_.alias or field_.name).value)
                if here in keys_of:
                    continue
                if field_.selection_set is not None:
                    below = kept(field_.selection_set, here)
                    given = {key: getattr(field_, key) for key in field_.keys}
                    fields.append(FieldNode(**given | {"selection_set": below}))
                    continue
            fields.append(field_)  # type: ignore[arg-type]
        return SelectionSetNode(selections=tuple(fields))

    (operation,) = parse(question).definitions
    assert isinstance(operation, OperationDefinitionNode)
    given = {key: getattr(operation, key) for key in operation.keys}
    return print_ast(
        OperationDefinitionNode(**given | {"selection_set": kept(operation.selection_set, ())})
    )


def _note(scope: Scope, name: str, said: Mapping[str, Any], seen: Seen) -> None:
    seen.queries[name].add(scope)
    for coordinate, value in _leaves("Query", {name: (said.get("data") or {}).get(name)}):
        seen.present[coordinate].add(scope)
        if value is None:
            continue
        seen.leaves[coordinate].add(scope)
        if scope is Scope.CLIENT:
            seen.of_client.add(str(value))


def _leaves(owner: str, data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if name == "__typename":
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and "__typename" in each:
                yield from _leaves(each["__typename"], each)
            else:
                yield f"{owner}.{name}", each


def all_leaves() -> set[str]:
    """Return every leaf of the types that queries answer with."""
    found, open_types = set(), [CORE.query_type]
    known = set()
    while open_types:
        type_ = open_types.pop()
        if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) or type_.name in known:
            continue
        known.add(type_.name)
        for name, each in type_.fields.items():
            named = get_named_type(each.type)
            if is_leaf_type(named):
                found.add(f"{type_.name}.{name}")
            open_types.append(named)  # type: ignore[arg-type]
    return found


def page(seen: Seen) -> str:
    """Write the table."""
    lines = [HEAD, "## Queries", "", *_table(seen.queries)]
    mutations = {
        each.field: {
            scope for scope in SCOPES
            if any(wanted in keys.CONTAINS[scope] for wanted in each.scopes)
        }
        for each in COMMANDS.values()
    }  # fmt: skip
    lines += ["", "## Mutations", "", *_table(mutations)]
    lines += ["", "## Fields", "", FIELDS, "", "| type | scopes | fields |", "|---|---|---|"]
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    leaves = all_leaves()
    for coordinate in sorted(leaves & seen.present.keys()):
        owner, _, name = coordinate.partition(".")
        who = ", ".join(each for each in SCOPES if each in seen.present[coordinate])
        grouped[owner, who].append(name)
    lines += [f"| {kind} | {who} | {', '.join(each)} |" for (kind, who), each in grouped.items()]
    by_type: dict[str, list[str]] = defaultdict(list)
    for coordinate in sorted(leaves - seen.present.keys()):
        owner, _, name = coordinate.partition(".")
        by_type[owner].append(name)
    lines += ["", "## Fields that the walk does not reach", ""]
    lines += [f"- {kind}: {', '.join(names)}" for kind, names in by_type.items()]
    return "\n".join(lines) + "\n"


def _table(rows: Mapping[str, set[Scope]]) -> list[str]:
    marks = {
        name: " | ".join("yes" if scope in scopes else "–" for scope in SCOPES)
        for name, scopes in rows.items()
    }
    head = f"| name | {' | '.join(SCOPES)} |"
    ruler = "|---" * (len(SCOPES) + 1) + "|"
    return [head, ruler, *(f"| {name} | {marks[name]} |" for name in sorted(marks))]


def walked(folder: Path) -> Seen:
    """Fill a new database in a folder, and walk it."""
    url = f"sqlite:///{folder}/access.db"
    migrate(url)
    database = open_database(url)
    try:
        fill(database, folder)
        return asyncio.run(walk(database))
    finally:
        database.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(page(walked(Path(name))))
