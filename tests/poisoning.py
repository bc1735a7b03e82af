"""A full hub of which single stored values are changed by hand, and everything that reads them."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from sqlalchemy import BigInteger, Integer, Text
from sqlmodel import AutoString

from commanding import CORE
from hub.storage.model import metadata

# No row of these is read for anybody, or a changed one is no longer that caller's key.
UNREAD = {"api_key", "command", "alembic_version"}
GIVEN = {
    "identifier": "OK-1", "location": "WH", "channel": "rec", "code": "rec",
    "sku": "CAM", "skus": ["CAM"], "at": "2026-12-20T00:00:00Z", "ref": "R-1",
    "since": "2026-11-01T00:00:00Z", "until": "2026-12-20T00:00:00Z", "reads": ["OK-1"],
    "readings": ["OK-1"], "scanned": ["OK-1"], "predicate": {"products": ["CAM"]},
}  # fmt: skip
DEPTH = 4


@dataclass(frozen=True)
class Column:
    """One column of a table that is poisoned, and with what kind of value."""

    table: str
    name: str
    kind: str  # number, text, json


def columns() -> Iterator[Column]:
    """Yield the columns that hold more than the id of a row."""
    for name, table in sorted(metadata.tables.items()):
        for column in table.columns:
            if name in UNREAD or column.primary_key or column.foreign_keys:
                continue
            if column.name.endswith("_id") or column.name in {"seq", "promised_to", "merged_into"}:
                continue
            if isinstance(column.type, BigInteger | Integer):
                yield Column(name, column.name, "number")
            elif isinstance(column.type, Text):
                yield Column(name, column.name, "json")
            elif isinstance(column.type, AutoString):
                yield Column(name, column.name, "text")


VALUES: dict[str, tuple[Any, ...]] = {
    "number": (-(2**61), 2**61),  # of two records, a sum is still one of 64 bits
    "text": ("no such", ""),
    "json": ("{", '["no such"]', '{"no": "such"}'),
}


def poison(path: Path, wanted: list[Column], value: Any) -> list[Column]:
    """Change a column of the oldest and newest row of each table; return what was changed."""
    changed = []
    with sqlite3.connect(path) as database:
        for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f'DROP TRIGGER "{row[0]}"')
        for column in wanted:
            for end in ("MIN", "MAX"):
                row = f'SELECT {end}(rowid) FROM "{column.table}"'
                try:
                    done = database.execute(
                        f'UPDATE "{column.table}" SET "{column.name}" = ? WHERE rowid = ({row})',
                        (value,),
                    )
                except sqlite3.IntegrityError:
                    continue  # the database refuses it itself
                changed += [column] * done.rowcount
    return changed


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
