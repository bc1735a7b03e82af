"""Job runs: each firing of a job is a row that one process takes, so that it runs once.

Every process has a clock of its own. A firing belongs to a slot (the planned time in whole
periods); whoever inserts its row runs it. A run whose process died is taken over when its lease
ends, and the table is the history that ops people see.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.clock import SECOND, micros, new_id
from hub.sql import Transaction


@dataclass(frozen=True, slots=True)
class Run:
    """One firing of a job that this process took."""

    id: str
    job: str
    slot: int


def take(
    tx: Transaction, job: str, period: timedelta, holder: str, now: datetime, lease: timedelta
) -> Run | None:
    """Take the present slot of a job; None if another process has it, or ran it already.

    A run of an earlier slot that is still alive keeps the job: two runs of one job never overlap.
    """
    slot = micros(now) // (int(period.total_seconds() * SECOND) or 1)
    busy = tx.row(
        "SELECT id FROM job_run WHERE job = :job AND finished_at IS NULL AND lease_until > :now",
        job=job,
        now=micros(now),
    )
    if busy is not None:
        return None
    row = tx.row(
        "INSERT INTO job_run(id, job, slot, holder, lease_until, started_at) "
        "VALUES(:id, :job, :slot, :holder, :until, :now) ON CONFLICT(job, slot) DO UPDATE "
        "SET id = excluded.id, holder = excluded.holder, lease_until = excluded.lease_until, "
        "started_at = excluded.started_at "
        "WHERE job_run.finished_at IS NULL AND job_run.lease_until <= :now RETURNING id",
        id=new_id(),
        job=job,
        slot=slot,
        holder=holder,
        until=micros(now + lease),
        now=micros(now),
    )
    return Run(row["id"], job, slot) if row else None


def beat(tx: Transaction, run: Run, now: datetime, lease: timedelta) -> bool:
    """Keep a run alive; False if it was taken over."""
    return bool(
        tx.run(
            "UPDATE job_run SET lease_until = :until WHERE id = :id AND finished_at IS NULL",
            until=micros(now + lease),
            id=run.id,
        )
    )


def finish(tx: Transaction, run: Run, outcome: str, now: datetime) -> bool:
    """Close a run with what came of it; False if it was taken over meanwhile."""
    return bool(
        tx.run(
            "UPDATE job_run SET finished_at = :now, outcome = :outcome "
            "WHERE id = :id AND finished_at IS NULL",
            now=micros(now),
            outcome=outcome[:1_000],
            id=run.id,
        )
    )
