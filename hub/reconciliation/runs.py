"""Reconciliation runs: each compares one scope of one channel with the ledger.

The totals of a run count each subject once and must add up; the database checks this. One run of a
scope is under way at a time. Its process holds a lease on it; where the process died, the next one
goes on with the run, or closes it as failed with what it had counted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

import orjson

from hub.clock import micros, moment, new_id
from hub.errors import RunUnderWay
from hub.reconciliation.kinds import Scope, Totals
from hub.storage.rows import ChannelRow, ReconciliationRunRow
from hub.storage.sql import Transaction

LEASE = timedelta(minutes=1)  # of a run whose caller names no other
ENDED = "its process ended before the run did"
RESUME_MAX = timedelta(minutes=15)  # after its start; what was compared before is too old then


class RunLost(Exception):
    """Another process works on the run, or it has ended. Next: stop."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is under way; `fence` tells its process from earlier ones."""

    id: str
    channel: ChannelRow
    scope: Scope
    fence: int = 0
    is_resumed: bool = False


class _Abandoned(TypedDict):
    channel_id: str
    scope: str


def start(
    tx: Transaction,
    channel: ChannelRow,
    scope: Scope,
    trigger: str,
    now: datetime,
    *,
    lease: timedelta = LEASE,
    asked: str | None = None,
) -> Run:
    """Open a run, or go on with one whose process died.

    It goes on only with a run that was asked for the same and that began RESUME_MAX ago at most;
    another one is closed as failed. `asked` is that text; None begins anew in any event. Raises
    RunUnderWay while another process works on a run of the scope.
    """
    last = tx.row_as(
        ReconciliationRunRow,
        "SELECT * FROM reconciliation_run WHERE channel_id = :channel AND scope = :scope "
        "AND state = 'running' FOR UPDATE",
        channel=channel["id"],
        scope=str(scope),
    )
    if last is not None:
        if last["lease_until"] > micros(now):
            raise _under_way(channel, scope, last)
        if asked is not None and last["asked"] == asked and _is_recent(last, now):
            return _resume(tx, channel, scope, last, now, lease)
        fail(tx, Run(last["id"], channel, scope, last["fence"]), ENDED, now)
    run = Run(new_id(), channel, scope)
    made = tx.run(
        "INSERT INTO reconciliation_run(id, channel_id, scope, state, trigger, started_at, asked, "
        "lease_until) VALUES(:id, :channel, :scope, 'running', :trigger, :now, :asked, :until) "
        "ON CONFLICT(channel_id, scope) WHERE state = 'running' DO NOTHING",
        id=run.id,
        channel=channel["id"],
        scope=str(scope),
        trigger=trigger[:100],
        now=micros(now),
        asked=asked,
        until=micros(now + lease),
    )
    if not made:
        raise _under_way(channel, scope, None)
    return run


def _is_recent(row: ReconciliationRunRow, now: datetime) -> bool:
    return now - moment(row["started_at"]) <= RESUME_MAX


def _under_way(channel: ChannelRow, scope: Scope, row: ReconciliationRunRow | None) -> RunUnderWay:
    if row is None:  # it began in this moment, and its transaction cannot be read yet
        return RunUnderWay(f"a run of {scope} of {channel['name']} has just begun")
    began = f"{moment(row['started_at']):%Y-%m-%d %H:%M:%S} UTC"
    return RunUnderWay(
        f"a run of {scope} of {channel['name']} is under way since {began}: {row['id']}",
        run=row["id"],
    )


def _resume(
    tx: Transaction,
    channel: ChannelRow,
    scope: Scope,
    row: ReconciliationRunRow,
    now: datetime,
    lease: timedelta,
) -> Run:
    run = Run(row["id"], channel, scope, row["fence"] + 1, is_resumed=True)
    tx.run(
        "UPDATE reconciliation_run SET fence = :fence, lease_until = :until, resumed_at = :now, "
        "resumes = resumes + 1 WHERE id = :id",
        fence=run.fence,
        until=micros(now + lease),
        now=micros(now),
        id=run.id,
    )
    return run


def abandoned(tx: Transaction, now: datetime) -> set[tuple[str, Scope]]:
    """Return the channels and scopes of runs whose processes died."""
    rows = tx.rows_as(
        _Abandoned,
        "SELECT channel_id, scope FROM reconciliation_run "
        "WHERE state = 'running' AND lease_until <= :now",
        now=micros(now),
    )
    return {(row["channel_id"], Scope(row["scope"])) for row in rows}


def extend(tx: Transaction, run: Run, until: datetime) -> bool:
    """Extend the lease of a run; return whether this process still has it."""
    return bool(
        tx.run(
            "UPDATE reconciliation_run SET lease_until = :until WHERE id = :id "
            "AND fence = :fence AND state = 'running'",
            until=micros(until),
            id=run.id,
            fence=run.fence,
        )
    )


def release(tx: Transaction, run: Run) -> None:
    """Give up a run that this process cannot end, so that another one goes on with it."""
    tx.run(
        "UPDATE reconciliation_run SET lease_until = 0 WHERE id = :id AND fence = :fence "
        "AND state = 'running'",
        id=run.id,
        fence=run.fence,
    )


def totals_of(tx: Transaction, run: Run) -> Totals:
    """Return what a run has counted so far."""
    row = tx.row_as(
        ReconciliationRunRow, "SELECT * FROM reconciliation_run WHERE id = :id", id=run.id
    )
    assert row is not None  # a run under way is not deleted
    return Totals(
        matched=row["matched"],
        in_flight=row["in_flight"],
        explained=row["explained"],
        differences=row["differences"],
        not_kept=row["not_kept"],
        not_compared=row["not_compared"],
        skipped=orjson.loads(row["skipped"]),
    )


def note_window(tx: Transaction, run: Run, since: datetime, until: datetime) -> None:
    """Record the period whose orders a run compares."""
    tx.run(
        "UPDATE reconciliation_run SET window_from = :since, window_until = :until WHERE id = :id",
        since=micros(since),
        until=micros(until),
        id=run.id,
    )


def count(tx: Transaction, run: Run, totals: Totals) -> None:
    """Record what a run has counted so far; raises RunLost if this process lost it."""
    counted = tx.run(
        "UPDATE reconciliation_run SET compared = :compared, matched = :matched, "
        "in_flight = :in_flight, explained = :explained, differences = :differences, "
        "not_kept = :not_kept, not_compared = :not_compared, skipped = :skipped "
        "WHERE id = :id AND fence = :fence AND state = 'running'",
        compared=totals.compared,
        matched=totals.matched,
        in_flight=totals.in_flight,
        explained=totals.explained,
        differences=totals.differences,
        not_kept=totals.not_kept,
        not_compared=totals.not_compared,
        skipped=orjson.dumps(totals.skipped).decode(),
        id=run.id,
        fence=run.fence,
    )
    if not counted:
        raise RunLost(run.id)


def finish(tx: Transaction, run: Run, totals: Totals, now: datetime) -> None:
    """Close a run with its totals; raises RunLost if this process lost it."""
    count(tx, run, totals)
    tx.run(
        "UPDATE reconciliation_run SET state = 'finished', finished_at = :now WHERE id = :id",
        now=micros(now),
        id=run.id,
    )


def fail(tx: Transaction, run: Run, error: str, now: datetime) -> None:
    """Close a run as failed, with the reason; it keeps what it had counted."""
    tx.run(
        "UPDATE reconciliation_run SET state = 'failed', error = :error, finished_at = :now "
        "WHERE id = :id AND fence = :fence AND state = 'running'",
        error=error[:500],
        now=micros(now),
        id=run.id,
        fence=run.fence,
    )
