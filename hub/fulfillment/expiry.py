"""What has expired on the shelf is set aside: no channel counts it, nobody is promised it.

A promise on it is released, so that the order is served by another unit; the block says why, and
only a person takes it away.
"""

from dataclasses import replace

from hub import ledger
from hub.clock import new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.holds import HoldKind
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Transaction

REASON = "expired"


def set_aside(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Block units in stock whose last day is past, and return how many.

    What is picked or packed already is refused where it goes on.
    """
    rows = tx.rows(
        "SELECT id, promised_to FROM unit WHERE status = 'in_stock' AND blocks = 0 "
        "AND expires_on IS NOT NULL AND expires_on < :today ORDER BY id LIMIT :limit FOR UPDATE",
        today=context.now.date().isoformat(),
        limit=limit,
    )
    if not rows:
        return 0
    because = replace(context, reason=REASON)
    promised = [Scan(row["id"]) for row in rows if row["promised_to"] is not None]
    if promised:
        ledger.record(Work(tx, because, new_id()), UnitCommand(action=Action.RELEASE), promised)
    block = UnitCommand(action=Action.HOLD, hold_kind=str(HoldKind.QUALITY))
    verdicts = ledger.record(Work(tx, because, new_id()), block, [Scan(row["id"]) for row in rows])
    return sum(verdict.accepted for verdict in verdicts)
