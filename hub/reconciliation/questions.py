"""Cases of differences: what only a person can decide, asked once and closed with its reason.

Listings of a channel that are no products of ours are one case with their number, not one each.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.commands.context import CommandContext
from hub.reconciliation.kinds import Fix, Kind, Scope
from hub.reconciliation.runs import Run
from hub.storage.rows import ReconciliationDifferenceRow
from hub.storage.sql import Transaction

GROUPED = {Fix.ASK: "unknown listings", Fix.BIND_NEAR_MATCH: "listings with a similar SKU"}


class _CaseId(TypedDict):
    case_id: str


class _Id(TypedDict):
    id: str


class _Group(TypedDict):
    fix: str
    number: int
    sample: str


def ask(
    tx: Transaction, run: Run, rows: Sequence[ReconciliationDifferenceRow], now: datetime
) -> None:
    """Open or update the cases of differences that a person has to look at."""
    for row in rows:
        if row["kind"] == Kind.UNKNOWN_LISTING:
            continue  # asked about as a group
        kind = CaseKind.DISAGREEMENT
        if row["kind"] == Kind.UNKNOWN_SERIAL:
            kind = CaseKind.UNKNOWN_SERIAL
        error = f" {row['heal_error']}" if row["heal_error"] else ""
        _report(
            tx,
            Finding(
                kind=kind,
                subject=row["subject"],
                channel_id=run.channel["id"],
                severity=Severity(row["severity"]),
                summary=f"{run.channel['name']}: {row['evidence']}{error}",
                details={"difference": row["id"], "run": run.id},
            ),
            [row["id"]],
            now,
        )


def ask_in_groups(tx: Transaction, run: Run, now: datetime) -> None:
    """Keep one case for all listings of a channel that are no products of ours."""
    if run.scope is not Scope.LEVELS:
        return
    groups = tx.rows_as(
        _Group,
        "SELECT fix, COUNT(*) AS number, MIN(evidence) AS sample FROM reconciliation_difference "
        "WHERE channel_id = :channel AND scope = :scope AND live AND state = 'open' "
        "AND kind = :kind GROUP BY fix",
        channel=run.channel["id"],
        scope=str(Scope.LEVELS),
        kind=str(Kind.UNKNOWN_LISTING),
    )
    for group in groups:
        number, name = group["number"], GROUPED[Fix(group["fix"])]
        several = f"it lists {number} things that are no products of ours. {group['sample']}"
        ids = tx.rows_as(
            _Id,
            "SELECT id FROM reconciliation_difference WHERE channel_id = :channel "
            "AND scope = :scope AND live AND state = 'open' AND kind = :kind AND fix = :fix",
            channel=run.channel["id"],
            scope=str(Scope.LEVELS),
            kind=str(Kind.UNKNOWN_LISTING),
            fix=group["fix"],
        )
        finding = Finding(
            kind=CaseKind.DISAGREEMENT,
            subject=name,
            channel_id=run.channel["id"],
            severity=Severity.LOW,
            summary=f"{run.channel['name']}: {group['sample'] if number == 1 else several}",
            details={"run": run.id, "number": number},
        )
        _report(tx, finding, [row["id"] for row in ids], now)


def _report(
    tx: Transaction, finding: Finding, difference_ids: Sequence[str], now: datetime
) -> None:
    case_id = cases.report(tx, finding, now)
    tx.run(
        "UPDATE reconciliation_difference SET case_id = :case_id WHERE id IN (:ids...)",
        case_id=case_id,
        ids=list(difference_ids),
    )


def close(
    tx: Transaction, rows: Sequence[ReconciliationDifferenceRow], run: Run, now: datetime
) -> None:
    """Close the cases of ended differences, except those that live differences share.

    The differences do not refer to their cases any more; `rows` still name them.
    """
    reason = f"Both sides agree, as the run of {run.scope} {run.id} found."
    for case_id in _unshared(tx, rows):
        cases.settle_one(tx, case_id, reason, now)


def decided(
    tx: Transaction,
    context: CommandContext,
    rows: Sequence[ReconciliationDifferenceRow],
    reason: str,
) -> None:
    """Close the cases of differences that a person decided, in that person's name and words."""
    for case_id in _unshared(tx, rows):
        case = cases.find_open(tx, case_id)
        if case is not None:
            cases.close(tx, context, case, reason)


def _unshared(tx: Transaction, rows: Sequence[ReconciliationDifferenceRow]) -> list[str]:
    ids = {row["case_id"] for row in rows if row["case_id"] is not None}
    if not ids:
        return []
    shared = tx.rows_as(
        _CaseId,
        "SELECT DISTINCT case_id FROM reconciliation_difference WHERE case_id IN (:ids...) "
        "AND live AND state <> 'dismissed'",
        ids=sorted(ids),
    )
    return sorted(ids - {row["case_id"] for row in shared})
