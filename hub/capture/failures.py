"""Failed captures: unreadable or implausible labels, and units that moved without a scan.

Each becomes a case with an owner, so that the batch continues. A failed capture has one of three
remedies: the label is read again, the unit gets a new label, or a second person approves the typed
serial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson

from hub import cases, catalogue, ledger, orders
from hub.cases import CaseKind, Finding
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.errors import Forbidden, InvalidInput, StepNotAllowed
from hub.identifiers import labels
from hub.inbound import receiving
from hub.ledger.arrivals import Arrival
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.storage.rows import CaseRow
from hub.storage.sql import Row, Transaction
from hub.unit_records import further_identifiers
from hub.vocabulary import CaptureMethod

READINGS_MAX = 50
QUANTITY_MAX = 1_000_000
# Actions that the resolution of a case can record: they need no input but a place.
MOVABLE = frozenset({
    Action.RECEIVE, Action.PUT_AWAY, Action.MOVE, Action.TRANSFER_OUT, Action.TRANSFER_IN,
    Action.PICK, Action.PACK, Action.SHIP, Action.SELL, Action.COLLECT, Action.ACCEPT_RETURN,
    Action.REPAIR,
})  # fmt: skip
PLACED = frozenset({
    Action.RECEIVE, Action.PUT_AWAY, Action.MOVE, Action.TRANSFER_OUT, Action.TRANSFER_IN,
    Action.ACCEPT_RETURN,
})  # fmt: skip
BY_REASON = frozenset({Action.ACCEPT_RETURN})


class Remedy(StrEnum):
    """Remedy of a failed capture."""

    RETRY = "retry"  # the label was read after all
    RELABEL = "relabel"  # the unit is known otherwise, and gets a new label
    MANUAL = "manual"  # the serial was typed, and somebody else approves it


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed capture. `product` is a SKU or GTIN, `location` the destination of the step."""

    action: Action
    readings: tuple[str, ...]
    location: str | None = None
    product: str | None = None
    lot: str | None = None
    note: str | None = None
    owner: str | None = None  # None: whoever reports it


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncaptured:
    """Units of a product (by SKU or GTIN) that moved without a scan."""

    action: Action
    product: str
    quantity: int
    location: str
    owner: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Result of a resolution; if the ledger refuses the step, the case stays open."""

    case_id: str
    verdict: Verdict
    label: str | None = field(default=None)  # that was made for the unit


def report(tx: Transaction, context: CommandContext, failure: Failure) -> str:
    """Open the case of a failed capture and return its id; the same readings update an open one.

    Raises InvalidInput for an invalid action, readings or place, UnknownReference.
    """
    if failure.action not in MOVABLE:
        possible = ", ".join(sorted(MOVABLE))
        raise InvalidInput(f"a capture fails at one of {possible}", field="action")
    if not 0 < len(failure.readings) <= READINGS_MAX:
        raise InvalidInput(f"1 to {READINGS_MAX} readings", field="readings")
    if failure.action in PLACED and failure.location is None:
        raise InvalidInput("say where the unit was to go", field="location")
    if failure.location is not None:
        catalogue.location(tx, failure.location)
    if failure.product is not None:
        _product(tx, failure.product)
    where = failure.location or "-"
    read = " | ".join(failure.readings)
    document = [context.document.type, context.document.ref] if context.document else None
    finding = Finding(
        kind=CaseKind.FAILED_CAPTURE,
        subject=f"{failure.action} {where}: {read}",
        summary=f"A label could not be captured to {failure.action.replace('_', ' ')}: "
        f"{failure.note or read}"[:300],
        details={
            "action": failure.action,
            "readings": list(failure.readings),
            "location": failure.location,
            "product": failure.product,
            "lot": failure.lot,
            "note": failure.note,
            "document": document,
            "reason": context.reason,
            "reporter": context.actor,
            "reporter_key": context.scope,
        },
    )
    return _owned(tx, context, finding, failure.owner)


def report_uncaptured(tx: Transaction, context: CommandContext, moved: Uncaptured) -> str:
    """Open the case of units that moved without a scan and return its id."""
    product = _product(tx, moved.product)
    catalogue.location(tx, moved.location)
    if not 0 < moved.quantity <= QUANTITY_MAX:
        raise InvalidInput(f"1 to {QUANTITY_MAX} units", field="quantity")
    document = context.document.ref if context.document else None
    finding = Finding(
        kind=CaseKind.MISSING_CAPTURE,
        subject=f"{moved.action} {moved.location}/{product['sku']}/{document or '-'}",
        summary=f"{moved.quantity} of {product['sku']} at {moved.location}: "
        f"{moved.action.replace('_', ' ')} without a serial being read.",
        details={
            "action": moved.action,
            "sku": product["sku"],
            "missing": moved.quantity,
            "location": moved.location,
            "document": document,
            "note": moved.note,
            "reporter": context.actor,
        },
    )
    return _owned(tx, context, finding, moved.owner)


def _product(tx: Transaction, code: str) -> Row:
    found = catalogue.products_by_code(tx, [code])
    return found[code] if code in found else catalogue.reference(tx, "product", "sku", code)


def _owned(tx: Transaction, context: CommandContext, finding: Finding, owner: str | None) -> str:
    case_id = cases.report(tx, finding, context.now)
    case = tx.row_as(CaseRow, "SELECT * FROM exception_case WHERE id = :id", id=case_id)
    assert case is not None  # it was just stored
    if case["owner"] is None or owner is not None:
        cases.assign(tx, context, case, owner or context.actor)
    return case_id


def resolve(
    work: Work,
    case_id: str,
    how: Remedy,
    identifier: str,
    *,
    sku: str | None = None,
) -> Resolved:
    """Resolve a failed capture with its unit, and record the failed step.

    RETRY takes a new reading, MANUAL a typed serial, which needs a person other than the reporter.
    RELABEL takes any identifier of a known unit and gives the unit a new label; the step is then
    captured from the label. Raises InvalidInput, Forbidden, StepNotAllowed.
    """
    case = _open_case(work.tx, case_id)
    details = orjson.loads(case["details"])
    scan = Scan(identifier, sku)
    if how is Remedy.RELABEL:
        (serial,) = labels.own_serials(1)
        verdict = further_identifiers.link(work, scan, further_identifiers.LABEL, serial)
        cases.resolve(work.tx, work.context, case, f"Relabelled as {serial}.")
        return Resolved(case_id, replace(verdict, identifier=identifier), serial)
    context = _step_context(work.context, details, how)
    verdict = _step(work.within(context), details, scan, case_id)
    if verdict.accepted:
        text = "Read again" if how is Remedy.RETRY else f"Typed, approved by {work.context.actor}"
        cases.resolve(work.tx, work.context, case, f"{text}: {identifier}.")
    return Resolved(case_id, verdict)


def _open_case(tx: Transaction, case_id: str) -> CaseRow:
    catalogue.reference(tx, "exception_case", "id", case_id)
    case = tx.row_as(CaseRow, "SELECT * FROM exception_case WHERE id = :id FOR UPDATE", id=case_id)
    assert case is not None  # it was found, and cases are never deleted
    if case["kind"] != CaseKind.FAILED_CAPTURE:
        raise InvalidInput("this case is no failed capture", field="caseId")
    if case["state"] == "resolved":
        raise StepNotAllowed("the case is resolved already", allowed=[])
    return case


def _step_context(
    context: CommandContext, details: Mapping[str, Any], how: Remedy
) -> CommandContext:
    document = Document(*details["document"]) if details["document"] else context.document
    reason = context.reason or details["reason"]
    original = replace(context, document=document, reason=reason)
    if how is Remedy.RETRY:
        if original.captured_by is CaptureMethod.MANUAL:
            raise InvalidInput("what is typed needs approval: resolve it MANUAL", field="how")
        return original
    if context.scope == details["reporter_key"] or context.actor == details["reporter"]:
        raise Forbidden("a typed serial needs the approval of a person other than the reporter")
    return replace(original, captured_by=CaptureMethod.MANUAL, approved_by=context.actor)


def _step(
    work: Work,
    details: Mapping[str, Any],
    scan: Scan,
    case_id: str,
) -> Verdict:
    """Record the step at which the capture failed."""
    action = Action(details["action"])
    place = catalogue.location(work.tx, details["location"]) if details["location"] else None
    if action is Action.RECEIVE:
        assert place is not None  # a receipt was reported with its place
        arrival = Arrival(
            serial=scan.identifier,
            product=scan.sku or details["product"] or "",
            lot=details["lot"],
        )
        (verdict,) = receiving.receive(work, [arrival], place)
        return verdict
    if action is Action.SHIP:
        (verdict,) = orders.ship(work, [scan], Shipment())
        return verdict
    if action in BY_REASON and not work.context.reason:
        raise InvalidInput("a return needs its reason", field="reason")
    proof = {"case": case_id}
    if work.context.approved_by is not None:
        proof["approved_by"] = work.context.approved_by
    command = UnitCommand(action=action, location=place, details=proof)
    (verdict,) = ledger.record(work, command, [scan])
    return verdict


def as_readings(readings: Sequence[str]) -> tuple[str, ...]:
    """Return readings as they are stored: distinct, in the order of the device, truncated."""
    return tuple(dict.fromkeys(each[:200] for each in readings if each.strip()))
