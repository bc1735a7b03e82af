"""Job runs: each firing of a job is a row that one process claims, so that it runs once.

Every process has a clock of its own. A firing belongs to a slot (the planned time in whole
periods); the process that inserts its row runs it. Another process takes over a run whose lease
ended. The table is also the history of runs. The id of a run is its fence: it changes on a
take-over, so that the late process can neither extend nor finish the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from hub.clock import SECOND, micros, new_id
from hub.storage.sql import Transaction

LOCK = 7_201_119  # PostgreSQL's number of the locks under which slots are taken
LATE = timedelta(seconds=30)  # tolerated after a period before a job is overdue
MICROSECOND = timedelta(microseconds=1)
KEPT = timedelta(days=90)
FORGOTTEN_MAX = 10  # by each run
UNFINISHED = "given up: the process that ran it ended"


@dataclass(frozen=True, slots=True)
class JobRun:
    """One firing of a job that this process claimed."""

    id: str
    job: str
    slot: int


class _LastRun(TypedDict):
    id: str
    slot: int
    lease_until: int
    started_at: int
    finished_at: int | None


class _RunId(TypedDict):
    id: str


def take(
    tx: Transaction, job: str, period: timedelta, holder: str, now: datetime, lease: timedelta
) -> JobRun | None:
    """Claim the current slot of a job; None if another process has it, or ran it already.

    A live run of an earlier slot keeps the job: two runs of one job never overlap.
    """
    slot = micros(now) // (int(period.total_seconds() * SECOND) or 1)
    if tx.dialect == "postgresql":  # SQLite has a single writer
        tx.run("SELECT pg_advisory_xact_lock(:lock, hashtext(:job))", lock=LOCK, job=job)
    last = _last(tx, job)
    if last is not None and last["finished_at"] is None:
        if last["lease_until"] > micros(now):
            return None
        if last["slot"] != slot:
            finish(tx, JobRun(last["id"], job, last["slot"]), UNFINISHED, now)
    row = tx.row_as(
        _RunId,
        "INSERT INTO job_run(id, job, slot, holder, lease_until, started_at) "
        "VALUES(:id, :job, :slot, :holder, :until, :begun) ON CONFLICT(job, slot) DO UPDATE "
        "SET id = excluded.id, holder = excluded.holder, lease_until = excluded.lease_until, "
        "started_at = excluded.started_at "
        "WHERE job_run.finished_at IS NULL AND job_run.lease_until <= :now RETURNING id",
        id=new_id(),
        job=job,
        slot=slot,
        holder=holder,
        until=micros(now + lease),
        now=micros(now),
        # The time was read before the lock: the run before may have ended while we waited for it.
        begun=max(micros(now), (last and last["finished_at"]) or 0),
    )
    return JobRun(row["id"], job, slot) if row else None


def _last(tx: Transaction, job: str) -> _LastRun | None:
    return tx.row_as(
        _LastRun,
        "SELECT id, slot, lease_until, started_at, finished_at FROM job_run WHERE job = :job "
        "ORDER BY started_at DESC, slot DESC LIMIT 1",
        job=job,
    )


def abandoned(tx: Transaction, jobs: Sequence[str], now: datetime) -> list[str]:
    """Return the jobs whose last run was released, or whose process died."""
    found = {job: _last(tx, job) for job in jobs}
    return [
        job
        for job, last in found.items()
        if last and last["finished_at"] is None and last["lease_until"] <= micros(now)
    ]


def overdue(tx: Transaction, periods: Mapping[str, timedelta], now: datetime) -> list[str]:
    """Return the jobs that no process started for longer than their period.

    A timer starts with its process, and processes may restart more often than a job runs. A job
    that never ran counts from the first run of any of them.
    """
    found = {job: _last(tx, job) for job in periods}
    begun = {job: last["started_at"] for job, last in found.items() if last}
    if not begun:
        return []
    first = min(begun.values()) if len(begun) == len(found) else _first(tx, list(begun))
    return [
        job
        for job, period in periods.items()
        if begun.get(job, first) + (period + LATE) // MICROSECOND <= micros(now)
    ]


def _first(tx: Transaction, jobs: Sequence[str]) -> int:
    times = (
        tx.value("SELECT MIN(started_at) FROM job_run WHERE job = :job", job=job) for job in jobs
    )
    return min(int(each) for each in times)


def hand_over(tx: Transaction, run: JobRun) -> bool:
    """Release a run that this process can not finish, so that another process restarts it."""
    tx.wake("jobs")
    return bool(
        tx.run(
            "UPDATE job_run SET lease_until = 0 WHERE id = :id AND finished_at IS NULL", id=run.id
        )
    )


def beat(tx: Transaction, run: JobRun, now: datetime, lease: timedelta) -> bool:
    """Extend the lease of a run; return False if another process took it over."""
    return bool(
        tx.run(
            "UPDATE job_run SET lease_until = :until WHERE id = :id AND finished_at IS NULL",
            until=micros(now + lease),
            id=run.id,
        )
    )


def finish(tx: Transaction, run: JobRun, outcome: str, now: datetime) -> bool:
    """Close a run with its outcome; return False if another process took it over.

    Deletes up to FORGOTTEN_MAX old runs of the same job.
    """
    tx.run(
        "DELETE FROM job_run WHERE id IN (SELECT id FROM job_run WHERE job = :job "
        "AND started_at < :before ORDER BY started_at LIMIT :limit)",
        job=run.job,
        before=micros(now - KEPT),
        limit=FORGOTTEN_MAX,
    )
    return bool(
        tx.run(
            "UPDATE job_run SET finished_at = :now, outcome = :outcome "
            "WHERE id = :id AND finished_at IS NULL",
            now=micros(now),
            outcome=outcome[:1_000],
            id=run.id,
        )
    )
