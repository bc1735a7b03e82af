"""Returns of kits: every part is checked by its serial before the return is accepted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from hub import cases, ledger, lifecycle
from hub.cases import CaseKind, Finding
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed
from hub.kits import known, leave, parts_of, together
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan, UnitState, identify
from hub.lifecycle import Action, Status
from hub.storage.sql import Row, Transaction

SCANNED_MAX = 1_000


class _Serial(TypedDict):
    serial: str


@dataclass(frozen=True, slots=True)
class Check:
    """Comparison of the scans with the recorded parts of a kit, nested ones included."""

    kit_id: str
    present: tuple[str, ...]  # ids of units
    missing: tuple[str, ...]
    foreign: tuple[str, ...]  # as they were read

    @property
    def complete(self) -> bool:
        """Return whether all parts were scanned and nothing else."""
        return not self.missing and not self.foreign


def check(tx: Transaction, kit_id: str, scanned: Sequence[Scan]) -> Check:
    """Compare the scans with the parts of a kit; the kit's own label is ignored.

    Raises InvalidInput for too many scans.
    """
    if len(scanned) > SCANNED_MAX:
        raise InvalidInput(f"at most {SCANNED_MAX} serials", field="scanned")
    parts = [row["id"] for row in parts_of(tx, kit_id)]
    expected = set(parts)
    seen: set[str] = set()
    foreign = []
    for scan, unit in zip(scanned, identify(tx, scanned) if scanned else [], strict=True):
        if isinstance(unit, Refused) or unit["id"] not in expected | {kit_id}:
            foreign.append(scan.identifier)
        else:
            seen.add(unit["id"])
    return Check(
        kit_id=kit_id,
        present=tuple(each for each in parts if each in seen),
        missing=tuple(each for each in parts if each not in seen),
        foreign=tuple(foreign),
    )


def give_back(
    work: Work,
    kit: Scan,
    scanned: Sequence[Scan],
    place: Row,
    *,
    accept_incomplete: bool = False,
) -> tuple[Check, list[Verdict]]:
    """Accept the return of a kit after its parts were checked against the scans.

    A mismatch is refused unless `accept_incomplete`: then the missing parts leave the kit as lost,
    and a case lists them with the foreign ones. Raises StepNotAllowed for a mismatch or a unit
    without parts.
    """
    parent = known(together(work.tx, [kit])[0])
    if not parent.members:
        raise StepNotAllowed("the unit is no kit: return it as a unit", allowed=[])
    lifecycle.check(Action.ACCEPT_RETURN, parent.status, promised=False, blocked=False)
    found = check(work.tx, parent.id, scanned)
    if not found.complete and not accept_incomplete:
        missing = _serials(work.tx, found.missing)
        raise StepNotAllowed(
            f"the kit is not as it was sold: {len(missing)} missing ({_few(missing)}), "
            f"{len(found.foreign)} foreign ({_few(found.foreign)})",
            allowed=["accept_incomplete"],
        )
    details = {"parts": {"present": len(found.present), "missing": list(found.missing)}}
    command = UnitCommand(action=Action.ACCEPT_RETURN, location=place, details=details)
    verdicts = ledger.record(work, command, [kit])
    if not found.complete and verdicts[0].accepted:
        _lose(work, found, place)
        _suspect(work.tx, work.context, parent, found)
    return found, verdicts


def _lose(work: Work, found: Check, place: Row) -> None:
    """Remove the missing parts from their kits and record them as lost."""
    by_kit: dict[str, list[str]] = {}
    gone = set(found.missing)
    for row in parts_of(work.tx, found.kit_id):
        # A part that is missing together with its own kit stays part of it.
        if row["id"] in gone and row["parent_id"] not in gone:
            by_kit.setdefault(row["parent_id"], []).append(row["id"])
    for kit_id, part_ids in sorted(by_kit.items()):
        parent, *parts = (known(each) for each in together(
            work.tx, [Scan(kit_id), *(Scan(part) for part in part_ids)]))  # fmt: skip
        if parent.status is Status.IN_KIT:
            raise StepNotAllowed(
                "a part of a kit in the kit is missing: take that one out first", allowed=[]
            )
        leave(work, parent, parts, place)
        scans = [Scan(part.id) for part in parts]
        lost = UnitCommand(action=Action.LOSE, details={"kit_returned_without": kit_id})
        ledger.record(work, lost, scans)


def _suspect(tx: Transaction, context: CommandContext, parent: UnitState, found: Check) -> None:
    missing = _serials(tx, found.missing)
    finding = Finding(
        kind=CaseKind.SUSPECT_RETURN,
        subject=parent.serial,
        summary=f"The kit {parent.serial} came back without {len(missing)} of its parts, "
        f"with {len(found.foreign)} foreign.",
        details={"kit": parent.id, "missing": missing, "foreign": list(found.foreign)},
    )
    cases.report(tx, finding, context.now)


def _serials(tx: Transaction, unit_ids: Sequence[str]) -> list[str]:
    rows = tx.rows_as(
        _Serial, "SELECT serial FROM unit WHERE id IN (:ids...) ORDER BY id", ids=list(unit_ids)
    )
    return [row["serial"] for row in rows]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) or "none"
