"""Cases of differences: what only a person can decide, asked once and closed with its reason.

Listings of a channel that are no products of ours are one case with their number, not one each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from hub import cases
from hub.cases import CaseKind, Finding, Severity, quality
from hub.cases.quality import Check
from hub.commands.context import CommandContext
from hub.reconciliation.kinds import Fix, Kind
from hub.reconciliation.runs import Run
from hub.storage.rows import ReconciliationDifferenceRow
from hub.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class _GroupForm:
    subject: str
    several: str


GROUPED = {
    Kind.UNKNOWN_LISTING: _GroupForm(
        "unknown listings", "it lists {number} things that are no products of ours."
    ),
    Kind.LEDGER_SEAL: _GroupForm(
        "ledger", "{number} units or checkpoints differ from what was sealed."
    ),
    Kind.LEDGER_BALANCE: _GroupForm(
        "conservation", "{number} counts, places or holds of units do not add up."
    ),
    Kind.LEDGER_FORMAT: _GroupForm(
        "serials that break their rule", "{number} serials break the rules of their products."
    ),
}
BROKEN = frozenset({Kind.LEDGER_SEAL, Kind.LEDGER_BALANCE})
CHECKED = {Kind.LEDGER_DUPLICATE: Check.LOOK_ALIKE, Kind.LEDGER_ORPHAN: Check.WITHOUT_RECEIPT}


class _CaseId(TypedDict):
    case_id: str


class _Id(TypedDict):
    id: str


class _Group(TypedDict):
    kind: str
    fix: str
    number: int
    sample: str


def ask(
    tx: Transaction, run: Run, rows: Sequence[ReconciliationDifferenceRow], now: datetime
) -> None:
    """Open or update the cases of differences that a person has to look at."""
    for row in rows:
        if Kind(row["kind"]) in GROUPED:
            continue
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


def ask_of_records(
    tx: Transaction, rows: Sequence[ReconciliationDifferenceRow], now: datetime
) -> None:
    """Open or update the cases of records that may be wrong: those of their data quality checks."""
    for row in rows:
        check = CHECKED.get(Kind(row["kind"]))
        if check is None:
            continue
        _report(
            tx,
            Finding(
                kind=quality.KINDS[check],
                subject=row["subject"],
                severity=Severity(row["severity"]),
                summary=row["evidence"],
                details={
                    "check": str(check),
                    "unit": row["unit_id"],
                    "difference": row["id"],
                },
            ),
            [row["id"]],
            now,
        )


def ask_in_groups(tx: Transaction, run: Run, now: datetime) -> None:
    """Keep one case for all open differences of a grouped kind, with their number."""
    groups = tx.rows_as(
        _Group,
        "SELECT kind, fix, COUNT(*) AS number, MIN(evidence) AS sample "
        "FROM reconciliation_difference WHERE channel_id = :channel AND scope = :scope AND live "
        "AND state = 'open' AND kind IN (:kinds...) GROUP BY kind, fix",
        channel=run.channel["id"],
        scope=str(run.scope),
        kinds=[str(kind) for kind in GROUPED],
    )
    for group in groups:
        ids = tx.rows_as(
            _Id,
            "SELECT id FROM reconciliation_difference WHERE channel_id = :channel "
            "AND scope = :scope AND live AND state = 'open' AND kind = :kind AND fix = :fix",
            channel=run.channel["id"],
            scope=str(run.scope),
            kind=group["kind"],
            fix=group["fix"],
        )
        _report(tx, _grouped(run, group), [row["id"] for row in ids], now)


def _grouped(run: Run, group: _Group) -> Finding:
    number, sample = group["number"], group["sample"]
    form = GROUPED[Kind(group["kind"])]
    several = f"{form.several.format(number=number)} {sample}"
    if Kind(group["kind"]) in BROKEN:
        return Finding(
            kind=CaseKind.LEDGER_BROKEN,
            subject=form.subject,
            severity=Severity.HIGH,
            summary=several,
            details={"run": run.id, "number": number},
        )
    similar = Fix(group["fix"]) is Fix.BIND_NEAR_MATCH
    return Finding(
        kind=CaseKind.DISAGREEMENT,
        subject="listings with a similar SKU" if similar else form.subject,
        channel_id=run.channel["id"],
        severity=Severity.LOW,
        summary=f"{run.channel['name']}: {sample if number == 1 else several}",
        details={"run": run.id, "number": number},
    )


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
