"""Marks of the subjects that a run under way has counted.

A mark is written with the outcome of its subject, in one transaction: no subject is counted twice,
also where a channel lists it twice, or where another process goes on with the run.
"""

from collections.abc import Sequence
from typing import TypedDict

from hub.reconciliation.runs import Run
from hub.storage.sql import Transaction

ABOUT_MAX = 200  # characters of a reference that are kept


class _About(TypedDict):
    about: str


def unmarked(tx: Transaction, run: Run, abouts: Sequence[str]) -> set[str]:
    """Return the references of subjects that the run has not counted yet."""
    rows = tx.rows_as(
        _About,
        "SELECT about FROM reconciliation_mark WHERE run_id = :run AND about IN (:abouts...)",
        run=run.id,
        abouts=[each[:ABOUT_MAX] for each in abouts],
    )
    marked = {row["about"] for row in rows}
    return {each for each in abouts if each[:ABOUT_MAX] not in marked}


def add(tx: Transaction, run: Run, abouts: Sequence[str]) -> None:
    """Mark subjects that the run counts; none of them may be marked already."""
    short = dict.fromkeys(each[:ABOUT_MAX] for each in abouts)
    tx.insert("reconciliation_mark", ("run_id", "about"), [(run.id, each) for each in short])


def forget(tx: Transaction, run_id: str, *, limit: int) -> int:
    """Delete the first marks of a run that has ended, in the order of references.

    Returns their number.
    """
    # A range of the key, not `IN (SELECT … LIMIT)`: PostgreSQL compares each mark with each of
    # these while it has no statistics of a table that fills and empties.
    return tx.run(
        "DELETE FROM reconciliation_mark WHERE run_id = :run AND about <= (SELECT MAX(about) FROM ("
        "SELECT about FROM reconciliation_mark WHERE run_id = :run ORDER BY about LIMIT :limit"
        ") AS first)",
        run=run_id,
        limit=limit,
    )


def forget_ended(tx: Transaction, *, limit: int) -> int:
    """Delete marks of runs that have ended, as where a process died; return their number."""
    ended = tx.value(
        "SELECT mark.run_id FROM reconciliation_mark AS mark "
        "JOIN reconciliation_run ON reconciliation_run.id = mark.run_id "
        "WHERE reconciliation_run.state <> 'running' LIMIT 1"
    )
    return 0 if ended is None else forget(tx, ended, limit=limit)
