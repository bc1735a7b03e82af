"""Expiry of reservations: allocations and reservations past their end are released."""

from dataclasses import replace
from typing import TypedDict

from hub import ledger
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Transaction

REASON = "expired"


class _HeldUnit(TypedDict):
    unit_id: str


def release_expired(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Release up to `limit` sale holds whose end is past; return the number of released units."""
    expired = tx.rows_as(
        _HeldUnit,
        "SELECT unit_id FROM hold WHERE released_at IS NULL AND kind = 'sale' "
        "AND expires_at IS NOT NULL AND expires_at <= :now ORDER BY unit_id LIMIT :limit",
        now=micros(context.now),
        limit=limit,
    )
    if not expired:
        return 0
    scans = [Scan(row["unit_id"]) for row in expired]
    work = Work(tx, replace(context, reason=REASON), new_id())
    results = ledger.record(work, UnitCommand(action=Action.RELEASE), scans)
    return sum(result.accepted for result in results)
