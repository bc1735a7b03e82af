"""The outbox: facts that a channel must be told, written with the change, emptied by jobs.relay.

Facts about one subject are told in their order; a fact that was given up (dead) steps aside so
that one poisoned record never blocks the rest. A lease ends by itself; a worker that comes back
late finds that its fence number is old and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from hub.clock import micros, new_id
from hub.storage.sql import Row, Transaction
from hub.sync.leases import LEASE

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact for one channel, known by its `key`: putting it twice is putting it once."""

    channel_id: str
    topic: str
    subject: str
    key: str
    payload: dict[str, Any]


def put(tx: Transaction, facts: Sequence[Fact], now: datetime) -> None:
    """Queue facts; those that are queued or told already are left alone."""
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
) -> list[Row]:
    """Take facts that are due: the oldest of each subject; also those whose worker died."""
    rows = tx.rows(
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
    return sorted(rows, key=lambda row: int(row["seq"]))  # an UPDATE returns them in any order


def sent(tx: Transaction, fact: Row, answer: str, now: datetime) -> bool:
    """Close a fact that arrived; False if the lease was lost meanwhile."""
    return _settle(tx, fact, now, state="sent", answer=answer[:2_000], settled_at=micros(now))


def retry(
    tx: Transaction, fact: Row, error: str, due_at: datetime, now: datetime, *, counted: bool
) -> bool:
    """Give a fact back, to be told at `due_at`; `counted` says whether it was an attempt."""
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


def is_worked_off(tx: Transaction, fact: Row, job: str, due_at: datetime, now: datetime) -> bool:
    """Give a fact back that its channel works off; `job` is asked for at `due_at`.

    Until it is settled no later fact of its subject is told.
    """
    return _settle(tx, fact, now, state="waiting", due_at=micros(due_at), job=job[:200])


def forget_job(tx: Transaction, fact: Row) -> None:
    """Have a leased fact told anew: what its channel worked off came to nothing."""
    tx.run(
        "UPDATE outbox SET job = NULL WHERE seq = :seq AND fence = :fence AND state = 'leased'",
        seq=fact["seq"],
        fence=fact["fence"],
    )


def give_up(tx: Transaction, fact: Row, error: str, now: datetime) -> bool:
    """Make a fact a dead letter, with its reason."""
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
    """Put dead letters back in the queue, with their attempts forgotten; return how many."""
    tx.wake("facts")
    return tx.run(
        "UPDATE outbox SET state = 'waiting', due_at = :now, lease_until = 0, attempts = 0, "
        "job = NULL, settled_at = NULL WHERE id IN (:ids...) AND state = 'dead'",
        now=micros(now),
        ids=list(fact_ids),
    )


def forget_events(tx: Transaction, now: datetime, *, limit: int) -> int:
    """Drop facts that told events and arrived more than a month ago; return how many.

    The events stay in the ledger, and the cursor that feeds a channel never goes back.
    """
    return tx.run(
        "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE state = 'sent' "
        "AND topic = 'event' AND settled_at < :old ORDER BY settled_at LIMIT :limit)",
        old=micros(now - KEPT),
        limit=limit,
    )


def _settle(tx: Transaction, fact: Row, now: datetime, **changes: Any) -> bool:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    touched = tx.run(
        # The columns are our own words, never input.
        f"UPDATE outbox SET lease_until = 0, {assignments} "
        "WHERE seq = :seq AND fence = :fence AND state = 'leased'",
        seq=fact["seq"],
        fence=fact["fence"],
        **changes,
    )
    if touched:
        tx.wake("facts" if micros(now) >= changes.get("due_at", 0) else "later")
    return touched == 1
