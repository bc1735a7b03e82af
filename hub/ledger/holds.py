"""Holds: allocation of a unit to one buyer (kind sale), or blocks (quality, recall, fraud).

Unique indexes allow one active allocation of a unit and one active block of each kind.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.units import UnitState
from hub.lifecycle import Action
from hub.storage.rows import HoldRow
from hub.storage.sql import Transaction


class HoldKind(StrEnum):
    """Kind of a hold."""

    SALE = "sale"
    QUALITY = "quality"
    RECALL = "recall"
    FRAUD = "fraud"


BLOCKING = frozenset({HoldKind.QUALITY, HoldKind.RECALL, HoldKind.FRAUD})
LOOKS_AT_HOLDS = frozenset(Action) - {Action.ALLOCATE, Action.TRANSFER_OUT}
COLUMNS = (
    "id", "unit_id", "kind", "reference", "order_line_id", "owner", "reason", "placed_by",
    "placed_at", "expires_at",
)  # fmt: skip


class Holds:
    """Holds that one command reads, places and releases."""

    def __init__(self, tx: Transaction, context: CommandContext) -> None:
        self._tx = tx
        self._context = context
        self._placed: list[tuple[Any, ...]] = []
        self._released: list[str] = []

    def load(self, units: Sequence[UnitState], action: Action) -> None:
        """Load the active holds of the units if the action depends on them."""
        held = [unit for unit in units if unit.promised_to or unit.blocks]
        if not held or action not in LOOKS_AT_HOLDS:
            return
        by_id = {unit.id: unit for unit in held}
        for row in self._tx.rows_as(
            HoldRow,
            "SELECT * FROM hold WHERE unit_id IN (:ids...) AND released_at IS NULL",
            ids=list(by_id),
        ):
            by_id[row["unit_id"]].holds[row["kind"]] = row

    def apply(self, command: UnitCommand, unit: UnitState) -> None:
        """Place or release the holds of an action; raise StepNotAllowed or InvalidInput."""
        match command.action:
            case Action.ALLOCATE:
                unit.promised_to = self._place(command, unit, HoldKind.SALE)
                unit.order_line_id = command.line
            case Action.REALLOCATE:
                self._release(unit, HoldKind.SALE)
                unit.promised_to = self._place(command, unit, HoldKind.SALE)
                unit.order_line_id = command.line
            case Action.RELEASE | Action.LOSE | Action.REPORT_STOLEN:
                self._end_promise(command, unit)
            case Action.SHIP | Action.SELL | Action.COLLECT:
                self._fulfill(command, unit)
            case Action.HOLD:
                self._block(command, unit, _blocking(command.hold_kind))
            case Action.UNBLOCK:
                self._unblock(unit, _blocking(command.hold_kind))
            case Action.MERGE:  # they go over to the record that absorbs it
                for kind in [HoldKind(each) for each in unit.holds]:
                    self._unblock(unit, kind)
            case Action.QUARANTINE if HoldKind.QUALITY not in unit.holds:
                self._block(command, unit, HoldKind.QUALITY)

    def write(self) -> None:
        """Write the placed and released holds."""
        if self._released:
            self._tx.send(
                "UPDATE hold SET released_at = :now WHERE id IN (:ids...)",
                now=micros(self._context.now),
                ids=self._released,
            )
        self._tx.insert("hold", COLUMNS, self._placed)

    def _end_promise(self, command: UnitCommand, unit: UnitState) -> None:
        if command.action is Action.RELEASE or unit.promised_to is not None:
            self._release(unit, HoldKind.SALE)
            unit.promised_to = unit.order_line_id = None

    def _fulfill(self, command: UnitCommand, unit: UnitState) -> None:
        if unit.promised_to is not None:
            self._release(unit, HoldKind.SALE)
            unit.promised_to = None
        if command.line is not None:
            unit.order_line_id = command.line

    def _block(self, command: UnitCommand, unit: UnitState, kind: HoldKind) -> None:
        if kind in unit.holds:
            raise StepNotAllowed(f"the unit has a {kind} hold already", allowed=["unblock"])
        self._place(command, unit, kind)
        unit.blocks += 1

    def _unblock(self, unit: UnitState, kind: HoldKind) -> None:
        if kind not in unit.holds:
            raise StepNotAllowed(f"the unit has no {kind} hold", holds=sorted(unit.holds))
        self._release(unit, kind)
        unit.blocks -= 1

    def _place(self, command: UnitCommand, unit: UnitState, kind: HoldKind) -> str:
        hold: HoldRow = {
            "id": new_id(),
            "unit_id": unit.id,
            "kind": str(kind),
            "reference": command.hold_reference,
            "order_line_id": command.line,
            "owner": command.owner,
            "reason": self._context.reason,
            "placed_by": self._context.actor,
            "placed_at": micros(self._context.now),
            "expires_at": command.expires_at,
            "released_at": None,
        }
        unit.holds[kind] = hold
        if kind is HoldKind.SALE:
            unit.promised_until = command.expires_at
        self._placed.append(tuple(value for name, value in hold.items() if name in COLUMNS))
        return hold["id"]

    def _release(self, unit: UnitState, kind: HoldKind) -> None:
        self._released.append(unit.holds.pop(kind)["id"])


def _blocking(kind: str | None) -> HoldKind:
    if kind not in BLOCKING:
        raise InvalidInput(f"a block is one of {', '.join(sorted(BLOCKING))}", field="kind")
    return HoldKind(kind)
