"""Push log: each attempt to send something to a channel, with its reason and its answer.

Lines are kept for a month; the units, orders and events that they concern are kept for ever. The
log is for people who examine the calls themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

from hub.clock import micros, new_id
from hub.storage.sql import Row, Transaction

KEPT = timedelta(days=30)
CHARS_MAX = 2_000
COLUMNS = ("id", "channel_id", "topic", "subject", "key", "sent", "outcome", "answer", "at")


class PushOutcome(StrEnum):
    """Outcome of one attempt."""

    ACCEPTED = "accepted"
    WAITS = "waits"  # it is retried
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One attempt. `key` is its reason: the wanted version of a level, or a recorded fact."""

    topic: str  # level, fulfillment, warranty, notice …
    subject: str
    key: str
    sent: Any  # plain JSON values
    outcome: PushOutcome
    answer: str


def note(tx: Transaction, channel_id: str, pushes: Sequence[Push], now: datetime) -> None:
    """Store attempts, in the transaction that stores their outcome."""
    tx.insert(
        "push_attempt",
        COLUMNS,
        [
            (
                new_id(),
                channel_id,
                push.topic,
                push.subject[:200],
                push.key[:200],
                orjson.dumps(push.sent, default=str).decode()[:CHARS_MAX],
                str(push.outcome),
                push.answer[:CHARS_MAX],
                micros(now),
            )
            for push in pushes
        ],
    )


def recent(
    tx: Transaction, channel_id: str, subject: str | None, before: str | None, limit: int
) -> list[Row]:
    """Return pushes to a channel, the newest first; `before` is the id of the last one read."""
    condition = "channel_id = :channel AND id < :before"
    values: dict[str, Any] = {"channel": channel_id, "before": before or "~"}
    if subject is not None:
        condition += " AND subject = :subject"
        values["subject"] = subject
    return tx.rows(
        f"SELECT * FROM push_attempt WHERE {condition} ORDER BY id DESC LIMIT :limit",
        limit=limit,
        **values,
    )


def forget(tx: Transaction, now: datetime, *, limit: int) -> int:
    """Delete lines that are older than a month; return their number."""
    return tx.run(
        "DELETE FROM push_attempt WHERE id IN (SELECT id FROM push_attempt WHERE at < :old "
        "ORDER BY at LIMIT :limit)",
        old=micros(now - KEPT),
        limit=limit,
    )
