"""Kits: units made of units, each with its own serial, history and warranty.

A kit is a unit (EPCIS aggregation: the parent). A part moves with its kit and keeps its own
history. A kit can be part of another kit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from hub import ledger, lifecycle
from hub.catalogue import CUSTOMER
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed, UnknownReference
from hub.ledger import promises
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, refused
from hub.ledger.rules import client
from hub.ledger.rules import kit as kit_rules
from hub.ledger.units import Scan, UnitState, identify, locate
from hub.lifecycle import ON_HAND, WITH_CUSTOMER, Action, Status
from hub.recalls import recall_catch
from hub.storage.sql import Row, Transaction

PARTS_MAX = 200  # of one kit
LEVELS_MAX = 5  # of kits in kits
ROLE_CHARS_MAX = 60
CHANGEABLE = ON_HAND | WITH_CUSTOMER | {Status.CONDEMNED}
MEMBERSHIP_COLUMNS = ("id", "parent_id", "child_id", "role", "joined_at")


@dataclass(frozen=True, slots=True)
class Part:
    """A unit to add to a kit, with its role."""

    scan: Scan
    role: str = ""


def assemble(work: Work, kit: Scan, parts: Sequence[Part]) -> list[Verdict]:
    """Add units to a kit at its place; return a result for each part, in order.

    For a customer's kit a unit may come from any of our sites. Raises StepNotAllowed if the kit can
    not be changed now, InvalidInput for too many parts.
    """
    if not 0 < len(parts) <= PARTS_MAX:
        raise InvalidInput(f"a kit takes 1 to {PARTS_MAX} parts", field="parts")
    for part in parts:
        _role(part.role)
    parent, *units = together(work.tx, [kit, *(part.scan for part in parts)])
    parent = _changeable(kit, parent)
    if parent.members + len(parts) > PARTS_MAX:
        raise InvalidInput(
            f"a kit has at most {PARTS_MAX} parts, and this one has {parent.members}", field="parts"
        )
    heights = _heights(work.tx, [unit.id for unit in units if isinstance(unit, UnitState)])
    verdicts: dict[int, Verdict] = {}
    fitting: list[tuple[int, UnitState, Part]] = []
    for index, (part, unit) in enumerate(zip(parts, units, strict=True)):
        try:
            fitting.append((index, _fitting(parent, unit, heights), part))
        except Refused as refusal:
            verdicts[index] = refused(index, part.scan.identifier, refusal, unit)
    if fitting:
        entered = _enter(work, parent, [(u, p) for _, u, p in fitting])
        for (index, _, part), verdict in zip(fitting, entered, strict=True):
            verdicts[index] = _as_read(verdict, index, part.scan)
    return [verdicts[index] for index in range(len(parts))]


def replace_part(
    work: Work,
    kit: Scan,
    old: Scan,
    new: Scan,
    place: Row,
    role: str | None = None,
) -> list[Verdict]:
    """Move one part out of a kit, to a place for inspection, and add another one, atomically.

    Raises StepNotAllowed, UnknownReference or another Refused if either step is refused.
    """
    found = together(work.tx, [kit, old, new])
    parent = _changeable(kit, found[0])
    leaving, entering = known(found[1]), known(found[2])
    _of_kit(parent, leaving)
    entering = _fitting(parent, entering, _heights(work.tx, [entering.id]))
    lifecycle.check(
        Action.ENTER_KIT,
        entering.status,
        promised=promises.binds(work.context, entering),
        blocked=entering.blocks > 0,
    )
    roles = _roles(work.tx, [leaving.id])
    part = Part(new, _role(roles[leaving.id] if role is None else role))
    (left,) = leave(work, parent, [leaving], place)
    parent = known(together(work.tx, [Scan(parent.id)])[0])
    (entered,) = _enter(work, parent, [(entering, part)])
    verdicts = [_as_read(left, 0, old), _as_read(entered, 1, new)]
    for verdict in verdicts:
        if not verdict.accepted:
            raise StepNotAllowed(f"{verdict.identifier}: {verdict.message}", allowed=[])
    return verdicts


def disassemble(
    work: Work,
    kit: Scan,
    place: Row,
    parts: Sequence[Scan] | None = None,
    *,
    restock: bool = False,
) -> list[Verdict]:
    """Move parts, or all of them, out of a kit to a place for inspection.

    `restock` makes unblocked parts sellable at once. Returns a result for each part; raises
    InvalidInput or StepNotAllowed.
    """
    if parts is not None and not 0 < len(parts) <= PARTS_MAX:
        raise InvalidInput(f"name 1 to {PARTS_MAX} parts, or none for all", field="parts")
    scans = _part_scans(work.tx, kit) if parts is None else list(parts)
    found = together(work.tx, [kit, *scans])
    parent = _changeable(kit, found[0])
    verdicts: dict[int, Verdict] = {}
    leaving: dict[int, UnitState] = {}
    for index, (scan, unit) in enumerate(zip(scans, found[1:], strict=True)):
        try:
            part = known(unit)
            _of_kit(parent, part)
            if part.id in {each.id for each in leaving.values()}:
                raise StepNotAllowed("the unit is named twice", allowed=[])
            leaving[index] = part
        except Refused as refusal:
            verdicts[index] = refused(index, scan.identifier, refusal, unit)
    if leaving:
        left = leave(work, parent, list(leaving.values()), place)
        free = [verdict for verdict, part in zip(left, leaving.values(), strict=True)
                if restock and verdict.accepted and not part.blocks]  # fmt: skip
        stocked = _restock(work, free)
        for (index, part), verdict in zip(leaving.items(), left, strict=True):
            verdicts[index] = _as_read(stocked.get(part.id, verdict), index, scans[index])
    return [verdicts[index] for index in range(len(scans))]


class PartOfKit(TypedDict):
    """A part with its kit and its role."""

    id: str
    parent_id: str
    role: str


class _Height(TypedDict):
    root: str
    height: int


class _Id(TypedDict):
    id: str


class _Role(TypedDict):
    child_id: str
    role: str


def parts_of(tx: Transaction, kit_id: str) -> list[PartOfKit]:
    """Return the parts of a kit, nested ones included, with their kits and roles."""
    return tx.rows_as(
        PartOfKit,
        "WITH RECURSIVE parts AS (SELECT parent_id, child_id, role, joined_at FROM kit_membership "
        "WHERE parent_id = :kit AND left_at IS NULL UNION ALL "
        "SELECT below.parent_id, below.child_id, below.role, below.joined_at "
        "FROM kit_membership AS below JOIN parts ON below.parent_id = parts.child_id "
        "WHERE below.left_at IS NULL) "
        "SELECT child_id AS id, parent_id, role FROM parts ORDER BY joined_at, child_id",
        kit=kit_id,
    )


def together(tx: Transaction, scans: Sequence[Scan]) -> list[UnitState | Refused]:
    """Lock all units of a command at once, in the order of their ids."""
    return locate(tx, scans)


def known(unit: UnitState | Refused) -> UnitState:
    """Return a located unit; raises its refusal if it was not found."""
    if isinstance(unit, Refused):
        raise unit
    return unit


def _changeable(scan: Scan, found: UnitState | Refused) -> UnitState:
    kit = known(found)
    if scan.expected_version not in {None, kit.version}:
        raise StepNotAllowed(
            f"the kit is at version {kit.version}, not {scan.expected_version}: read it again",
            allowed=[],
        )
    if kit.status is Status.IN_KIT:
        raise StepNotAllowed("the kit is part of a kit itself: take it out there first", allowed=[])
    if kit.status not in CHANGEABLE:
        raise StepNotAllowed(
            f"a kit that is {kit.status.replace('_', ' ')} can not be changed", allowed=[]
        )
    return kit


def _fitting(parent: UnitState, found: UnitState | Refused, heights: dict[str, int]) -> UnitState:
    """Return a unit that may become part of a kit; raises StepNotAllowed or another Refused."""
    unit = known(found)
    if unit.id == parent.id:
        raise StepNotAllowed("a unit can not be part of itself", allowed=[])
    client.one_owner(unit, parent.client_id)
    if unit.status is Status.IN_KIT:
        raise StepNotAllowed("the unit is part of a kit already: take it out first", allowed=[])
    if parent.location_id != CUSTOMER and unit.site_id != parent.site_id:
        raise StepNotAllowed(
            "the unit is at another site than the kit: transfer it first", allowed=["transfer_out"]
        )
    if heights[unit.id] >= LEVELS_MAX - 1:
        raise StepNotAllowed(f"kits stand in kits at most {LEVELS_MAX} levels deep", allowed=[])
    return unit


def _heights(tx: Transaction, unit_ids: Iterable[str]) -> dict[str, int]:
    """Return the number of levels of parts below each unit; 0 for a unit without parts."""
    ids = sorted(set(unit_ids))
    rows = tx.rows_as(
        _Height,
        "WITH RECURSIVE below AS (SELECT id AS root, id, 0 AS height FROM unit "
        "WHERE id IN (:ids...) UNION ALL "
        "SELECT below.root, unit.id, below.height + 1 FROM unit "
        "JOIN below ON unit.kit_id = below.id WHERE below.height < :levels) "
        "SELECT root, MAX(height) AS height FROM below GROUP BY root",
        ids=ids,
        levels=LEVELS_MAX,
    )
    return {row["root"]: row["height"] for row in rows}


def _enter(
    work: Work,
    parent: UnitState,
    parts: Sequence[tuple[UnitState, Part]],
) -> list[Verdict]:
    place = {"id": parent.location_id, "kind": parent.location_kind, "site_id": parent.site_id}
    scans = [
        Scan(unit.id, None, part.scan.expected_version, {"role": part.role}) for unit, part in parts
    ]
    command = UnitCommand(action=Action.ENTER_KIT, location=place, kit=parent.id)
    verdicts = ledger.record(work, command, scans)
    entered = [
        (unit.id, part.role)
        for verdict, (unit, part) in zip(verdicts, parts, strict=True)
        if verdict.accepted
    ]
    now = micros(work.context.now)
    rows = [(new_id(), parent.id, unit_id, role, now) for unit_id, role in entered]
    work.tx.insert("kit_membership", MEMBERSHIP_COLUMNS, rows)
    if entered:
        ids = [unit_id for unit_id, _ in entered]
        _resize(work, parent, Action.ASSEMBLE, len(ids), ids)
        recall_catch.catch(work, [parent.id])
    return verdicts


def leave(
    work: Work,
    parent: UnitState,
    parts: Sequence[UnitState],
    place: Row,
) -> list[Verdict]:
    """Move parts out of their kit to a place; return their results, in order."""
    command = UnitCommand(action=Action.LEAVE_KIT, location=place, details={"left": parent.id})
    scans = [Scan(part.id) for part in parts]
    verdicts = ledger.record(work, command, scans)
    left = [str(verdict.unit_id) for verdict in verdicts if verdict.accepted]
    if left:
        work.tx.run(
            "UPDATE kit_membership SET left_at = :now WHERE parent_id = :kit "
            "AND child_id IN (:parts...) AND left_at IS NULL",
            now=micros(work.context.now),
            kit=parent.id,
            parts=left,
        )
        _resize(work, parent, Action.DISASSEMBLE, -len(left), left)
        _free(work, parent)
    return verdicts


def _resize(
    work: Work,
    parent: UnitState,
    action: Action,
    by: int,
    parts: list[str],
) -> None:
    members = parent.members + by
    command = UnitCommand(action=action, members=members, details={"parts": parts})
    (verdict,) = ledger.record(work, command, [Scan(parent.id)])
    if not verdict.accepted:  # a product may ask that its kit is scanned at this step
        raise StepNotAllowed(f"the kit: {verdict.message}", allowed=[])


def _free(work: Work, parent: UnitState) -> None:
    """Release the blocks of the kit that no remaining part causes."""
    for kind in kit_rules.uncarried(work.tx, parent.id):
        command = UnitCommand(action=Action.UNBLOCK, hold_kind=kind)
        ledger.record(work, command, [Scan(parent.id)])


def _restock(work: Work, left: Sequence[Verdict]) -> dict[str, Verdict]:
    if not left:
        return {}
    scans = [Scan(str(verdict.unit_id)) for verdict in left]
    verdicts = ledger.record(work, UnitCommand(action=Action.RESTOCK), scans)
    return {str(each.unit_id): each for each in verdicts if each.accepted}


def _of_kit(parent: UnitState, unit: UnitState) -> None:
    if unit.kit_id != parent.id or unit.status is not Status.IN_KIT:
        raise UnknownReference("the unit is no part of this kit", field="part")


def _part_scans(tx: Transaction, kit: Scan) -> list[Scan]:
    unit = identify(tx, [kit])[0]
    if isinstance(unit, Refused):
        raise unit
    rows = tx.rows_as(_Id, "SELECT id FROM unit WHERE kit_id = :kit ORDER BY id", kit=unit["id"])
    if not rows:
        raise StepNotAllowed("the unit is no kit: it has no parts", allowed=[])
    return [Scan(row["id"]) for row in rows]


def _roles(tx: Transaction, part_ids: list[str]) -> dict[str, str]:
    rows = tx.rows_as(
        _Role,
        "SELECT child_id, role FROM kit_membership WHERE child_id IN (:parts...) "
        "AND left_at IS NULL",
        parts=part_ids,
    )
    return {row["child_id"]: row["role"] for row in rows}


def _role(role: str) -> str:
    if len(role) > ROLE_CHARS_MAX:
        raise InvalidInput(f"a role has at most {ROLE_CHARS_MAX} characters", field="role")
    return role


def _as_read(verdict: Verdict, index: int, scan: Scan) -> Verdict:
    """Return a result with the index and the identifier of the caller's scan."""
    return Verdict(**verdict.as_json() | {"index": index, "identifier": scan.identifier})
