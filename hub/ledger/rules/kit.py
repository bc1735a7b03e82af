"""Kits: parts move with their kit, and holds of parts reach it.

Parts go where their kit goes and are sold and written off with it (EPCIS aggregation). A block of
a part blocks its kit, as long as any part carries it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from hub.errors import InvalidInput, StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.rules.rule import Attempt, Rule
from hub.ledger.units import UnitState
from hub.lifecycle import LEAVING, LIFECYCLE, Action, Status
from hub.storage.sql import Transaction

# What may be done to a part without its kit.
ON_PARTS = frozenset({
    Action.LEAVE_KIT, Action.FOLLOW_KIT, Action.HOLD, Action.UNBLOCK, Action.COUNT,
    Action.MAINTAIN, Action.ACTIVATE, Action.SENSE, Action.ANNOTATE,
    Action.REIDENTIFY, Action.ABSORB,
})  # fmt: skip
# These concern the parts even where the kit stays where it is.
ALWAYS_FOLLOWED = LEAVING | {Action.RESTOCK, Action.WRITE_OFF, Action.FOLLOW_KIT}
FOR_A_PART = "member:"  # begins the reference of a hold that a kit has because of a part

Orders = list[tuple[str, UnitCommand]]  # by the id of the unit


@dataclass(frozen=True, slots=True)
class KitRule(Rule):
    """The holds of kits that one of their parts still carries, as pairs of unit id and kind."""

    blocked_by_parts: set[tuple[str, str]]
    follows: bool

    @classmethod
    def prepare(cls, attempt: Attempt) -> Self:
        """Find the carried holds, where holds of kits are to be released."""
        kits = sorted({unit.id for unit in attempt.units if unit.members})
        if not kits or attempt.command.action is not Action.UNBLOCK:
            return cls(set(), attempt.follows)
        return cls(_carried(attempt.work.tx, kits), attempt.follows)

    def check(self, command: UnitCommand, unit: UnitState) -> None:
        """Raise InvalidInput or StepNotAllowed for a part without its kit, or the other way."""
        if self.follows:
            return
        action = command.action
        what = action.replace("_", " ")
        if action is Action.ENTER_KIT and command.kit is None:
            raise InvalidInput("say which kit the unit becomes part of", field="kit")
        if unit.status is Status.IN_KIT and action not in ON_PARTS:
            raise StepNotAllowed(
                f"{what} is not possible while the unit is in kit: do it to the kit, or replace "
                "the part or take it out of the kit first",
                allowed=sorted(str(each) for each in ON_PARTS - {Action.FOLLOW_KIT}),
            )
        if action is Action.UNBLOCK and (unit.id, command.hold_kind) in self.blocked_by_parts:
            raise StepNotAllowed(
                f"a part of the kit has a {command.hold_kind} hold: release that one, or take the "
                "part out of the kit",
                allowed=[str(Action.DISASSEMBLE)],
            )
        unseen = "parts" not in (command.details or {})
        if action is Action.ACCEPT_RETURN and unit.members and unseen:
            raise StepNotAllowed(
                f"the unit is a kit of {unit.members} parts: scan them, and return it as a kit",
                allowed=[str(Action.ACCEPT_RETURN)],
            )


def following(
    tx: Transaction, command: UnitCommand, kits: Sequence[UnitState]
) -> Iterator[tuple[Action, Orders]]:
    """Say what the direct parts of kits do upon what was done to their kits."""
    if not kits:
        return
    by_id = {kit.id: kit for kit in kits}
    rows = tx.rows(
        "SELECT id, kit_id FROM unit WHERE kit_id IN (:kits...) AND status = 'in_kit' ORDER BY id",
        kits=sorted(by_id),
    )
    if not rows:
        return
    action = command.action
    does = action if action is Action.WRITE_OFF else Action.FOLLOW_KIT
    why = (command.details or {}).get("action", str(action))
    orders = []
    for row in rows:
        kit = by_id[row["kit_id"]]
        place = {"id": kit.location_id, "kind": kit.location_kind, "site_id": kit.site_id}
        told = UnitCommand(
            action=does,
            location=place,
            kit=kit.id,
            step=command.step or LIFECYCLE[action].step,
            details={"action": why},
        )
        orders.append((row["id"], told))
    yield does, orders


def reaching(
    tx: Transaction, command: UnitCommand, parts: Sequence[UnitState]
) -> Iterator[tuple[Action, Orders]]:
    """Say which kits are blocked, or free again, after a block of their parts was changed."""
    action, kind = command.action, command.hold_kind
    if not parts or action not in {Action.HOLD, Action.UNBLOCK}:
        return
    by_kit = {part.kit_id: part for part in parts if part.kit_id}
    rows = tx.rows(
        "SELECT id FROM unit WHERE id IN (:kits...) ORDER BY id FOR UPDATE", kits=sorted(by_kit)
    )
    kits = [row["id"] for row in rows]
    held = {
        row["unit_id"]: row["reference"] or ""
        for row in tx.rows(
            "SELECT unit_id, reference FROM hold WHERE unit_id IN (:kits...) AND kind = :kind "
            "AND released_at IS NULL",
            kits=kits,
            kind=kind,
        )
    }
    if action is Action.HOLD:
        changing = [kit for kit in kits if kit not in held]
    else:
        still = _carried(tx, kits)
        because = [kit for kit in kits if held.get(kit, "").startswith(FOR_A_PART)]
        changing = [kit for kit in because if (kit, kind) not in still]
    orders = []
    for kit in changing:
        part = by_kit[kit]
        told = UnitCommand(
            action=action,
            hold_kind=kind,
            hold_reference=f"{FOR_A_PART}{part.serial}",
            details={"member": part.id, "serial": part.serial},
        )
        orders.append((kit, told))
    if orders:
        yield action, orders


def uncarried(tx: Transaction, kit_id: str) -> list[str]:
    """Return the kinds of block that a kit has because of a part, and that no part carries now."""
    rows = tx.rows(
        "SELECT kind, reference FROM hold WHERE unit_id = :kit AND released_at IS NULL "
        "ORDER BY kind",
        kit=kit_id,
    )
    still = _carried(tx, [kit_id])
    return [
        row["kind"]
        for row in rows
        if (row["reference"] or "").startswith(FOR_A_PART) and (kit_id, row["kind"]) not in still
    ]


def _carried(tx: Transaction, kit_ids: list[str]) -> set[tuple[str, str]]:
    rows = tx.rows(
        "SELECT DISTINCT unit.kit_id, hold.kind FROM unit JOIN hold ON hold.unit_id = unit.id "
        "WHERE unit.kit_id IN (:kits...) AND unit.status = 'in_kit' "
        "AND hold.released_at IS NULL",
        kits=kit_ids,
    )
    return {(row["kit_id"], row["kind"]) for row in rows}
