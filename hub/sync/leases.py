"""Leases of queued work: extended while their worker is alive, given back when it has to stop.

A lease is a row's `lease_until` and `fence`. Whoever takes the row after it ran out raises the
fence, and the late worker's extension, return or outcome touches nothing.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.clock import micros
from hub.storage.sql import Transaction

LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Queue:
    """A table whose rows are leased, the column that names a row, and whom a return wakes."""

    table: str
    name: str
    state: str
    topic: str


LEVELS = Queue("listing_level", "listing_id", "lease_until > 0", "levels")
FACTS = Queue("outbox", "seq", "state = 'leased'", "facts")
MESSAGES = Queue("inbox", "id", "state = 'leased'", "inbox")
ENDPOINTS = Queue("webhook_endpoint", "id", "lease_until > 0", "webhooks")

# Where a queue has states, a row that is given back waits again.
_WAITS = {"outbox": ", state = 'waiting'", "inbox": ", state = 'waiting'"}

Fences = Mapping[Hashable, int]
"""The rows that somebody holds, each with the fence under which he holds it."""


def extend(
    tx: Transaction, queue: Queue, fences: Fences, now: datetime, lease: timedelta
) -> set[Hashable]:
    """Extend the leases that are still held; return the names of their rows."""
    held: set[Hashable] = set()
    for fence, names in _by_fence(fences):
        rows = tx.rows(
            # The names of tables and columns are our own words, never input.
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


def give_back(tx: Transaction, queue: Queue, fences: Fences, due_at: datetime | None) -> int:
    """Give rows back before their lease ends, to be taken from `due_at`; return how many.

    Without a time they are due as before: nothing was done about them.
    """
    due = "" if due_at is None else ", due_at = :due"
    values = {} if due_at is None else {"due": micros(due_at)}
    returned = 0
    for fence, names in _by_fence(fences):
        returned += tx.run(
            f"UPDATE {queue.table} SET lease_until = 0{_WAITS.get(queue.table, '')}{due} "
            f"WHERE {queue.name} IN (SELECT {queue.name} FROM {queue.table} "
            f"WHERE {queue.name} IN (:names...) AND fence = :fence AND {queue.state} "
            f"ORDER BY {queue.name} FOR UPDATE)",
            names=names,
            fence=fence,
            **values,
        )
    tx.wake(queue.topic)
    return returned


def _by_fence(fences: Fences) -> Sequence[tuple[int, list[Hashable]]]:
    """Group rows by their fence: most were taken as often as the others."""
    grouped: dict[int, list[Hashable]] = {}
    for name, fence in fences.items():
        grouped.setdefault(fence, []).append(name)
    return sorted(grouped.items())
