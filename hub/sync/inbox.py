"""The inbox: deliveries of channels, stored before they are interpreted; emptied by jobs.intake.

A delivery is identified by the channel's own id: a repeated one is not stored again while its row
is kept (`hub.sync.inbox_retention`). Bodies of understood deliveries are kept for days only.
A webhook is a hint that something changed; the order itself is read again from the channel.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from hub.clock import micros, moment, new_id
from hub.storage.rows import InboxRow
from hub.storage.sql import Transaction
from hub.sync.leases import LEASE

QUEUE = "queue"  # the source of messages from a channel's queue
WEBHOOK = "webhook"
REPEATED = timedelta(seconds=10)  # between two looks at the same content
HINTS = (WEBHOOK, QUEUE)  # sources of hints; any other delivery carries its content
UNREADABLE = "unreadable"  # the source of a record that could not be read


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery: a webhook call, or one order of a page that was pulled."""

    channel_id: str
    delivery: str
    source: str  # webhook, pull, reconciliation
    topic: str
    body: bytes


class _Same(TypedDict):
    """A delivery of the same content."""

    delivery: str
    state: str
    received_at: int


class LeasedMessage(TypedDict):
    """The columns by which the outcome of a leased delivery is stored."""

    id: str
    fence: int


class RetriedMessage(LeasedMessage):
    """A leased delivery with its failed attempts."""

    attempts: int


def accept(tx: Transaction, messages: Sequence[Message], now: datetime) -> int:
    """Store deliveries; return the number of new ones.

    A webhook whose very content waits already is not new, whatever id it bears: ids are not signed.
    One whose content came less than REPEATED ago is looked at when that has passed, together with
    further ones: a channel that repeats itself loses nothing, and whoever replays a delivery causes
    few looks.
    """
    new = sum(_accept(tx, message, now) for message in messages)
    if new:
        tx.wake("inbox")
    return new


def _accept(tx: Transaction, message: Message, now: datetime) -> int:
    content, due_at = None, now
    if message.source == WEBHOOK:
        plain = message.topic.encode() + b"\0" + message.body
        content = hashlib.sha256(plain).hexdigest()
        known = tx.rows_as(
            _Same,
            "SELECT delivery, state, received_at FROM inbox WHERE channel_id = :channel "
            "AND content = :content ORDER BY CASE state WHEN 'waiting' THEN 0 ELSE 1 END, "
            "received_at DESC LIMIT 1",
            channel=message.channel_id,
            content=content,
        )
        if known and known[0]["state"] == "waiting":
            return 0
        if known and known[0]["received_at"] > micros(now - REPEATED):
            due_at = moment(known[0]["received_at"]) + REPEATED
    return tx.run(
        "INSERT INTO inbox(id, channel_id, delivery, source, topic, body, content, due_at, "
        "received_at) VALUES(:id, :channel_id, :delivery, :source, :topic, :body, :content, :due, "
        ":now) ON CONFLICT(channel_id, delivery) DO NOTHING",
        id=new_id(),
        channel_id=message.channel_id,
        delivery=message.delivery[:300],
        source=message.source,
        topic=message.topic[:100],
        body=message.body,
        content=content,
        due=micros(due_at),
        now=micros(now),
    )


def lease(
    tx: Transaction,
    now: datetime,
    *,
    limit: int,
    lasts: timedelta = LEASE,
    channel_id: str | None = None,
) -> list[InboxRow]:
    """Lease due deliveries of active channels, or of one; also those whose lease ran out."""
    of_channel = "AND inbox.channel_id = :channel " if channel_id else ""
    rows = tx.rows_as(
        InboxRow,
        "UPDATE inbox SET state = 'leased', lease_until = :until, fence = fence + 1 "
        "WHERE id IN (SELECT inbox.id FROM inbox JOIN channel ON channel.id = inbox.channel_id "
        "WHERE inbox.state IN ('waiting', 'leased') AND inbox.due_at <= :now "
        "AND inbox.lease_until <= :now AND channel.state = 'active' "
        f"AND channel.waits_until <= :now {of_channel}"
        "ORDER BY inbox.due_at, inbox.id LIMIT :limit FOR UPDATE OF inbox SKIP LOCKED) RETURNING *",
        now=micros(now),
        until=micros(now + lasts),
        limit=limit,
        **({"channel": channel_id} if channel_id else {}),
    )
    return sorted(rows, key=lambda row: str(row["id"]))


class _Waiting(TypedDict):
    channel_id: str


def channels_waiting(tx: Transaction, now: datetime) -> list[str]:
    """Return the ids of the active channels that have due deliveries."""
    rows = tx.rows_as(
        _Waiting,
        "SELECT DISTINCT inbox.channel_id FROM inbox JOIN channel ON channel.id = inbox.channel_id "
        "WHERE inbox.state IN ('waiting', 'leased') AND inbox.due_at <= :now "
        "AND inbox.lease_until <= :now AND channel.state = 'active' "
        "AND channel.waits_until <= :now ORDER BY inbox.channel_id",
        now=micros(now),
    )
    return [row["channel_id"] for row in rows]


def done(tx: Transaction, message: LeasedMessage, subject: str | None, now: datetime) -> bool:
    """Close a processed delivery; return False if the lease was lost.

    `subject` is the channel's reference of the order that it was about.
    """
    changes = {"subject": subject, "settled_at": micros(now), "last_error": None}
    return _settle(tx, message, state="done", **changes)


def retry(
    tx: Transaction, message: RetriedMessage, error: str, due_at: datetime, *, counted: bool
) -> bool:
    """Requeue a delivery for `due_at`; return False if the lease was lost."""
    attempts = message["attempts"] + counted
    return _settle(
        tx,
        message,
        state="waiting",
        due_at=micros(due_at),
        attempts=attempts,
        last_error=error[:500],
    )


def give_up(tx: Transaction, message: LeasedMessage, error: str, now: datetime) -> bool:
    """Make a delivery a dead letter; return False if the lease was lost."""
    return _settle(tx, message, state="dead", last_error=error[:500], settled_at=micros(now))


def replay(tx: Transaction, message_ids: Sequence[str], now: datetime) -> int:
    """Requeue dead deliveries; return their number."""
    tx.wake("inbox")
    return tx.run(
        "UPDATE inbox SET state = 'waiting', due_at = :now, lease_until = 0, attempts = 0, "
        "settled_at = NULL WHERE id IN (:ids...) AND state = 'dead'",
        now=micros(now),
        ids=list(message_ids),
    )


class _Subject(TypedDict):
    subject: str


class UnreadableMessage(TypedDict):
    """A kept record that could not be read."""

    id: str
    channel_id: str
    body: bytes


def keep_unreadable(
    tx: Transaction, message: Message, subject: str, error: str, now: datetime
) -> bool:
    """Store a record that could not be read as a dead delivery; return False if it is there.

    A delivery of the same record that is being read again, or was closed, is dead again. When it
    was last seen is when it is settled: what was read before that closes it no more.
    """
    touched = tx.run(
        "INSERT INTO inbox(id, channel_id, delivery, source, topic, subject, body, state, due_at, "
        "received_at, settled_at, last_error) VALUES(:id, :channel_id, :delivery, :source, :topic, "
        ":subject, :body, 'dead', :now, :now, :now, :error) "
        "ON CONFLICT(channel_id, delivery) DO UPDATE SET state = 'dead', body = excluded.body, "
        "lease_until = 0, settled_at = excluded.settled_at, last_error = excluded.last_error "
        "WHERE inbox.state <> 'dead'",
        id=new_id(),
        channel_id=message.channel_id,
        delivery=message.delivery[:300],
        source=UNREADABLE,
        topic=message.topic[:100],
        subject=subject[:200],
        body=message.body,
        now=micros(now),
        error=error[:500],
    )
    if touched != 1:
        tx.run(
            "UPDATE inbox SET settled_at = :now WHERE channel_id = :channel "
            "AND delivery = :delivery AND state = 'dead'",
            now=micros(now),
            channel=message.channel_id,
            delivery=message.delivery[:300],
        )
    return touched == 1


def unreadable(tx: Transaction) -> list[UnreadableMessage]:
    """Return the records that could not be read so far."""
    return tx.rows_as(
        UnreadableMessage,
        "SELECT id, channel_id, body FROM inbox WHERE source = :source AND state = 'dead' "
        "ORDER BY received_at, id",
        source=UNREADABLE,
    )


def settle_unreadable(
    tx: Transaction, channel_id: str, subjects: Sequence[str], read_at: datetime, now: datetime
) -> set[str]:
    """Close the kept records of subjects that were read meanwhile.

    `read_at` is when the channel stated what was read: a record that was seen since stays. Returns
    the subjects of which one stays.
    """
    if not subjects:
        return set()
    chosen = "channel_id = :channel AND subject IN (:subjects...) AND source = :source"
    values = {
        "channel": channel_id,
        "subjects": [subject[:200] for subject in subjects],
        "source": UNREADABLE,
    }
    tx.run(
        "UPDATE inbox SET state = 'done', settled_at = :now, last_error = NULL "
        f"WHERE {chosen} AND state = 'dead' AND settled_at <= :read_at",
        now=micros(now),
        read_at=micros(read_at),
        **values,
    )
    rows = tx.rows_as(
        _Subject, f"SELECT DISTINCT subject FROM inbox WHERE {chosen} AND state = 'dead'", **values
    )
    return {row["subject"] for row in rows}


def _settle(tx: Transaction, message: LeasedMessage, **changes: Any) -> bool:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    touched = tx.run(
        # The column names are constants of this module, never input.
        f"UPDATE inbox SET lease_until = 0, {assignments} "
        "WHERE id = :id AND fence = :fence AND state = 'leased'",
        id=message["id"],
        fence=message["fence"],
        **changes,
    )
    return touched == 1


def about(tx: Transaction, channel_id: str, subject: str, *, limit: int) -> list[InboxRow]:
    """Return the newest deliveries that were about a subject, such as an order's reference."""
    return tx.rows_as(
        InboxRow,
        "SELECT * FROM inbox WHERE channel_id = :channel AND subject = :subject "
        "ORDER BY received_at DESC, id DESC LIMIT :limit",
        channel=channel_id,
        subject=subject,
        limit=limit,
    )
