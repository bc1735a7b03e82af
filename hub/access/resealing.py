"""Sealing everything anew with the current key, so that an old one can be thrown away.

Rows are sealed in short transactions. What bears the current key already is passed over, so that a
run that ended early goes on where it was; a row that somebody changes meanwhile is left to them,
since they sealed it with the current key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from hub.access.vault import Vault, WrongKey
from hub.storage.database import Database
from hub.storage.sql import Transaction

ROWS_MAX = 200  # of one transaction
#: Every column that holds something sealed, with the key of its table.
SEALED = {
    "channel": ("id", "settings"),
    "channel_token": ("channel_id", "sealed"),
    "checkout": ("order_id", "address"),
    "person": ("ref", "contact"),
    "webhook_endpoint": ("id", "secrets"),
}


@dataclass(slots=True)
class Progress:
    """How far a table is: rows seen, sealed anew, and the keys of those that no key opens."""

    table: str
    seen: int = 0
    sealed: int = 0
    unopened: list[str] = field(default_factory=list)


class _Sealed(TypedDict):
    key: str
    value: str


def reseal(
    database: Database,
    vault: Vault,
    report: Callable[[Progress], object],
    discard: Callable[[Transaction], object],
) -> list[Progress]:
    """Seal every row with the vault's first key; return how far each table got.

    `report` is called after each transaction, and `discard` in it: it drops what the database
    noted of the change, which changes no setting.
    """
    done = []
    for table in SEALED:
        progress = Progress(table)
        after: str | None = ""
        while after is not None:
            after = database.write_now(
                lambda tx, table=table, after=after, progress=progress: _reseal_some(  # type: ignore[misc]
                    tx, vault, table, after, progress, discard
                )
            )
            report(progress)
        done.append(progress)
    return done


def _reseal_some(
    tx: Transaction,
    vault: Vault,
    table: str,
    after: str,
    progress: Progress,
    discard: Callable[[Transaction], object],
) -> str | None:
    """Seal the next rows; return the key of the last of them, None at the end of the table."""
    key, column = SEALED[table]
    rows = tx.rows_as(
        _Sealed,
        f"SELECT {key} AS key, {column} AS value FROM {table} WHERE {key} > :after "
        f"AND {column} IS NOT NULL AND {column} <> '' ORDER BY {key} LIMIT :limit",
        after=after,
        limit=ROWS_MAX,
    )
    fresh: list[Mapping[str, str]] = []
    unopened = []
    for row in rows:
        try:
            sealed = vault.resealed(row["value"])
        except WrongKey:
            unopened.append(row["key"])
            continue
        if sealed is not None:
            fresh.append({"key": row["key"], "old": row["value"], "new": sealed})
    tx.run_many(f"UPDATE {table} SET {column} = :new WHERE {key} = :key AND {column} = :old", fresh)
    discard(tx)
    progress.seen += len(rows)
    progress.sealed += len(fresh)
    progress.unopened += unopened
    return rows[-1]["key"] if len(rows) == ROWS_MAX else None
