"""The inbox: what channels told us, stored before it is understood; emptied by jobs.intake.

A delivery is known by the channel's own id for it, for ever: the same one again is not stored
twice. A webhook is a hint that something changed; the order itself is read again from the channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.clock import micros, new_id
from hub.storage.sql import Row, Transaction
from hub.sync.leases import LEASE


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery: a webhook call, or one order of a page that was pulled."""

    channel_id: str
    delivery: str
    source: str  # webhook, pull, reconciliation
    topic: str
    body: bytes


def accept(tx: Transaction, messages: Sequence[Message], now: datetime) -> int:
    """Store deliveries; return how many were new."""
    new = sum(
        tx.run(
            "INSERT INTO inbox(id, channel_id, delivery, source, topic, body, due_at, received_at) "
            "VALUES(:id, :channel_id, :delivery, :source, :topic, :body, :now, :now) "
            "ON CONFLICT(channel_id, delivery) DO NOTHING",
            id=new_id(),
            channel_id=message.channel_id,
            delivery=message.delivery[:300],
            source=message.source,
            topic=message.topic[:100],
            body=message.body,
            now=micros(now),
        )
        for message in messages
    )
    if new:
        tx.wake("inbox")
    return new


def lease(tx: Transaction, now: datetime, *, limit: int, lasts: timedelta = LEASE) -> list[Row]:
    """Take deliveries of active channels that are due, and those whose worker died."""
    rows = tx.rows(
        "UPDATE inbox SET state = 'leased', lease_until = :until, fence = fence + 1 "
        "WHERE id IN (SELECT inbox.id FROM inbox JOIN channel ON channel.id = inbox.channel_id "
        "WHERE inbox.state IN ('waiting', 'leased') AND inbox.due_at <= :now "
        "AND inbox.lease_until <= :now AND channel.state = 'active' "
        "AND channel.waits_until <= :now "
        "ORDER BY inbox.due_at, inbox.id LIMIT :limit FOR UPDATE OF inbox SKIP LOCKED) RETURNING *",
        now=micros(now),
        until=micros(now + lasts),
        limit=limit,
    )
    return sorted(rows, key=lambda row: str(row["id"]))


def done(tx: Transaction, message: Row, subject: str | None, now: datetime) -> bool:
    """Close a delivery that was worked into the ledger; False if the lease was lost.

    `subject` is the channel's reference of the order that it was about.
    """
    changes = {"subject": subject, "settled_at": micros(now), "last_error": None}
    return _settle(tx, message, state="done", **changes)


def retry(tx: Transaction, message: Row, error: str, due_at: datetime, *, counted: bool) -> bool:
    """Give a delivery back, to be looked at again at `due_at`."""
    attempts = message["attempts"] + counted
    return _settle(
        tx,
        message,
        state="waiting",
        due_at=micros(due_at),
        attempts=attempts,
        last_error=error[:500],
    )


def give_up(tx: Transaction, message: Row, error: str, now: datetime) -> bool:
    """Make a delivery a dead letter, with its reason."""
    return _settle(tx, message, state="dead", last_error=error[:500], settled_at=micros(now))


def replay(tx: Transaction, message_ids: Sequence[str], now: datetime) -> int:
    """Put dead deliveries back in the queue; return how many."""
    tx.wake("inbox")
    return tx.run(
        "UPDATE inbox SET state = 'waiting', due_at = :now, lease_until = 0, attempts = 0, "
        "settled_at = NULL WHERE id IN (:ids...) AND state = 'dead'",
        now=micros(now),
        ids=list(message_ids),
    )


def _settle(tx: Transaction, message: Row, **changes: Any) -> bool:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    touched = tx.run(
        # The columns are our own words, never input.
        f"UPDATE inbox SET lease_until = 0, {assignments} "
        "WHERE id = :id AND fence = :fence AND state = 'leased'",
        id=message["id"],
        fence=message["fence"],
        **changes,
    )
    return touched == 1
