"""Replay of a unit's history with corrections, and the state of the unit after each event.

The events keep the order of the ledger. The newest correction of an event applies: an event that
did not occur is skipped, corrected values replace recorded ones. This module accesses no database.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, TypedDict

from hub.catalogue import CUSTOMER, IN_TRANSIT, SUPPLIER
from hub.clock import moment
from hub.errors import ContradictsHistory, Refused, StepNotAllowed
from hub.ledger.holds import HoldKind
from hub.lifecycle import LIFECYCLE, Action, Place, Status, check, disposition
from hub.storage.documents import document
from hub.storage.sql import Row

# These actions name the place of the unit; an inspection may leave the unit at its place.
PLACED = frozenset({
    Action.COMMISSION, Action.RECEIVE, Action.PUT_AWAY, Action.MOVE, Action.TRANSFER_IN,
    Action.ACCEPT_RETURN, Action.TAKE_IN, Action.FIND, Action.RELOCATE, Action.ENTER_KIT,
    Action.LEAVE_KIT, Action.FOLLOW_KIT,
})  # fmt: skip
INSPECTED = frozenset({Action.RESTOCK, Action.REPAIR, Action.QUARANTINE, Action.CONDEMN})


class Declaration(StrEnum):
    """Error of an event: the two reasons of an error declaration (EPCIS 2.0)."""

    DID_NOT_OCCUR = "did_not_occur"
    INCORRECT_DATA = "incorrect_data"


@dataclass(frozen=True, slots=True)
class ReplayedEvent:
    """One event with its corrected values; `place_id` if the event names a place."""

    id: str
    version: int
    action: Action
    status: Status
    occurred_at: int
    recorded_at: int
    document_type: str | None
    document_ref: str | None
    reason: str | None
    place_id: str | None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnitSnapshot:
    """State of a unit after an event."""

    status: Status
    disposition: str
    location_id: str
    location_kind: str
    site_id: str
    promised: bool = False
    line: str | None = None
    blocks: frozenset[str] = frozenset()
    grade: str | None = None
    sold_at: int | None = None
    merged_into: str | None = None


class HistoryPlace(TypedDict):
    """A location of a history."""

    id: str
    code: str
    name: str
    kind: str
    site_id: str


Places = Mapping[str, HistoryPlace]  # by id, and by code


def corrections(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Return the details of the newest correction of each corrected event, by its id."""
    return {
        row["corrects"]: document(row["details"]) for row in rows if row["corrects"] is not None
    }


def replay(
    rows: Sequence[Row], corrected: Mapping[str, dict[str, Any]], places: Places
) -> list[ReplayedEvent]:
    """Return a history with corrections applied, given by the id of the corrected event."""
    replayed = []
    for row in rows:
        correction = corrected.get(row["id"], {})
        left_out = correction.get("declaration") == Declaration.DID_NOT_OCCUR
        if row["corrects"] is None and not left_out:
            replayed.append(_replayed(row, correction.get("restated", {}), places))
    return replayed


def _replayed(row: Row, restated: dict[str, Any], places: Places) -> ReplayedEvent:
    action = Action(row["action"])
    moved = row["location_from"] != row["location_to"]
    placed = action in PLACED or (action in INSPECTED and moved)
    place_id = row["location_to"] if placed else None
    if "location" in restated:
        place_id = places[restated["location"]]["id"]
    shown = {**row, **restated}
    return ReplayedEvent(
        id=row["id"],
        version=row["version"],
        action=action,
        status=Status(row["status"]),
        occurred_at=shown["occurred_at"],
        recorded_at=row["recorded_at"],
        document_type=shown["document_type"],
        document_ref=shown["document_ref"],
        reason=shown["reason"],
        place_id=place_id,
        details=document(row["details"]),
    )


def fold(events: Iterable[ReplayedEvent], places: Places) -> dict[int, UnitSnapshot]:
    """Return the state of the unit after each event, by the event's version."""
    snapshots: dict[int, UnitSnapshot] = {}
    snapshot: UnitSnapshot | None = None
    for event in events:
        snapshot = snapshots[event.version] = _after(snapshot, event, places)
    return snapshots


def contradict(
    before: Sequence[ReplayedEvent], after: Sequence[ReplayedEvent], places: Places
) -> None:
    """Check that a corrected history is possible; raises ContradictsHistory.

    An event with the same preceding state as before is not checked again: it was accepted. The
    times of the events keep their order too (`hub.ledger.chronology`).
    """
    _check_order(before, after)
    accepted = {event.version: (event, snapshot) for event, snapshot in _entering(before, places)}
    for event, snapshot in _entering(after, places):
        if snapshot is None or accepted.get(event.version) == (event, snapshot):
            continue
        try:
            _check_possible(snapshot, event, places)
        except Refused as refusal:
            name = event.action.replace("_", " ")
            raise ContradictsHistory(
                f"event {event.version} ({name}) prevents it: {refusal}",
                prevented_by=event.id,
                action=str(event.action),
            ) from refusal


def _check_order(before: Sequence[ReplayedEvent], after: Sequence[ReplayedEvent]) -> None:
    """Raise ContradictsHistory where a correction makes an event precede one that it follows."""
    recorded = {event.version: event.occurred_at for event in before}
    for earlier, later in pairwise(after):
        if earlier.occurred_at <= later.occurred_at:
            continue
        moved, kept = (later, earlier) if _is_moved(later, recorded) else (earlier, later)
        if _is_moved(moved, recorded):
            raise ContradictsHistory(
                f"event {kept.version} ({kept.action.replace('_', ' ')}) prevents it: it happened "
                f"at {moment(kept.occurred_at).isoformat()}",
                prevented_by=kept.id,
                action=str(kept.action),
            )


def _is_moved(event: ReplayedEvent, recorded: Mapping[int, int]) -> bool:
    return recorded.get(event.version) != event.occurred_at


def _entering(
    events: Sequence[ReplayedEvent], places: Places
) -> Iterator[tuple[ReplayedEvent, UnitSnapshot | None]]:
    """Pair each event with the state of the unit before it."""
    snapshot: UnitSnapshot | None = None
    for event in events:
        yield event, snapshot
        snapshot = _after(snapshot, event, places)


def _check_possible(snapshot: UnitSnapshot, event: ReplayedEvent, places: Places) -> None:
    """Check that an event can follow a state; raises StepNotAllowed or another Refused."""
    promised, blocked = snapshot.promised, bool(snapshot.blocks)
    rule = check(event.action, snapshot.status, promised=promised, blocked=blocked)
    kind = event.details.get("hold_kind")
    if event.action is Action.HOLD and kind in snapshot.blocks:
        raise StepNotAllowed(f"the unit has a {kind} hold already")
    if event.action is Action.UNBLOCK and kind not in snapshot.blocks:
        raise StepNotAllowed(f"the unit has no {kind} hold")
    place = places[event.place_id] if event.place_id else None
    if rule.place is Place.SITE and place and place["site_id"] != snapshot.site_id:
        raise StepNotAllowed("the unit is at another site")
    destination = places.get(event.details.get("destination", ""))
    if rule.place is Place.TRANSIT and destination and destination["site_id"] == snapshot.site_id:
        raise StepNotAllowed("the unit is at that site already")


def _after(before: UnitSnapshot | None, event: ReplayedEvent, places: Places) -> UnitSnapshot:
    if before is None:
        return _commissioned(event, places)
    rule = LIFECYCLE[event.action]
    changed = _held(replace(before, status=rule.to or before.status), event)
    match rule.place:
        case Place.CUSTOMER:
            place = places[CUSTOMER]
        case Place.TRANSIT:
            place = places[IN_TRANSIT]
        case Place.SUPPLIER:
            place = places[SUPPLIER]
        case _:
            place = places[event.place_id or before.location_id]
    return replace(
        changed,
        location_id=place["id"],
        location_kind=place["kind"],
        site_id=place["site_id"],
        grade=event.details.get("grade", before.grade),
        disposition=str(
            disposition(
                changed.status,
                place["kind"],
                blocked=bool(changed.blocks),
                recalled=HoldKind.RECALL in changed.blocks,
            )
        ),
    )


def _commissioned(event: ReplayedEvent, places: Places) -> UnitSnapshot:
    assert event.place_id is not None  # the first event of a unit is its receipt, at a place
    place = places[event.place_id]
    shown = disposition(event.status, place["kind"], blocked=False, recalled=False)
    return UnitSnapshot(event.status, str(shown), place["id"], place["kind"], place["site_id"])


def _held(standing: UnitSnapshot, event: ReplayedEvent) -> UnitSnapshot:
    """Apply an event to the allocation and the blocks of a unit."""
    line, kind = event.details.get("line"), event.details.get("hold_kind", "")
    match event.action:
        case Action.ALLOCATE | Action.REALLOCATE:
            return replace(standing, promised=True, line=line)
        case Action.RELEASE | Action.LOSE | Action.REPORT_STOLEN if standing.promised:
            return replace(standing, promised=False, line=None)
        case Action.SHIP | Action.SELL | Action.COLLECT:
            line = line or standing.line
            return replace(standing, promised=False, line=line, sold_at=event.recorded_at)
        case Action.RESTOCK | Action.RECEIVE:
            return replace(standing, line=None, sold_at=None)
        case Action.HOLD:
            return replace(standing, blocks=standing.blocks | {kind})
        case Action.UNBLOCK:
            return replace(standing, blocks=standing.blocks - {kind})
        case Action.MERGE:
            return replace(standing, blocks=frozenset(), merged_into=event.details.get("into"))
        case Action.QUARANTINE:
            return replace(standing, blocks=standing.blocks | {str(HoldKind.QUALITY)})
    return standing
