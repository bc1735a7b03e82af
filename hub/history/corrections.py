"""Corrections: events that name an erroneous event and carry the state after the correction.

A correction never changes the recorded event. It declares that an event did not occur, or gives the
correct values (EPCIS 2.0: error declaration with its corrective event). The history is replayed
with it; a correction that makes a later event impossible is refused, and the unit gets the state
at the end of the corrected history. A correction does not undo a message to a channel: it is
refused with the step to take instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from hub import catalogue, ledger, orders
from hub.clock import micros, new_id
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference, VersionConflict
from hub.history.replay import (
    INSPECTED,
    PLACED,
    Declaration,
    Places,
    ReplayedEvent,
    UnitSnapshot,
    contradict,
    corrections,
    fold,
    replay,
)
from hub.history.rows import FactPayload, FactState
from hub.history.unit_history import places_of
from hub.ledger.event_views import history
from hub.ledger.event_writer import EventWriter
from hub.ledger.holds import COLUMNS as HOLD_COLUMNS
from hub.ledger.holds import HoldKind
from hub.ledger.rules import client, recall
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import LEAVING, Action
from hub.storage.rows import HoldRow, OrderRow
from hub.storage.sql import Row, Transaction
from hub.sync import listings, registrations
from hub.vocabulary import OrderState

REASON_CHARS_MAX = 200
EVENTS_MAX = 5_000  # of one unit that is replayed
# Actions that can not be declared as not occurred, with the step to take instead.
INSTEAD = {
    Action.COMMISSION: "a unit that has a record can not be unborn: write it off",
    Action.RECEIVE: "a unit that has a record can not be unborn: write it off",
    Action.ALLOCATE: "release the promise instead",
    Action.REALLOCATE: "release the promise instead",
    Action.RELEASE: "allocate the unit again instead",
    Action.PICK: "release the unit instead: it goes back into stock",
    Action.PACK: "release the unit instead: it goes back into stock",
    Action.LOSE: "find the unit instead",
    Action.REPORT_STOLEN: "find the unit instead",
    Action.MERGE: "split the unit instead",
    Action.ABSORB: "split the unit instead",
    Action.REIDENTIFY: "correct the product or serial again instead",
    Action.ENTER_KIT: "take the unit out of its kit instead",
    Action.LEAVE_KIT: "put the unit into the kit again instead",
    Action.FOLLOW_KIT: "correct what was done to its kit",
    Action.ASSEMBLE: "take the units out of the kit instead",
    Action.DISASSEMBLE: "put the units into the kit again instead",
}


OF_TWO = {Action.MERGE, Action.ABSORB}
WITH_OTHERS = LEAVING | OF_TWO | {Action.ACCEPT_RETURN}
"""Actions that change more than one history: once withdrawn, no correction brings them back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Corrected values; None: as recorded. `location` is a code."""

    occurred_at: datetime | None = None
    document: Document | None = None
    reason: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """Result of a correction."""

    event_id: str
    unit_id: str
    version: int
    status: str


def correct(
    work: Work,
    event_id: str,
    *,
    reason: Declaration,
    changes: Changes | None = None,
    expected_version: int | None = None,
) -> Corrected:
    """Correct one event; the newest correction of an event replaces earlier ones.

    The context's reason is required. Raises ContradictsHistory if a later event would become
    impossible, StepNotAllowed if another step is right, VersionConflict for another version,
    InvalidInput for invalid values, UnknownReference for an unknown event.
    """
    return _correct(work, event_id, reason, changes or Changes(), expected_version, INSTEAD)


def withdraw(work: Work, event_id: str) -> Corrected:
    """Declare that an event of a merge did not occur; only a split may call this."""
    return _correct(work, event_id, Declaration.DID_NOT_OCCUR, Changes(), None, {})


def _correct(
    work: Work,
    event_id: str,
    reason: Declaration,
    changes: Changes,
    expected_version: int | None,
    instead: Mapping[Action, str],
) -> Corrected:
    if not (work.context.reason or "").strip() or len(work.context.reason or "") > REASON_CHARS_MAX:
        raise InvalidInput(
            f"say why, in 1 to {REASON_CHARS_MAX} characters: a correction needs its reason",
            field="reason",
        )
    unit, rows = _history(work.tx, event_id)
    if expected_version is not None and expected_version != unit.version:
        raise VersionConflict(
            f"the unit is at version {unit.version}, not {expected_version}", version=unit.version
        )
    event = next(row for row in rows if row["id"] == event_id)
    known = corrections(rows)
    if reason is Declaration.DID_NOT_OCCUR and event["action"] in instead:
        what = event["action"].replace("_", " ")
        raise StepNotAllowed(f"{what}: {instead[Action(event['action'])]}", allowed=[])
    correction = _correction(work.tx, work.context, event, reason, changes, known)
    places = places_of(work.tx, rows, correction["restated"].get("location"))
    before = replay(rows, known, places)
    after = replay(rows, known | {event_id: correction}, places)
    contradict(before, after, places)
    if reason is Declaration.DID_NOT_OCCUR and Action(event["action"]) in LEAVING:
        _withdraw_sale(work.tx, unit, event)
    old, new = _last(before, places), _last(after, places)
    if unit.members and old.location_id != new.location_id:
        raise StepNotAllowed("the parts of the kit went with it: move it instead", allowed=["move"])
    was = (unit.is_available, unit.site_id, unit.grade)
    _carry(unit, old, new)
    _hold(work.tx, work.context, unit, old, new)
    correction["as_corrected"] = _restated(rows, after, places)
    done = _append(
        work.tx, EventWriter(work.context, work.command_id), unit, event, new, correction
    )
    ledger.write_units(work.tx, work.context, [unit])
    if reason is Declaration.DID_NOT_OCCUR and event["action"] == Action.ACCEPT_RETURN:
        ledger.never_came_back(work.tx, unit)
    _touch_listings(work.tx, work.context, unit, was)
    return done


def _last(events: Sequence[ReplayedEvent], places: Places) -> UnitSnapshot:
    return list(fold(events, places).values())[-1]


def _history(tx: Transaction, event_id: str) -> tuple[UnitState, Sequence[Row]]:
    """Lock the unit of an event and return it with all of its events."""
    unit_id = tx.value("SELECT unit_id FROM event WHERE id = :id", id=event_id)
    if unit_id is None:
        raise UnknownReference(f"there is no event {event_id!r}", field="eventId")
    (unit,) = locate(tx, [Scan(unit_id, itself=True)])
    assert isinstance(unit, UnitState)  # an event has a unit, and units are never deleted
    if unit.version > EVENTS_MAX:
        raise InvalidInput(f"the unit has more than {EVENTS_MAX} events", field="eventId")
    return unit, history(tx, [unit_id])[unit_id]


def _correction(
    tx: Transaction,
    context: CommandContext,
    event: Row,
    declaration: Declaration,
    changes: Changes,
    known: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """Validate a declaration and return the details of the correction."""
    action = Action(event["action"])
    if event["corrects"] is not None:
        raise InvalidInput("this is a correction: correct the event that it names", field="eventId")
    restated = _restatement(tx, context, action, changes)
    earlier = known.get(event["id"])
    if declaration is Declaration.DID_NOT_OCCUR:
        if restated:
            raise InvalidInput("what did not occur has nothing to restate", field="changes")
        if client.title_of(event):
            raise StepNotAllowed("title passed: transfer it back instead", allowed=[])
    elif not restated and earlier is None:
        raise InvalidInput("say what was right instead", field="changes")
    withdrawn = earlier is not None and earlier["declaration"] == Declaration.DID_NOT_OCCUR
    if withdrawn and action in WITH_OTHERS:
        what = "the sale" if action in LEAVING else str(action).replace("_", " ")
        raise StepNotAllowed(f"{what} was declared not to have occurred: record it again")
    if action in OF_TWO and "occurred_at" in restated:
        raise StepNotAllowed("it is of two records at once: split the unit, and merge it again")
    return {"declaration": str(declaration), "restated": restated}


def _restatement(
    tx: Transaction, context: CommandContext, action: Action, changes: Changes
) -> dict[str, Any]:
    restated: dict[str, Any] = {}
    if changes.occurred_at is not None:
        if changes.occurred_at > context.now:
            raise InvalidInput("occurredAt is in the future", field="occurredAt")
        restated["occurred_at"] = micros(changes.occurred_at)
    if changes.document is not None:
        restated["document_type"] = changes.document.type
        restated["document_ref"] = changes.document.ref
    if changes.reason is not None:
        if len(changes.reason) > REASON_CHARS_MAX:
            raise InvalidInput(f"at most {REASON_CHARS_MAX} characters", field="reason")
        restated["reason"] = changes.reason
    if changes.location is not None:
        if action not in PLACED | INSPECTED:
            raise InvalidInput("this event puts the unit nowhere", field="location")
        restated["location"] = catalogue.location(tx, changes.location)["code"]
    return restated


def _restated(
    rows: Sequence[Row], after: Sequence[ReplayedEvent], places: Places
) -> list[dict[str, Any]]:
    """Return the corrected values of the events that differ from their recorded values."""
    snapshots, replayed = fold(after, places), {event.version: event for event in after}
    found: list[dict[str, Any]] = []
    for row in rows:
        if row["corrects"] is not None:
            continue
        event = replayed.get(row["version"])
        if event is None:
            found.append({"version": row["version"], "occurred": False})
            continue
        snapshot = snapshots[event.version]
        corrected = {
            "occurred_at": event.occurred_at,
            "document_type": event.document_type,
            "document_ref": event.document_ref,
            "reason": event.reason,
            "status": str(snapshot.status),
            "disposition": snapshot.disposition,
            "location_to": snapshot.location_id,
        }
        if any(row[name] != value for name, value in corrected.items()):
            found.append({"version": row["version"], "occurred": True} | corrected)
    return found


def _append(
    tx: Transaction,
    writer: EventWriter,
    unit: UnitState,
    event: Row,
    new: UnitSnapshot,
    details: dict[str, Any],
) -> Corrected:
    """Append the correction with the state after it, and set the unit to that state."""
    before = (unit.status, unit.disposition, unit.location_id)
    unit.status, unit.disposition = new.status, new.disposition
    unit.location_id, unit.location_kind = new.location_id, new.location_kind
    unit.site_id = new.site_id
    unit.version += 1
    unit.hash = writer.append(
        unit_id=unit.id,
        version=unit.version,
        action=str(Action.CORRECT),
        biz_step=event["biz_step"],
        status_from=str(before[0]),
        status=str(unit.status),
        disposition_from=before[1],
        disposition=unit.disposition,
        location_from=before[2],
        location_to=unit.location_id,
        corrects=event["id"],
        details=details,
        previous_hash=unit.hash,
    )
    writer.write(tx)
    return Corrected(
        event_id=str(writer.rows[-1][0]),
        unit_id=unit.id,
        version=unit.version,
        status=str(unit.status),
    )


def _carry(unit: UnitState, old: UnitSnapshot, new: UnitSnapshot) -> None:
    """Set the order line, grade and sale time of a unit where the correction changed them."""
    if old.line != new.line:
        unit.order_line_id = new.line
    if old.grade != new.grade:
        unit.grade = new.grade
    if old.sold_at != new.sold_at:
        unit.sold_at = new.sold_at
    if old.merged_into != new.merged_into:
        unit.merged_into = new.merged_into


def _hold(
    tx: Transaction,
    context: CommandContext,
    unit: UnitState,
    old: UnitSnapshot,
    new: UnitSnapshot,
) -> None:
    """Release and renew the allocation and the blocks that the correction changed."""
    was, now = _kinds(old), _kinds(new)
    if HoldKind.RECALL in was - now and recall.unresolved(tx, [unit.id]):
        raise StepNotAllowed("the unit is under a recall: say there what was done about it")
    if was - now:
        tx.run(
            "UPDATE hold SET released_at = :now WHERE unit_id = :unit AND kind IN (:kinds...) "
            "AND released_at IS NULL",
            now=micros(context.now),
            unit=unit.id,
            kinds=sorted(was - now),
        )
        unit.promised_to = unit.promised_to if new.promised else None
    for kind in sorted(now - was):
        # The end of the hold is kept: the sweep releases an allocation that expired meanwhile.
        last = tx.row_as(
            HoldRow,
            "SELECT * FROM hold WHERE unit_id = :unit AND kind = :kind ORDER BY id DESC LIMIT 1",
            unit=unit.id,
            kind=kind,
        )
        assert last is not None  # what is held again was held before
        renewed: HoldRow = {
            **last,
            "id": new_id(),
            "placed_by": context.actor,
            "placed_at": micros(context.now),
        }
        columns: Mapping[str, object] = renewed
        tx.insert("hold", HOLD_COLUMNS, [tuple(columns[name] for name in HOLD_COLUMNS)])
        if kind == HoldKind.SALE:
            unit.promised_to = renewed["id"]
    unit.blocks += len(new.blocks) - len(old.blocks)


def _kinds(snapshot: UnitSnapshot) -> frozenset[str]:
    return snapshot.blocks | ({str(HoldKind.SALE)} if snapshot.promised else set())


def _withdraw_sale(tx: Transaction, unit: UnitState, event: Row) -> None:
    """Remove the messages that a sale queued; raises StepNotAllowed if one was sent already."""
    details = orjson.loads(event["details"]) if event["details"] else {}
    if event["action"] == Action.SELL and "channel" in details:
        raise StepNotAllowed(
            f"{details['channel']} says that it sold the unit: take it back as a return",
            allowed=[str(Action.ACCEPT_RETURN)],
        )
    order = tx.row_as(
        OrderRow,
        "SELECT sales_order.* FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id WHERE order_line.id = :line",
        line=unit.order_line_id,
    )
    if order is not None:
        _check_unsent(tx, unit, event, order)
        tx.run(
            "UPDATE sales_order SET state = 'open' WHERE id = :id AND state = 'fulfilled'",
            id=order["id"],
        )
    _withdraw_registration(tx, unit, event)


def _check_unsent(tx: Transaction, unit: UnitState, event: Row, order: OrderRow) -> None:
    back = [str(Action.ACCEPT_RETURN)]
    if order["state"] == OrderState.CANCELLED:
        raise StepNotAllowed("its order was cancelled: take it back as a return", allowed=back)
    for fact in tx.rows_as(
        FactPayload,
        "SELECT payload FROM outbox WHERE channel_id = :channel AND subject = :order "
        "AND topic = :topic AND created_at >= :since",
        channel=order["channel_id"],
        order=order["id"],
        topic=orders.TOPIC,
        since=event["recorded_at"],
    ):
        if any(
            unit.serial in serials for serials in orjson.loads(fact["payload"])["lines"].values()
        ):
            raise StepNotAllowed(
                "the channel of its order was notified that it left: take it back as a return",
                allowed=back,
            )


def _withdraw_registration(tx: Transaction, unit: UnitState, event: Row) -> None:
    facts = tx.rows_as(
        FactState,
        "SELECT id, state FROM outbox WHERE channel_id IN ("
        "SELECT id FROM channel WHERE manufacturer_id = :manufacturer) "
        "AND subject = :unit AND topic = :topic AND created_at >= :since ORDER BY seq FOR UPDATE",
        manufacturer=unit.manufacturer_id,
        unit=unit.id,
        topic=registrations.TOPIC,
        since=event["recorded_at"],
    )
    if any(fact["state"] in {"leased", "sent"} for fact in facts):
        raise StepNotAllowed(
            "its manufacturer was notified of the sale: take it back as a return",
            allowed=[str(Action.ACCEPT_RETURN)],
        )
    if facts:
        # Deleted, not made a dead letter: a replay of all dead letters would send it after all.
        ids = [fact["id"] for fact in facts]
        tx.run("DELETE FROM outbox WHERE id IN (:ids...)", ids=ids)


def _touch_listings(
    tx: Transaction, context: CommandContext, unit: UnitState, was: tuple[bool, str, str | None]
) -> None:
    """Queue level updates where availability, site or grade changed."""
    changed = unit.is_available and (unit.site_id, unit.grade) != was[1:]
    if changed or unit.is_available != was[0]:
        listings.touch(tx, [unit.product_id], context.now)
