"""What follows from being under a recall, whatever is done: the ledger asks here.

The block of a recall stays until the unit is resolved there, and what comes back is marked.
"""

from collections.abc import Iterable, Sequence

from hub.clock import micros
from hub.commands.context import CommandContext
from hub.errors import StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.holds import HoldKind
from hub.ledger.units import UnitState
from hub.lifecycle import Action
from hub.storage.sql import Transaction

CAME_BACK = frozenset({Action.ACCEPT_RETURN, Action.TAKE_IN})
DESTROYED = "destroyed"


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


def bound(tx: Transaction, command: UnitCommand, units: Sequence[UnitState]) -> set[str]:
    """Return the units whose block by a recall may not be released yet."""
    if command.action is not Action.UNBLOCK or command.hold_kind != HoldKind.RECALL:
        return set()
    return unresolved(tx, {unit.id for unit in units})


def check(unit: UnitState, bound_units: set[str]) -> None:
    """Refuse to release the block of a unit that its recall still waits for."""
    if unit.id in bound_units:
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
