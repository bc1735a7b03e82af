"""The trail: who did what to the hub itself, from where, and what it was before and after.

Each administrative command leaves one entry, in its own transaction. The database notes every
change to the tables of settings by itself (see the baseline migration), so that no command can
forget one; what was changed outside any command becomes an entry of ``outside commands``. Each
entry carries the hash of the entry before, and the database refuses to change or delete one.
Secrets are never noted, only that they changed.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

import orjson

from hub.clock import micros
from hub.ledger.hash_chain import GENESIS
from hub.storage.documents import document
from hub.storage.rows import TrailChangeRow, TrailEntryRow
from hub.storage.sql import Transaction

logger = logging.getLogger("serial_hub.trail")

OUTSIDE = "outside commands"
CHANGES_MAX = 500  # of one entry
LISTED_MAX = 200
ITEMS_SHOWN = 20
CHARS_SHOWN = 300
DEPTH_SHOWN = 6
HIDDEN = "(hidden)"
#: Parts of names whose values are secrets, or name a person.
SECRET_NAMES = (
    "secret", "token", "password", "settings", "contact", "email", "phone", "address", "credential",
)  # fmt: skip
SEALED = (
    "number", "recorded_at", "actor", "key_id", "session_id", "address", "command", "command_id",
    "arguments", "changes", "previous_hash",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """Who does what, from where."""

    actor: str
    command: str
    key_id: str | None = None
    session_id: str | None = None
    address: str = ""
    command_id: str | None = None
    arguments: str = "{}"


@dataclass(frozen=True, slots=True)
class Verified:
    """Result of a verification; valid if `breaks` is empty."""

    entries: int
    breaks: Sequence[str]


class _Head(TypedDict):
    number: int
    hash: str


def begin(tx: Transaction, now: datetime) -> None:
    """Take up what was changed outside any command before a command begins."""
    _write(tx, Doing(actor="unknown", command=OUTSIDE), _taken(tx, others=True), now, always=False)


def record(tx: Transaction, doing: Doing, now: datetime) -> None:
    """Leave an entry with all changes that this transaction made."""
    _write(tx, doing, _taken(tx, others=False), now, always=True)


def discard(tx: Transaction) -> None:
    """Drop what the database noted of this transaction, which changed no meaning."""
    _taken(tx, others=False)


def _write(
    tx: Transaction,
    doing: Doing,
    changes: Sequence[Mapping[str, Any]],
    now: datetime,
    *,
    always: bool,
) -> None:
    if not changes and not always:
        return
    _lock(tx)
    for begins in range(0, max(len(changes), 1), CHANGES_MAX):
        _append(tx, doing, changes[begins : begins + CHANGES_MAX], now)


def _lock(tx: Transaction) -> None:
    # Two commands at once would both follow the same entry.
    if tx.dialect == "postgresql":
        tx.value("SELECT pg_advisory_xact_lock(7236450117)::text AS locked")


def _append(
    tx: Transaction, doing: Doing, changes: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    head = tx.row_as(_Head, "SELECT number, hash FROM trail_entry ORDER BY number DESC LIMIT 1")
    entry: dict[str, Any] = {
        "number": head["number"] + 1 if head else 1,
        "recorded_at": micros(now),
        "actor": doing.actor[:100],
        "key_id": doing.key_id,
        "session_id": doing.session_id,
        "address": doing.address[:64],
        "command": doing.command[:60],
        "command_id": doing.command_id,
        "arguments": doing.arguments,
        "changes": orjson.dumps(list(changes)).decode(),
        "previous_hash": head["hash"] if head else GENESIS,
    }
    entry["hash"] = digest(entry)
    names = ", ".join(entry)
    tx.run(
        f"INSERT INTO trail_entry({names}) VALUES({', '.join(f':{name}' for name in entry)})",
        **entry,
    )
    # The same entry as a line of the log: whoever collects it has a witness outside the database.
    logger.info(
        "trail number=%d command=%s actor=%r address=%s hash=%s",
        entry["number"], entry["command"], entry["actor"], entry["address"], entry["hash"],
    )  # fmt: skip


def digest(entry: Mapping[str, Any]) -> str:
    """Compute the hash of an entry: SHA-256 over the JSON array of the fields in `SEALED`."""
    return hashlib.sha256(orjson.dumps([entry[name] for name in SEALED])).hexdigest()


def _taken(tx: Transaction, *, others: bool) -> list[Mapping[str, Any]]:
    """Take up noted changes, of this transaction or of earlier ones, in their order."""
    own = ""
    if tx.dialect == "postgresql":
        # A transaction sees no uncommitted notes of others; its own bear its number.
        sign = "<>" if others else "="
        own = f"WHERE transaction_id {sign} (pg_current_xact_id()::text)::bigint "
    rows = tx.rows_as(
        TrailChangeRow, f"SELECT * FROM trail_change {own}ORDER BY seq LIMIT 5000 FOR UPDATE"
    )
    if not rows:
        return []
    tx.run("DELETE FROM trail_change WHERE seq IN (:taken...)", taken=[row["seq"] for row in rows])
    return [change for row in rows if (change := _change(row)) is not None]


def _change(row: TrailChangeRow) -> Mapping[str, Any] | None:
    """Return what one row was before and after: of a changed row only what differs."""
    before, after = (
        None if side is None else document(side) for side in (row["before"], row["after"])
    )
    if before is not None and after is not None:
        differing = [name for name in after if before.get(name) != after[name]]
        if not differing:
            return None
        before = {name: before.get(name) for name in differing}
        after = {name: after[name] for name in differing}
    return {"table": row["subject"], "id": row["row_id"], "before": before, "after": after}


def entries(tx: Transaction, *, first: int, before: int | None) -> list[TrailEntryRow]:
    """Return entries, the newest first, older than the number `before`."""
    return tx.rows_as(
        TrailEntryRow,
        "SELECT * FROM trail_entry WHERE number < :before ORDER BY number DESC LIMIT :limit",
        before=before if before is not None else 2**62,
        limit=max(1, min(first, LISTED_MAX)),
    )


def verify(tx: Transaction) -> Verified:
    """Verify that every entry holds its hash, and follows the one before."""
    breaks, previous, number = [], GENESIS, 0
    while rows := tx.rows_as(
        TrailEntryRow,
        "SELECT * FROM trail_entry WHERE number > :number ORDER BY number LIMIT 1000",
        number=number,
    ):
        for row in rows:
            if row["number"] != number + 1 or row["previous_hash"] != previous:
                breaks.append(f"trail entry {row['number']} does not follow entry {number}")
            if digest(row) != row["hash"]:
                breaks.append(f"trail entry {row['number']} was changed")
            number, previous = row["number"], row["hash"]
    return Verified(number, breaks)


def shown(arguments: Any, *, names_only: bool = False) -> str:
    """Return arguments as JSON for people, without secrets and without their whole length.

    `names_only`: of a command whose arguments are confidential, only codes and ids are shown.
    """
    if names_only and isinstance(arguments, dict):
        arguments = {
            name: value if name in ("id", "code", "ref", "order_id", "channel") else HIDDEN
            for name, value in arguments.items()
        }
    return orjson.dumps(_redacted(arguments, 0)).decode()


def _redacted(value: Any, depth: int) -> Any:
    if depth > DEPTH_SHOWN:
        return "…"
    if isinstance(value, dict):
        return {
            name: HIDDEN if _is_secret(name) and each is not None else _redacted(each, depth + 1)
            for name, each in value.items()
        }
    if isinstance(value, list):
        few = [_redacted(each, depth + 1) for each in value[:ITEMS_SHOWN]]
        return few if len(few) == len(value) else [*few, f"… {len(value)} in all"]
    if isinstance(value, str) and len(value) > CHARS_SHOWN:
        return value[:CHARS_SHOWN] + "…"
    return value


def _is_secret(name: object) -> bool:
    return any(part in str(name).lower() for part in SECRET_NAMES)
