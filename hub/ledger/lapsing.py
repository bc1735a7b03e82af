"""Lapsing of promises: those past their end are released, and their units are free.

Whoever reads or takes a unit sees such a promise as over at once (`hub.ledger.promises`,
`hub.availability.counting`); what is written here is the event of it.
"""

from collections.abc import Sequence
from typing import TypedDict

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.ledger import promises
from hub.ledger.command import UnitCommand
from hub.ledger.recording import record
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Transaction


class _Id(TypedDict):
    id: str


def release_expired(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Release up to `limit` promises whose end is past; return the number of released units."""
    # Locked by the promise that is over: one that was extended meanwhile is no longer found.
    expired = tx.rows_as(
        _Id,
        "SELECT unit.id FROM hold JOIN unit ON unit.promised_to = hold.id "
        "WHERE hold.released_at IS NULL AND hold.kind = 'sale' AND hold.expires_at IS NOT NULL "
        "AND hold.expires_at <= :now ORDER BY unit.id LIMIT :limit "
        "FOR UPDATE OF unit SKIP LOCKED",
        now=micros(context.now),
        limit=limit,
    )
    return release(Work(tx, context, new_id()), [row["id"] for row in expired])


def release_expired_of(work: Work, product_ids: Sequence[str], *, limit: int) -> int:
    """Release up to `limit` promises of products whose end is past; return their number.

    Whoever chooses units calls it first, so that no sweep has to run before they are chosen.
    """
    expired = work.tx.rows_as(
        _Id,
        "SELECT id FROM unit WHERE product_id IN (:ids...) AND promised_until <= :now "
        "ORDER BY promised_until, id LIMIT :limit FOR UPDATE SKIP LOCKED",
        ids=list(product_ids),
        now=micros(work.context.now),
        limit=limit,
    )
    return release(work, [row["id"] for row in expired])


def release(work: Work, unit_ids: Sequence[str]) -> int:
    """End the promises of locked units, which are past their end; return their number."""
    if not unit_ids:
        return 0
    scans = [Scan(unit_id) for unit_id in unit_ids]
    verdicts = record(promises.ending(work), UnitCommand(action=Action.RELEASE), scans)
    return sum(verdict.accepted for verdict in verdicts)
