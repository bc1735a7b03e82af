"""Counter exchange: accept one unit back and sell its replacement, both or neither."""

from dataclasses import replace
from typing import Any

from hub import ledger
from hub.catalogue import reference
from hub.catalogue.capture_points import demand
from hub.clock import micros
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed
from hub.history.sales import story_of
from hub.ledger import promises, record_one
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import Action, check
from hub.returns import receive
from hub.storage.rows import LocationRow

TEXT_CHARS_MAX = 200


_REPLACED = (
    "UPDATE return_case SET replacement_id = :new WHERE id = (SELECT id FROM return_case "
    "WHERE unit_id = :old AND state = 'received' AND received_at = :now ORDER BY id DESC LIMIT 1)"
)


def _check_texts(reason: str | None, receipt: str | None) -> None:
    for name, text in (("reason", reason), ("receipt", receipt)):
        if text is not None and not 0 < len(text.strip()) <= TEXT_CHARS_MAX:
            raise InvalidInput(f"1 to {TEXT_CHARS_MAX} characters", field=name)
    if not reason:
        raise InvalidInput("an exchange needs its reason", field="reason")


def exchange(
    work: Work,
    returned: Scan,
    replacement: Scan,
    place: LocationRow,
    *,
    return_id: str | None = None,
    receipt: str | None = None,
) -> tuple[str, str]:
    """Accept a unit back and sell its replacement; return the ids of both.

    Each history names the other unit. A replacement of the same product takes over the order line.
    `return_id` names the return check that applies, by default the newest. Raises InvalidInput for
    missing or long texts, and the refusal of either unit: then nothing is recorded.
    """
    _check_texts(work.context.reason, receipt)
    old, new = locate(work.tx, [returned, replacement])
    for unit in (old, new):
        if isinstance(unit, Refused):
            raise unit
    assert isinstance(old, UnitState)
    assert isinstance(new, UnitState)
    if old.id == new.id:
        raise InvalidInput("a unit is not exchanged for itself", field="replacement")
    _check_replacement(work.context, replacement, new)
    demand(work.context, reference(work.tx, "product", "id", new.product_id), Action.SELL)
    ledger.unchanged(returned, old)
    story = story_of(work.tx, old.id)
    line_id = story.sale.line_id if story.sale else None
    if old.product_id != new.product_id:
        line_id = None  # the line asks for another product
    number = story.sale.order["number"] if story.sale and story.sale.order else None
    back = replace(work.context, document=Document("rma", return_id or number or work.command_id))
    _accept_back(work.within(back), old, place, new.id, return_id)
    gone = replace(
        work.context, document=Document("inv", receipt) if receipt is not None else back.document
    )
    details: dict[str, Any] = {"exchanges": old.id}
    if story.sale and story.sale.channel:
        details["channel"] = story.sale.channel
    sale = UnitCommand(action=Action.SELL, line=line_id, details=details)
    record_one(work.within(gone), sale, Scan(new.id))
    work.tx.run(_REPLACED, new=new.id, now=micros(work.context.now), old=old.id)
    return old.id, new.id


def _check_replacement(context: CommandContext, scan: Scan, unit: UnitState) -> None:
    """Raise the refusal of a replacement that cannot be sold, such as an allocated unit."""
    promised = promises.binds(context, unit)
    check(Action.ALLOCATE, unit.status, promised=promised, blocked=unit.blocks > 0)
    ledger.unchanged(scan, unit)
    ledger.fresh(context, unit)


def _accept_back(
    work: Work,
    unit: UnitState,
    place: LocationRow,
    new_id: str,
    return_id: str | None,
) -> None:
    details = {"exchanged_for": new_id}
    if return_id is None:
        command = UnitCommand(action=Action.ACCEPT_RETURN, location=place, details=details)
        scans = [Scan(unit.id)]
        (verdict,) = receive.accept_plainly(work, command, scans)
        _accepted(verdict)
        return
    decided = work.tx.value("SELECT unit_id FROM return_case WHERE id = :id", id=return_id)
    if decided is not None and decided != unit.id:
        raise StepNotAllowed("the return was decided for another unit", allowed=[])
    receive.accept(work, return_id, location=place)
    note = UnitCommand(action=Action.ANNOTATE, details=details)
    record_one(work, note, Scan(unit.id))


def _accepted(verdict: Verdict) -> None:
    if not verdict.accepted:
        allowed = (verdict.details or {}).get("allowed", [])
        raise StepNotAllowed(verdict.message or "", allowed=allowed)
