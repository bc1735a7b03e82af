"""Reconciliation runs: each compares one scope of one channel with the ledger.

The totals of a run count each subject once and must add up; the database checks this.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from hub.clock import micros, new_id
from hub.reconciliation.kinds import Scope, Totals
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction

RUN_MAX = timedelta(hours=1)  # after which the process of a run is presumed dead


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is under way."""

    id: str
    channel: ChannelRow
    scope: Scope


def start(tx: Transaction, channel: ChannelRow, scope: Scope, trigger: str, now: datetime) -> Run:
    """Open a run; close an abandoned earlier one as failed."""
    tx.run(
        "UPDATE reconciliation_run SET state = 'failed', finished_at = :now, "
        "error = 'its process ended before the run did' WHERE channel_id = :channel "
        "AND scope = :scope AND state = 'running' AND started_at < :long_ago",
        channel=channel["id"],
        scope=str(scope),
        now=micros(now),
        long_ago=micros(now - RUN_MAX),
    )
    run = Run(new_id(), channel, scope)
    tx.run(
        "INSERT INTO reconciliation_run(id, channel_id, scope, state, trigger, started_at) "
        "VALUES(:id, :channel, :scope, 'running', :trigger, :now)",
        id=run.id,
        channel=channel["id"],
        scope=str(scope),
        trigger=trigger[:100],
        now=micros(now),
    )
    return run


def note_window(tx: Transaction, run: Run, since: datetime, until: datetime) -> None:
    """Record the period whose orders a run compares."""
    tx.run(
        "UPDATE reconciliation_run SET window_from = :since, window_until = :until WHERE id = :id",
        since=micros(since),
        until=micros(until),
        id=run.id,
    )


def finish(tx: Transaction, run: Run, totals: Totals, now: datetime) -> None:
    """Close a run with its totals."""
    tx.run(
        "UPDATE reconciliation_run SET state = 'finished', compared = :compared, "
        "matched = :matched, in_flight = :in_flight, explained = :explained, "
        "differences = :differences, not_kept = :not_kept, not_compared = :not_compared, "
        "skipped = :skipped, finished_at = :now WHERE id = :id AND state = 'running'",
        compared=totals.compared,
        matched=totals.matched,
        in_flight=totals.in_flight,
        explained=totals.explained,
        differences=totals.differences,
        not_kept=totals.not_kept,
        not_compared=totals.not_compared,
        skipped=orjson.dumps(totals.skipped).decode(),
        now=micros(now),
        id=run.id,
    )


def fail(tx: Transaction, run: Run, error: str, now: datetime) -> None:
    """Close a run as failed, with the reason."""
    tx.run(
        "UPDATE reconciliation_run SET state = 'failed', error = :error, finished_at = :now "
        "WHERE id = :id AND state = 'running'",
        error=error[:500],
        now=micros(now),
        id=run.id,
    )
