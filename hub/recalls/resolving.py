"""Resolution of the units of a recall, and closing of the recall."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypedDict

from hub import ledger
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed, UnknownReference
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded, refused
from hub.ledger.holds import HoldKind
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import WITH_CUSTOMER, Action, Status
from hub.recalls.opening import by_ref
from hub.storage.rows import RecallUnitRow
from hub.storage.sql import Transaction

REASON_CHARS_MAX = 200


class _UnitOfKit(TypedDict):
    id: str
    kit_id: str | None


class _KitId(TypedDict):
    kit_id: str


class Resolution(StrEnum):
    """Resolution of a recalled unit; only a repair or an all-clear unblocks it."""

    REPAIRED = "repaired"
    CLEARED = "cleared"  # examined, and nothing is wrong with it
    REPLACED = "replaced"
    REFUNDED = "refunded"
    DESTROYED = "destroyed"
    RETURNED = "returned"  # it came back, and no more is to be done
    MERGED = "merged"  # the record that absorbed its record stands for it; set by the merge
    UNREACHABLE = "unreachable"  # its place is unknown, or the customer does not answer


FREES = frozenset({Resolution.REPAIRED, Resolution.CLEARED})
NOT_AT_HAND = frozenset({Status.MISSING, Status.STOLEN, Status.AT_SUPPLIER, Status.WRITTEN_OFF})


def resolve(
    work: Work,
    ref: str,
    resolution: Resolution,
    scans: Sequence[Scan],
) -> list[Verdict]:
    """Record the resolution of units of a recall; return a result for each scan, in order.

    A repaired or cleared unit is unblocked, unless another recall or a part still blocks it.
    Raises UnknownReference for an unknown recall.
    """
    bounded(scans)
    recall = by_ref(work.tx, ref)
    found = locate(work.tx, scans)
    under = _under(
        work.tx, recall["id"], [unit.id for unit in found if isinstance(unit, UnitState)]
    )
    context = replace(
        work.context, reason=work.context.reason or f"{ref}: {resolution}"[:REASON_CHARS_MAX]
    )
    verdicts: dict[int, Verdict] = {}
    good: dict[int, UnitState] = {}
    for index, (scan, unit) in enumerate(zip(scans, found, strict=True)):
        try:
            if isinstance(unit, Refused):
                raise unit
            _resolvable(unit, under.get(unit.id), resolution, ref)
            if unit.id in {each.id for each in good.values()}:
                raise StepNotAllowed("the unit is named twice", allowed=[])
            good[index] = unit
        except Refused as refusal:
            verdicts[index] = refused(index, scan.identifier, refusal, unit)
    if good:
        command = UnitCommand(
            action=Action.ANNOTATE, details={"recall": ref, "resolution": str(resolution)}
        )
        noted = ledger.record(
            work.within(context),
            command,
            [Scan(unit.id, None, scans[index].expected_version) for index, unit in good.items()],
        )
        done = [verdict.unit_id for verdict in noted if verdict.accepted]
        _close_units(work.tx, work.context, recall["id"], resolution, [str(each) for each in done])
        freed = _free(work.within(context), ref, done) if resolution in FREES else {}
        for (index, _), verdict in zip(good.items(), noted, strict=True):
            newest = freed.get(str(verdict.unit_id), verdict)
            verdicts[index] = replace(newest, index=index, identifier=scans[index].identifier)
    return [verdicts[index] for index in range(len(scans))]


def _under(tx: Transaction, recall_id: str, unit_ids: list[str]) -> dict[str, RecallUnitRow]:
    rows = tx.rows_as(
        RecallUnitRow,
        "SELECT * FROM recall_unit WHERE recall_id = :recall AND unit_id IN (:units...)",
        recall=recall_id,
        units=unit_ids,
    )
    return {row["unit_id"]: row for row in rows}


def _resolvable(
    unit: UnitState, row: RecallUnitRow | None, resolution: Resolution, ref: str
) -> None:
    if row is None:
        raise UnknownReference(f"the unit is not under recall {ref}", field="units")
    if resolution is Resolution.MERGED:
        raise StepNotAllowed("merge the two records of the unit", allowed=[])
    if row["resolution"] is not None:
        raise StepNotAllowed(f"the unit is {row['resolution']} already", allowed=[])
    if resolution in FREES and unit.status in NOT_AT_HAND:
        raise StepNotAllowed(f"a unit that is {unit.status} can not be {resolution}", allowed=[])
    if resolution is Resolution.DESTROYED and unit.status not in WITH_CUSTOMER:
        raise StepNotAllowed(
            "the unit is in our hands: write it off, and it is resolved by that",
            allowed=[str(Action.WRITE_OFF)],
        )
    if resolution is Resolution.RETURNED and row["returned_at"] is None:
        raise StepNotAllowed("the unit did not come back yet", allowed=[str(Action.ACCEPT_RETURN)])


def _close_units(
    tx: Transaction, context: CommandContext, recall_id: str, resolution: Resolution, ids: list[str]
) -> None:
    tx.run(
        "UPDATE recall_unit SET resolution = :resolution, resolved_by = :actor, "
        "resolved_at = :now WHERE recall_id = :recall AND unit_id IN (:units...)",
        resolution=str(resolution),
        actor=context.actor,
        now=micros(context.now),
        recall=recall_id,
        units=ids,
    )


def _free(work: Work, ref: str, unit_ids: Sequence[str | None]) -> dict[str, Verdict]:
    """Release the blocks that no recall or part needs any more, of the units and their kits."""
    command = UnitCommand(
        action=Action.UNBLOCK, hold_kind=str(HoldKind.RECALL), details={"recall": ref}
    )
    freed: dict[str, Verdict] = {}
    ids = [str(each) for each in unit_ids]
    while ids:
        rows = work.tx.rows_as(
            _UnitOfKit,
            "SELECT unit.id, unit.kit_id FROM unit "
            "JOIN hold ON hold.unit_id = unit.id AND hold.kind = 'recall' "
            "AND hold.released_at IS NULL WHERE unit.id IN (:ids...) "
            "AND NOT EXISTS (SELECT 1 FROM recall_unit WHERE recall_unit.unit_id = unit.id "
            "AND recall_unit.resolution IS NULL) "
            # A kit stays blocked as long as one of its parts is.
            "AND NOT EXISTS (SELECT 1 FROM unit AS part JOIN hold AS carried "
            "ON carried.unit_id = part.id AND carried.kind = 'recall' "
            "AND carried.released_at IS NULL WHERE part.kit_id = unit.id "
            "AND part.status = 'in_kit') ORDER BY unit.id",
            ids=ids,
        )
        scans = [Scan(row["id"]) for row in rows]
        for verdict in ledger.record(work, command, scans) if scans else ():
            if not verdict.accepted:
                raise StepNotAllowed(f"{verdict.identifier}: {verdict.message}", allowed=[])
            freed[str(verdict.unit_id)] = verdict
        kits = {row["kit_id"] for row in work.tx.rows_as(
            _KitId,
            "SELECT DISTINCT kit_id FROM unit WHERE id IN (:ids...) AND status = 'in_kit' "
            "AND kit_id IS NOT NULL",
            ids=ids,
        )}  # fmt: skip
        ids = sorted(kits)
    return freed


def close(
    tx: Transaction,
    context: CommandContext,
    ref: str,
    *,
    force: bool = False,
    reason: str | None = None,
) -> None:
    """Close a recall, so that it catches no more units.

    Units still open stay blocked and can be resolved later. Raises StepNotAllowed for a closed
    recall, or with open units unless forced; InvalidInput for a forced close without a reason.
    """
    recall = by_ref(tx, ref, lock=True)
    if recall["state"] != "open":
        raise StepNotAllowed("the recall is closed already", allowed=[])
    if reason is not None and len(reason) > REASON_CHARS_MAX:
        raise InvalidInput(f"at most {REASON_CHARS_MAX} characters", field="reason")
    still = tx.value(
        "SELECT COUNT(*) FROM recall_unit WHERE recall_id = :recall AND resolution IS NULL",
        recall=recall["id"],
    )
    if still and not force:
        raise StepNotAllowed(f"{still} units are still open: resolve them first", allowed=["force"])
    if still and not (reason or "").strip():
        raise InvalidInput(f"say why it is closed with {still} units open", field="reason")
    tx.run(
        "UPDATE recall SET state = 'closed', closed_by = :actor, closed_at = :now, "
        "closed_because = :reason WHERE id = :id",
        actor=context.actor,
        now=micros(context.now),
        reason=reason if still else None,
        id=recall["id"],
    )
