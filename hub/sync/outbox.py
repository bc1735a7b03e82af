"""The outbox: facts to send to a channel, written with the change and sent by jobs.relay.

Facts about one subject are sent in their order; a dead fact is skipped, so that one poisoned
record never blocks the rest. A lease ends by itself; the fence number of a late worker is old, and
the worker changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

import orjson

from hub.clock import micros, new_id
from hub.storage.rows import OutboxRow
from hub.storage.sql import Transaction
from hub.sync.leases import LEASE

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact for one channel, identified by its `key`: a second one is dropped."""

    channel_id: str
    topic: str
    subject: str
    key: str
    payload: dict[str, Any]


class LeasedFact(TypedDict):
    """The columns by which the outcome of a leased fact is stored."""

    seq: int
    fence: int


class RetriedFact(LeasedFact):
    """A leased fact with its failed attempts."""

    attempts: int


def put(tx: Transaction, facts: Sequence[Fact], now: datetime) -> None:
    """Queue facts; those that are queued or sent already are skipped."""
    if not facts:
        return
    tx.run_many(
        "INSERT INTO outbox(id, channel_id, topic, subject, key, payload, due_at, created_at) "
        "VALUES(:id, :channel_id, :topic, :subject, :key, :payload, :now, :now) "
        "ON CONFLICT(channel_id, key) DO NOTHING",
        [
            {
                "id": new_id(),
                "channel_id": fact.channel_id,
                "topic": fact.topic,
                "subject": fact.subject,
                "key": fact.key,
                "payload": orjson.dumps(fact.payload).decode(),
                "now": micros(now),
            }
            for fact in facts
        ],
    )
    tx.wake("facts")


def lease(
    tx: Transaction, channel_id: str, now: datetime, *, limit: int, lasts: timedelta = LEASE
) -> list[OutboxRow]:
    """Lease due facts, the oldest of each subject, and those whose lease ran out."""
    rows = tx.rows_as(
        OutboxRow,
        "UPDATE outbox SET state = 'leased', lease_until = :until, fence = fence + 1 "
        "WHERE seq IN (SELECT first.seq FROM outbox AS first WHERE first.channel_id = :channel "
        "AND first.state IN ('waiting', 'leased') AND first.due_at <= :now "
        "AND first.lease_until <= :now AND NOT EXISTS ("
        "SELECT 1 FROM outbox AS earlier WHERE earlier.channel_id = first.channel_id "
        "AND earlier.subject = first.subject AND earlier.state IN ('waiting', 'leased') "
        "AND earlier.seq < first.seq) "
        "ORDER BY first.seq LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING *",
        channel=channel_id,
        now=micros(now),
        until=micros(now + lasts),
        limit=limit,
    )
    return sorted(rows, key=lambda row: row["seq"])  # an UPDATE returns them in any order


def anything_due(tx: Transaction, channel_id: str, now: datetime) -> bool:
    """Return whether any fact of a channel is due, without a lock."""
    due = tx.value(
        "SELECT 1 FROM outbox WHERE channel_id = :channel AND state IN ('waiting', 'leased') "
        "AND due_at <= :now AND lease_until <= :now LIMIT 1",
        channel=channel_id,
        now=micros(now),
    )
    return due is not None


def pending(tx: Transaction, channel_id: str) -> int:
    """Count the facts of a channel that are not settled."""
    waiting = tx.value(
        "SELECT COUNT(*) FROM outbox WHERE channel_id = :id AND state IN ('waiting', 'leased')",
        id=channel_id,
    )
    return int(waiting)


def sent(tx: Transaction, fact: LeasedFact, answer: str, now: datetime) -> bool:
    """Close a fact that was sent; return False if the lease was lost."""
    return _settle(tx, fact, now, state="sent", answer=answer[:2_000], settled_at=micros(now))


def retry(
    tx: Transaction,
    fact: RetriedFact,
    error: str,
    due_at: datetime,
    now: datetime,
    *,
    counted: bool,
) -> bool:
    """Requeue a fact for `due_at`; return False if the lease was lost.

    `counted` says whether an attempt was spent.
    """
    attempts = fact["attempts"] + counted
    due = micros(due_at)
    return _settle(
        tx,
        fact,
        now,
        state="waiting",
        due_at=due,
        attempts=attempts,
        last_error=error[:500],
    )


def await_job(tx: Transaction, fact: LeasedFact, job: str, due_at: datetime, now: datetime) -> bool:
    """Requeue a fact that the channel is still processing; poll `job` at `due_at`.

    Until it is settled, no later fact of its subject is sent. Returns False if the lease was lost.
    """
    return _settle(tx, fact, now, state="waiting", due_at=micros(due_at), job=job[:200])


def forget_job(tx: Transaction, fact: LeasedFact) -> None:
    """Clear the job of a leased fact, so that the fact is sent again: the job failed."""
    tx.run(
        "UPDATE outbox SET job = NULL WHERE seq = :seq AND fence = :fence AND state = 'leased'",
        seq=fact["seq"],
        fence=fact["fence"],
    )


def give_up(tx: Transaction, fact: RetriedFact, error: str, now: datetime) -> bool:
    """Make a fact a dead letter; return False if the lease was lost."""
    return _settle(
        tx,
        fact,
        now,
        state="dead",
        attempts=fact["attempts"] + 1,
        last_error=error[:500],
        settled_at=micros(now),
    )


def replay(tx: Transaction, fact_ids: Sequence[str], now: datetime) -> int:
    """Requeue dead facts with no attempts spent; return their number."""
    tx.wake("facts")
    return tx.run(
        "UPDATE outbox SET state = 'waiting', due_at = :now, lease_until = 0, attempts = 0, "
        "job = NULL, settled_at = NULL WHERE id IN (:ids...) AND state = 'dead'",
        now=micros(now),
        ids=list(fact_ids),
    )


def forget_events(tx: Transaction, now: datetime, *, limit: int) -> int:
    """Delete event facts that were sent more than a month ago; return their number.

    The events stay in the ledger, and the cursor that feeds a channel never goes back.
    """
    return tx.run(
        "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE state = 'sent' "
        "AND topic = 'event' AND settled_at < :old ORDER BY settled_at LIMIT :limit)",
        old=micros(now - KEPT),
        limit=limit,
    )


def _settle(tx: Transaction, fact: LeasedFact, now: datetime, **changes: Any) -> bool:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    touched = tx.run(
        # The column names are constants of this module, never input.
        f"UPDATE outbox SET lease_until = 0, {assignments} "
        "WHERE seq = :seq AND fence = :fence AND state = 'leased'",
        seq=fact["seq"],
        fence=fact["fence"],
        **changes,
    )
    if touched:
        tx.wake("facts" if micros(now) >= changes.get("due_at", 0) else "later")
    return touched == 1
