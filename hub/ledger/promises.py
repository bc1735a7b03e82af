"""Promises: for whom a promised unit may leave, and when its promise ends.

A promise of a cart belongs to the API key that made it. A promise is over at its end, to the
microsecond: the ledger ends it before it does anything else to the unit, and a sweep ends those of
which nobody asks.
"""

from dataclasses import replace

from hub.clock import micros
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import UnitPromised
from hub.ledger.command import UnitCommand
from hub.ledger.units import UnitState
from hub.lifecycle import LEAVING, Action
from hub.storage.rows import HoldRow

ACTOR = "hub"  # who ends a promise at its time
REASON = "expired"
# Actions that a promise permits to those whose it is.
BOUND = LEAVING | {Action.PICK, Action.PACK, Action.REALLOCATE, Action.RELEASE}


def binds(context: CommandContext, unit: UnitState) -> bool:
    """Return whether a unit is promised to anybody now; a promise past its end binds nobody."""
    return unit.promised_to is not None and not unit.has_lapsed(micros(context.now))


def ending(work: Work) -> Work:
    """Return the command in the context of the hub, which ends promises at their time."""
    context = replace(work.context.by_hub(), actor=ACTOR, reason=REASON, occurred_at=None)
    return work.within(context)


def _owned(context: CommandContext, promise: HoldRow, unit: UnitState) -> None:
    """Raise UnitPromised where the promise of a cart is another key's, unless the caller overrides.

    A promise past its end is nobody's.
    """
    owner, caller = promise["owner"], context.key_id
    if owner is None or caller is None or owner == caller or context.overrides:
        return
    if not unit.has_lapsed(micros(context.now)):
        raise UnitPromised(
            "the unit is promised to a cart of another API key", reference=promise["reference"]
        )


def same(context: CommandContext, command: UnitCommand, unit: UnitState) -> None:
    """Raise UnitPromised for a unit that is promised to somebody else than the command is for."""
    if command.action not in BOUND or unit.promised_to is None:
        return
    promise = unit.holds["sale"]
    _owned(context, promise, unit)
    if command.action is Action.REALLOCATE:
        return
    same_line = command.line is None or command.line == promise["order_line_id"]
    mine = command.hold_reference is not None and command.hold_reference == promise["reference"]
    if command.action is Action.SELL and not (mine or (command.line and same_line)):
        raise UnitPromised("the unit is promised to somebody else", reference=promise["reference"])
    if not same_line:
        raise UnitPromised("the unit is promised to another order", reference=promise["reference"])
