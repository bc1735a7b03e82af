"""Leases of queued work: extended while their worker is alive, released when it has to stop.

A lease is a row's `lease_until` and `fence`. The next worker to lease the row raises the fence, so
that an extension, release or outcome of the late worker changes nothing.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from hub.clock import micros
from hub.storage.sql import Transaction

LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Queue:
    """A table whose rows are leased, its key column, and the topic that a release wakes."""

    table: str
    name: str
    state: str
    topic: str


LEVELS = Queue("listing_level", "listing_id", "lease_until > 0", "levels")
FACTS = Queue("outbox", "seq", "state = 'leased'", "facts")
MESSAGES = Queue("inbox", "id", "state = 'leased'", "inbox")
ENDPOINTS = Queue("webhook_endpoint", "id", "lease_until > 0", "webhooks")

# Where a queue has states, a released row is waiting again.
_WAITS = {"outbox": ", state = 'waiting'", "inbox": ", state = 'waiting'"}

Fences = Mapping[Hashable, int]
"""Leased rows, each with the fence of its lease."""


class _Named(TypedDict):
    name: Hashable


def extend(
    tx: Transaction, queue: Queue, fences: Fences, now: datetime, lease: timedelta
) -> set[Hashable]:
    """Extend the leases that are still held; return the keys of their rows."""
    held: set[Hashable] = set()
    for fence, names in _by_fence(fences):
        rows = tx.rows_as(
            _Named,
            # The names of tables and columns are constants of this module, never input.
            f"UPDATE {queue.table} SET lease_until = :until WHERE {queue.name} IN "
            f"(SELECT {queue.name} FROM {queue.table} WHERE {queue.name} IN (:names...) "
            f"AND fence = :fence AND {queue.state} ORDER BY {queue.name} FOR UPDATE) "
            f"RETURNING {queue.name} AS name",
            until=micros(now + lease),
            names=names,
            fence=fence,
        )
        held.update(row["name"] for row in rows)
    return held


def release(tx: Transaction, queue: Queue, fences: Fences, due_at: datetime | None) -> int:
    """Release leases before they end, with rows due at `due_at`; return their number.

    Without a time the rows are due as before.
    """
    due = "" if due_at is None else ", due_at = :due"
    values = {} if due_at is None else {"due": micros(due_at)}
    released = 0
    for fence, names in _by_fence(fences):
        released += tx.run(
            f"UPDATE {queue.table} SET lease_until = 0{_WAITS.get(queue.table, '')}{due} "
            f"WHERE {queue.name} IN (SELECT {queue.name} FROM {queue.table} "
            f"WHERE {queue.name} IN (:names...) AND fence = :fence AND {queue.state} "
            f"ORDER BY {queue.name} FOR UPDATE)",
            names=names,
            fence=fence,
            **values,
        )
    tx.wake(queue.topic)
    return released


def _by_fence(fences: Fences) -> Sequence[tuple[int, list[Hashable]]]:
    """Group rows by their fence: most have the same one."""
    grouped: dict[int, list[Hashable]] = {}
    for name, fence in fences.items():
        grouped.setdefault(fence, []).append(name)
    return sorted(grouped.items())
