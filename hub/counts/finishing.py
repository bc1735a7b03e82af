"""Closing a count: confirmed units are recorded as seen, differences need an explanation."""

from typing import TypedDict

from hub import ledger
from hub.clock import micros
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.counts.adjusting import DOCUMENT_TYPE, documented
from hub.counts.counting import PRESENT, live
from hub.errors import StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import SCANS_MAX
from hub.ledger.units import Scan
from hub.lifecycle import Action


class _Id(TypedDict):
    id: str


def close(work: Work, ref: str) -> int:
    """Close a compared count and return the number of units that it confirmed.

    Differences that were not adjusted need the context's reason. Units that left since they were
    read are not recorded as seen. Raises StepNotAllowed before a comparison, or without a reason.
    """
    count = live(work.tx, ref)
    if count["state"] != "compared":
        raise StepNotAllowed("compare the count first, or cancel it", allowed=["compare"])
    unexplained = work.tx.value(
        "SELECT COUNT(*) FROM count_result WHERE count_id = :count AND kind <> 'confirmed' "
        "AND state = 'open'",
        count=count["id"],
    )
    if unexplained and not (work.context.reason or "").strip():
        raise StepNotAllowed(
            f"{unexplained} differences are neither adjusted nor explained: say why", allowed=[]
        )
    if unexplained:
        documented(work.context, ref)  # refuses a reason that is too long
        work.tx.run(
            "UPDATE count_result SET state = 'left', reason = :reason, resolved_by = :actor, "
            "resolved_at = :now WHERE count_id = :count AND kind <> 'confirmed' "
            "AND state = 'open'",
            reason=work.context.reason,
            actor=work.context.actor,
            now=micros(work.context.now),
            count=count["id"],
        )
    seen = _confirm(work, count["id"], ref)
    work.tx.run(
        "UPDATE stock_count SET state = 'closed', closed_at = :now WHERE id = :id",
        now=micros(work.context.now),
        id=count["id"],
    )
    return seen


def _confirm(work: Work, count_id: str, ref: str) -> int:
    rows = work.tx.rows_as(
        _Id,
        "SELECT unit.id FROM count_result JOIN unit ON unit.id = count_result.unit_id "
        "WHERE count_result.count_id = :count AND count_result.kind = 'confirmed' "
        "AND unit.status IN (:present...) ORDER BY unit.id",
        count=count_id,
        present=sorted(PRESENT),
    )
    context = CommandContext(
        actor=work.context.actor,
        now=work.context.now,
        scope=work.context.scope,
        captured_by=work.context.captured_by,
        document=Document(DOCUMENT_TYPE, ref),
        reason=work.context.reason,
    )
    from_count = UnitCommand(action=Action.COUNT, details={"count": ref})
    seen = 0
    for start in range(0, len(rows), SCANS_MAX):
        scans = [Scan(row["id"]) for row in rows[start : start + SCANS_MAX]]
        verdicts = ledger.record(work.within(context), from_count, scans)
        seen += sum(verdict.accepted for verdict in verdicts)
    return seen
