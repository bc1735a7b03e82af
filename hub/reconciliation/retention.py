"""How long it is kept which run found which difference.

Differences stay for good, with the run that found each first, the newest one that found it, and the
one that closed it. Which other runs found it, and runs that no difference names, are deleted after
their time; the newest run of each scope stays, so that it is known when it was compared.
"""

from datetime import datetime, timedelta
from typing import TypedDict

from hub.clock import micros
from hub.reconciliation import marks
from hub.reconciliation.rows import Identified
from hub.storage.sql import Transaction

KEPT = timedelta(days=90)


class _RunId(TypedDict):
    run_id: str


def prune(tx: Transaction, kept: timedelta, now: datetime, *, limit: int) -> int:
    """Delete findings, runs and marks that are past their time; return the number of rows."""
    return (
        _findings(tx, now - kept, limit)
        + _runs(tx, now - kept, limit)
        + marks.forget_ended(tx, limit=limit)
    )


def _findings(tx: Transaction, before: datetime, limit: int) -> int:
    found = tx.rows_as(
        _RunId,
        "SELECT id AS run_id FROM reconciliation_run WHERE started_at < :before "
        "AND state <> 'running' AND EXISTS (SELECT 1 FROM reconciliation_finding "
        "WHERE reconciliation_finding.run_id = reconciliation_run.id) "
        "ORDER BY started_at LIMIT 1",
        before=micros(before),
    )
    if not found:
        return 0
    return tx.run(
        "DELETE FROM reconciliation_finding WHERE run_id = :run AND difference_id <= ("
        "SELECT MAX(difference_id) FROM (SELECT difference_id FROM reconciliation_finding "
        "WHERE run_id = :run ORDER BY difference_id LIMIT :limit) AS first)",
        run=found[0]["run_id"],
        limit=limit,
    )


def _runs(tx: Transaction, before: datetime, limit: int) -> int:
    rows = tx.rows_as(
        Identified,
        "SELECT id FROM reconciliation_run AS run WHERE started_at < :before "
        "AND state <> 'running' AND EXISTS (SELECT 1 FROM reconciliation_run AS newer "
        "WHERE newer.channel_id = run.channel_id AND newer.scope = run.scope "
        "AND newer.started_at > run.started_at) "
        "AND NOT EXISTS (SELECT 1 FROM reconciliation_finding WHERE run_id = run.id) "
        "AND NOT EXISTS (SELECT 1 FROM reconciliation_difference WHERE run_id = run.id) "
        "AND NOT EXISTS (SELECT 1 FROM reconciliation_difference WHERE last_run_id = run.id) "
        "AND NOT EXISTS (SELECT 1 FROM reconciliation_difference WHERE closed_run_id = run.id) "
        "ORDER BY started_at LIMIT :limit",
        before=micros(before),
        limit=limit,
    )
    return tx.run(
        "DELETE FROM reconciliation_run WHERE id IN (:ids...)", ids=[row["id"] for row in rows]
    )
