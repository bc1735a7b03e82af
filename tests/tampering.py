"""What an intruder with the database's password can do, and values that he leaves behind."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Integer, Text
from sqlmodel import AutoString

from hub.storage.model import metadata
from hub.storage.sql import Transaction


def unguarded(tx: Transaction, statement: str) -> None:
    """Do what an intruder with the database's password can do: remove the guards first."""
    if tx.dialect == "sqlite":
        tx.run("DROP TRIGGER event_refuses_update")
        tx.run("DROP TRIGGER event_refuses_delete")
    else:
        tx.run("DROP TRIGGER event_refuses_change ON event")
    tx.run(statement)


# No row of these is read for anybody, or a changed one is no longer that caller's key.
UNREAD = {"api_key", "command", "alembic_version"}


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
