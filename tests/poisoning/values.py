"""Values that nobody can read, as a database of either kind can hold them, and how they get in."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, Table, Text
from sqlmodel import AutoString

from hub.storage.model import metadata

# No row of these is read for anybody, or a changed one is no longer that caller's key.
UNREAD = {"api_key", "command", "alembic_version"}
INT_MAX = 2**31 - 1  # of the narrow numbers of PostgreSQL


@dataclass(frozen=True)
class Column:
    """One column of a table that is poisoned, and with what kind of value."""

    table: str
    name: str
    kind: str  # number, text, json, bytes, float, flag
    is_narrow: bool = False


def columns() -> Iterator[Column]:
    """Yield the columns that hold more than the id of a row."""
    for name, table in sorted(metadata.tables.items()):
        for column in table.columns:
            if name in UNREAD or column.primary_key or column.foreign_keys:
                continue
            if column.name.endswith("_id") or column.name in {"seq", "promised_to", "merged_into"}:
                continue
            narrow = isinstance(column.type, Integer) and not isinstance(column.type, BigInteger)
            yield Column(name, column.name, _kind(column.type), narrow)


def _kind(type_: Any) -> str:
    for kind, types in (
        ("flag", Boolean),
        ("number", (BigInteger, Integer)),
        ("json", Text),
        ("text", AutoString),
        ("bytes", LargeBinary),
        ("float", Float),
    ):
        if isinstance(type_, types):  # type: ignore[arg-type]
            return str(kind)
    raise AssertionError(type_)


BROKEN_TEXT = b"\xff\xfe\xc3("
"""Bytes that are no UTF-8: cast to a text they get into a text column of SQLite."""
ESCAPE = chr(92)  # in front of u0000 and ud800, which JSON can escape and no text can hold
VALUES: dict[str, tuple[Any, ...]] = {
    # Times are numbers too: these are years before 1 and behind 9999. Two halves make a sum.
    "number": (-(2**61), 2**61, 2**63 - 1, -(2**63), -1, 253_402_300_800_000_000),
    "text": (
        "no such",
        BROKEN_TEXT,
        "",
        "\x07\x1b[31m\u202e\ufffe",
        "9999-99-99",
        "a\x00b",
        "x" * 100_000,
    ),
    "json": (
        "{",
        BROKEN_TEXT,
        '["no such"]',
        '{"no": "such"}',
        f'{{"a": "{ESCAPE}ud800"}}',
        f'["{ESCAPE}u0000"]',
        "NaN",
        "1e999",
        "null",
        "[" * 5_000,
        f'"{"9" * 5_000}"',
        "9" * 5_000,
    ),
    "bytes": (b"\xff\xfe\x00", b""),
    "float": (float("inf"), 1e308, float("nan")),
    "flag": (7,),
}


def poison(url: str, wanted: Sequence[Column], value: Any) -> list[Column]:
    """Change a column of the oldest and newest row of each table; return what was changed.

    What a database refuses itself, by a constraint or the type of a column, stays as it was.
    """
    if url.startswith("sqlite"):
        return _poison_sqlite(url.removeprefix("sqlite:///"), wanted, value)
    return _poison_postgresql(url, wanted, value)


def _poison_sqlite(path: str, wanted: Sequence[Column], value: Any) -> list[Column]:
    changed = []
    given = "CAST(? AS TEXT)" if value == BROKEN_TEXT else "?"
    with sqlite3.connect(path) as database:
        for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f'DROP TRIGGER "{row[0]}"')
        for column in wanted:
            for end in ("MIN", "MAX"):
                row = f'SELECT {end}(rowid) FROM "{column.table}"'
                change = f'UPDATE "{column.table}" SET "{column.name}" = {given} '
                try:
                    done = database.execute(f"{change}WHERE rowid = ({row})", (value,))
                except sqlite3.IntegrityError:
                    continue  # the database refuses it itself
                changed += [column] * done.rowcount
    database.close()
    return changed


def _poison_postgresql(url: str, wanted: Sequence[Column], value: Any) -> list[Column]:
    changed: list[Column] = []
    if value == BROKEN_TEXT:
        return changed  # PostgreSQL keeps only texts of its encoding
    with psycopg.connect(url) as database:
        database.execute("SET session_replication_role = replica")  # no trigger keeps watch
        for column in wanted:
            given = max(-INT_MAX, min(INT_MAX, value)) if column.is_narrow else value
            given = bool(given) if column.kind == "flag" else given
            key = ", ".join(f'"{each.name}"' for each in _table(column).primary_key)
            for way in ("ASC", "DESC"):
                order = ", ".join(f"{each} {way}" for each in key.split(", "))
                row = f'SELECT ctid FROM "{column.table}" ORDER BY {order} LIMIT 1'
                statement = f'UPDATE "{column.table}" SET "{column.name}" = %s WHERE ctid = ({row})'
                try:
                    with database.transaction():
                        done = database.execute(statement.encode(), (given,))
                except (psycopg.IntegrityError, psycopg.DataError):
                    continue
                changed += [column] * done.rowcount
    return changed


def _table(column: Column) -> Table:
    return metadata.tables[column.table]
