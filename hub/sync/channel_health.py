"""Health of channels: waiting work, its age, dead letters, and the last success."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from hub.storage.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Backlog of a channel: waiting work, its age, and dead letters."""

    levels_waiting: int = 0
    facts_waiting: int = 0
    inbox_waiting: int = 0
    dead: int = 0
    oldest_unsent_at: int | None = None
    last_success_at: int | None = None


class _Count(TypedDict):
    channel_id: str
    number: int


class _Backlog(_Count):
    oldest: int | None


class _Moment(TypedDict):
    channel_id: str
    at: int | None


_LEVELS = (
    "SELECT channel_id, COUNT(*) AS number, MIN(wanted_at) AS oldest FROM listing_level "
    "WHERE channel_id IN (:ids...) AND wanted_version > done_version AND state = 'live' "
    "GROUP BY channel_id"
)
_FACTS = (
    "SELECT channel_id, COUNT(*) AS number, MIN(created_at) AS oldest FROM outbox "
    "WHERE channel_id IN (:ids...) AND state IN ('waiting', 'leased') GROUP BY channel_id"
)
_INBOX = (
    "SELECT channel_id, COUNT(*) AS number FROM inbox WHERE channel_id IN (:ids...) "
    "AND state IN ('waiting', 'leased') GROUP BY channel_id"
)
_DEAD = (
    "SELECT channel_id, COUNT(*) AS number FROM ("
    "SELECT channel_id FROM outbox WHERE channel_id IN (:ids...) AND state = 'dead' "
    "UNION ALL SELECT channel_id FROM inbox WHERE channel_id IN (:ids...) AND state = 'dead' "
    "UNION ALL SELECT channel_id FROM listing_level WHERE channel_id IN (:ids...) "
    "AND state = 'dead') AS letters GROUP BY channel_id"
)
_SUCCESSES = (
    "SELECT channel_id, MAX(acknowledged_at) AS at FROM listing_level "
    "WHERE channel_id IN (:ids...) GROUP BY channel_id",
    # Streams that are read from the channel; the others are our own.
    "SELECT channel_id, MAX(moved_at) AS at FROM cursor WHERE channel_id IN (:ids...) "
    "AND stream NOT IN ('events', 'warranty_job') GROUP BY channel_id",
    "SELECT channel_id, MAX(settled_at) AS at FROM outbox WHERE channel_id IN (:ids...) "
    "AND state = 'sent' GROUP BY channel_id",
)


def healths_of(tx: Transaction, channel_ids: Sequence[str]) -> dict[str, Health]:
    """Measure the backlogs of channels, by id; their number does not change that of statements."""
    ids = list(channel_ids)
    levels = {row["channel_id"]: row for row in tx.rows_as(_Backlog, _LEVELS, ids=ids)}
    facts = {row["channel_id"]: row for row in tx.rows_as(_Backlog, _FACTS, ids=ids)}
    inbox = {row["channel_id"]: row["number"] for row in tx.rows_as(_Count, _INBOX, ids=ids)}
    dead = {row["channel_id"]: row["number"] for row in tx.rows_as(_Count, _DEAD, ids=ids)}
    successes: dict[str, list[int]] = {}
    for statement in _SUCCESSES:
        for row in tx.rows_as(_Moment, statement, ids=ids):
            if row["at"] is not None:
                successes.setdefault(row["channel_id"], []).append(row["at"])
    return {
        each: Health(
            levels_waiting=levels[each]["number"] if each in levels else 0,
            facts_waiting=facts[each]["number"] if each in facts else 0,
            inbox_waiting=inbox.get(each, 0),
            dead=dead.get(each, 0),
            oldest_unsent_at=_oldest(levels.get(each), facts.get(each)),
            last_success_at=max(successes.get(each, ()), default=None),
        )
        for each in ids
    }


def _oldest(*backlogs: _Backlog | None) -> int | None:
    found = [each["oldest"] for each in backlogs if each is not None]
    return min((each for each in found if each is not None), default=None)
