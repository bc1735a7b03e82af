"""Replacement of a failed unit under a claim, with the transfer of its cover."""

from dataclasses import replace
from datetime import date
from typing import Any

from hub.after_sales.claims import TEXT_CHARS_MAX, locked, with_note
from hub.after_sales.cover import Cover, CoverKind, Covers, CoverStatus, Grant, cover_of, grant
from hub.catalogue import ReplacementCover, reference
from hub.clock import micros
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.decision_rules import ClaimDecision
from hub.errors import InvalidInput, Refused, StepNotAllowed
from hub.ledger import record_one
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import WITH_CUSTOMER, Action, Status
from hub.storage.sql import Row, Transaction


def replace_unit(
    work: Work,
    claim_id: str,
    replacement: Scan,
    location: Row,
) -> str:
    """Replace a failed unit by another one and return its id; the failed one is returned.

    The customer's order moves to the new unit. Raises StepNotAllowed if no replacement was decided,
    one was made already, or the new unit is not available; InvalidInput for the same unit.
    """
    row = locked(work.tx, claim_id)
    if row["replacement_id"] is not None:
        raise StepNotAllowed("another unit was given already", allowed=[])
    if row["state"] != "approved" or row["decision"] != ClaimDecision.REPLACE:
        raise StepNotAllowed("no exchange was decided", allowed=["decide_claim"])
    failed, new = locate(work.tx, [Scan(row["unit_id"]), replacement])
    if isinstance(new, Refused):
        raise new
    assert isinstance(failed, UnitState)  # a claim has a unit, and units are never deleted
    if new.id == failed.id:
        raise InvalidInput("a unit does not replace itself", field="replacement")
    covers = cover_of(work.tx, work.context, failed.id)
    policy = reference(work.tx, "product", "id", failed.product_id)["replacement_cover"]
    context = replace(
        work.context, reason=row["fault"][:TEXT_CHARS_MAX], document=Document("rma", claim_id)
    )
    _take_in(work.within(context), failed, location, new.id)
    sale = {"replaces": failed.id, "claim": claim_id, "cover": policy}
    line = covers.story.sale.line_id if covers.story.sale else None
    command = UnitCommand(action=Action.SELL, line=line, details=sale)
    record_one(work.within(context), command, Scan(new.id))
    _inherit(work.tx, work.context, claim_id, covers, failed, new.id, ReplacementCover(policy))
    note = {"by": work.context.actor, "at": work.context.now.isoformat(), "unit": new.id}
    work.tx.run(
        "UPDATE warranty_claim SET replacement_id = :unit, state = 'closed', closed_at = :now, "
        "evidence = :evidence WHERE id = :id",
        unit=new.id,
        now=micros(work.context.now),
        evidence=with_note(row, "exchange", note),
        id=claim_id,
    )
    return new.id


def _take_in(
    work: Work,
    failed: UnitState,
    location: Row,
    new_id: str,
) -> None:
    details: dict[str, Any] = {"replaced_by": new_id}
    if failed.status in WITH_CUSTOMER:
        action, place = Action.ACCEPT_RETURN, location
    elif failed.status in {Status.RETURNED, Status.IN_REPAIR}:
        action, place = Action.ANNOTATE, None  # it is with us already
    else:
        raise StepNotAllowed(f"the failed unit is {failed.status.replace('_', ' ')}", allowed=[])
    command = UnitCommand(action=action, location=place, details=details)
    record_one(work, command, Scan(failed.id))


def _inherit(
    tx: Transaction,
    context: CommandContext,
    claim_id: str,
    covers: Covers,
    failed: UnitState,
    new_id: str,
    policy: ReplacementCover,
) -> None:
    """Transfer the remaining covers; with a new own warranty, only the purchased ones."""
    today = context.now.date()
    left = [each for each in covers.covers if _is_left(each, policy)]
    for number, each in enumerate(left, start=1):
        given = Grant(
            kind=CoverKind.INHERITED,
            reference=f"{claim_id}/{number}",
            provider=f"{each.kind.replace('_', ' ')} of {failed.serial}",
            starts_on=_later(each.starts_on, today),
            ends_on=each.ends_on,
        )
        grant(tx, context, new_id, given)


def _is_left(cover: Cover, policy: ReplacementCover) -> bool:
    if cover.kind is CoverKind.MANUFACTURER or cover.status not in {
        CoverStatus.COVERED,
        CoverStatus.NOT_STARTED,
    }:
        return False
    return policy is ReplacementCover.REMAINDER or cover.kind is not CoverKind.OWN


def _later(starts: date | None, today: date) -> date:
    return max(starts, today) if starts is not None else today
