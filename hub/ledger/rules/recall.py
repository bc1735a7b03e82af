"""Recalls: the hold of a recall stays until the recall resolved the unit.

Units that come back are marked in their recall, destroyed ones are resolved.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from hub.clock import micros
from hub.commands.context import CommandContext
from hub.errors import StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.holds import HoldKind
from hub.ledger.rules.rule import Attempt, Rule
from hub.ledger.units import UnitState
from hub.lifecycle import Action
from hub.storage.sql import Transaction

CAME_BACK = frozenset({Action.ACCEPT_RETURN, Action.TAKE_IN})
DESTROYED = "destroyed"
MERGED = "merged"


def unresolved(tx: Transaction, unit_ids: Iterable[str]) -> set[str]:
    """Return those of the units that a recall still waits for."""
    ids = sorted(unit_ids)
    if not ids:
        return set()
    rows = tx.rows(
        "SELECT DISTINCT unit_id FROM recall_unit WHERE unit_id IN (:ids...) "
        "AND resolution IS NULL",
        ids=ids,
    )
    return {row["unit_id"] for row in rows}


@dataclass(frozen=True, slots=True)
class RecallRule(Rule):
    """The units whose recall hold may not be released yet."""

    unresolved: set[str]

    @classmethod
    def prepare(cls, attempt: Attempt) -> Self:
        """Find the units of open recalls, where a recall hold is to be released."""
        command = attempt.command
        if command.action is not Action.UNBLOCK or command.hold_kind != HoldKind.RECALL:
            return cls(set())
        return cls(unresolved(attempt.work.tx, {unit.id for unit in attempt.units}))

    def check(self, command: UnitCommand, unit: UnitState) -> None:  # noqa: ARG002
        """Raise StepNotAllowed where the recall of the unit is not resolved."""
        if unit.id in self.unresolved:
            raise StepNotAllowed(
                "the unit is under a recall: say there what was done about it", allowed=[]
            )


def free(
    tx: Transaction, action: Action, orders: list[tuple[str, UnitCommand]]
) -> list[tuple[str, UnitCommand]]:
    """Leave out the kits that are under a recall themselves: they stay blocked without the part."""
    if action is not Action.UNBLOCK:
        return orders
    recalled = [unit_id for unit_id, told in orders if told.hold_kind == HoldKind.RECALL]
    waiting = unresolved(tx, recalled)
    return [each for each in orders if each[0] not in waiting]


def note(tx: Transaction, context: CommandContext, action: str, units: Iterable[UnitState]) -> None:
    """Mark what came back, and close what was destroyed; what nobody blocked is under no recall."""
    if action not in CAME_BACK and action != Action.WRITE_OFF:
        return
    ids = sorted(unit.id for unit in units if unit.blocks)
    if not ids:
        return
    if action in CAME_BACK:
        tx.send(
            "UPDATE recall_unit SET returned_at = :now WHERE unit_id IN (:ids...) "
            "AND resolution IS NULL AND returned_at IS NULL",
            now=micros(context.now),
            ids=ids,
        )
        return
    tx.send(
        "UPDATE recall_unit SET resolution = :destroyed, resolved_by = :actor, "
        "resolved_at = :now WHERE unit_id IN (:ids...) AND resolution IS NULL",
        destroyed=DESTROYED,
        actor=context.actor,
        now=micros(context.now),
        ids=ids,
    )
