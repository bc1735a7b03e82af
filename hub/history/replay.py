"""A history told again: the events of a unit as they were corrected, and where each one left it.

The events stay in the order in which the ledger holds them. The newest correction of an event
counts: what it declares not to have occurred is left out, what it restates replaces what was
recorded. Nothing here reads or writes a database.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson

from hub.catalogue import CUSTOMER, IN_TRANSIT
from hub.errors import ContradictsHistory, Refused, StepNotAllowed
from hub.ledger.holds import HoldKind
from hub.lifecycle import LIFECYCLE, Action, Place, Status, check, disposition
from hub.storage.sql import Row

# Whoever did these said where the unit is; a unit that is inspected may stay where it was.
PLACED = frozenset({
    Action.COMMISSION, Action.RECEIVE, Action.PUT_AWAY, Action.MOVE, Action.TRANSFER_IN,
    Action.ACCEPT_RETURN, Action.TAKE_IN, Action.FIND, Action.RELOCATE, Action.ENTER_KIT,
    Action.LEAVE_KIT, Action.FOLLOW_KIT,
})  # fmt: skip
INSPECTED = frozenset({Action.RESTOCK, Action.REPAIR, Action.QUARANTINE, Action.CONDEMN})


class Declaration(StrEnum):
    """What was wrong with an event: EPCIS's two reasons of an error declaration."""

    DID_NOT_OCCUR = "did_not_occur"
    INCORRECT_DATA = "incorrect_data"


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it is told now; `place_id` where it says where the unit was put."""

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
class Standing:
    """Where a unit stands after an event."""

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


Places = Mapping[str, Row]  # by id, and by code


def corrections(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Return the details of the newest correction of each corrected event, by its id."""
    return {
        row["corrects"]: orjson.loads(row["details"]) for row in rows if row["corrects"] is not None
    }


def tell(
    rows: Sequence[Row], corrected: Mapping[str, dict[str, Any]], places: Places
) -> list[Told]:
    """Tell a history with these corrections, by the id of the event that each corrects."""
    told = []
    for row in rows:
        correction = corrected.get(row["id"], {})
        left_out = correction.get("declaration") == Declaration.DID_NOT_OCCUR
        if row["corrects"] is None and not left_out:
            told.append(_told(row, correction.get("restated", {}), places))
    return told


def _told(row: Row, restated: dict[str, Any], places: Places) -> Told:
    action = Action(row["action"])
    moved = row["location_from"] != row["location_to"]
    placed = action in PLACED or (action in INSPECTED and moved)
    place_id = row["location_to"] if placed else None
    if "location" in restated:
        place_id = places[restated["location"]]["id"]
    shown = {**row, **restated}
    return Told(
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
        details=orjson.loads(row["details"]) if row["details"] else {},
    )


def fold(told: Iterable[Told], places: Places) -> dict[int, Standing]:
    """Return where each event left the unit, by the event's version."""
    standings: dict[int, Standing] = {}
    standing: Standing | None = None
    for event in told:
        standing = standings[event.version] = _after(standing, event, places)
    return standings


def contradict(before: Sequence[Told], after: Sequence[Told], places: Places) -> None:
    """Raise ContradictsHistory if a history that is told anew became impossible.

    An event that follows upon the same state as before is not looked at again: it was accepted.
    """
    accepted = {event.version: (event, standing) for event, standing in _entering(before, places)}
    for event, standing in _entering(after, places):
        if standing is None or accepted.get(event.version) == (event, standing):
            continue
        try:
            _possible(standing, event, places)
        except Refused as refusal:
            name = event.action.replace("_", " ")
            raise ContradictsHistory(
                f"event {event.version} ({name}) prevents it: {refusal}",
                prevented_by=event.id,
                action=str(event.action),
            ) from refusal


def _entering(told: Sequence[Told], places: Places) -> Iterator[tuple[Told, Standing | None]]:
    """Pair each event with where the unit stood when it came."""
    standing: Standing | None = None
    for event in told:
        yield event, standing
        standing = _after(standing, event, places)


def _possible(standing: Standing, event: Told, places: Places) -> None:
    """Refuse an event that can not follow upon a state."""
    promised, blocked = standing.promised, bool(standing.blocks)
    rule = check(event.action, standing.status, promised=promised, blocked=blocked)
    kind = event.details.get("hold_kind")
    if event.action is Action.HOLD and kind in standing.blocks:
        raise StepNotAllowed(f"the unit has a {kind} hold already")
    if event.action is Action.UNBLOCK and kind not in standing.blocks:
        raise StepNotAllowed(f"the unit has no {kind} hold")
    place = places[event.place_id] if event.place_id else None
    if rule.place is Place.SITE and place and place["site_id"] != standing.site_id:
        raise StepNotAllowed("the unit is at another site")
    destination = places.get(event.details.get("destination", ""))
    if rule.place is Place.TRANSIT and destination and destination["site_id"] == standing.site_id:
        raise StepNotAllowed("the unit is at that site already")


def _after(before: Standing | None, event: Told, places: Places) -> Standing:
    if before is None:
        return _born(event, places)
    rule = LIFECYCLE[event.action]
    changed = _held(replace(before, status=rule.to or before.status), event)
    match rule.place:
        case Place.CUSTOMER:
            place = places[CUSTOMER]
        case Place.TRANSIT:
            place = places[IN_TRANSIT]
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


def _born(event: Told, places: Places) -> Standing:
    assert event.place_id is not None  # the first event of a unit is its receipt, at a place
    place = places[event.place_id]
    shown = disposition(event.status, place["kind"], blocked=False, recalled=False)
    return Standing(event.status, str(shown), place["id"], place["kind"], place["site_id"])


def _held(standing: Standing, event: Told) -> Standing:
    """Place and release what the event does to promises and blocks."""
    line, kind = event.details.get("line"), event.details.get("hold_kind", "")
    match event.action:
        case Action.ALLOCATE:
            return replace(standing, promised=True, line=line)
        case Action.RELEASE | Action.LOSE | Action.REPORT_STOLEN if standing.promised:
            return replace(standing, promised=False, line=None)
        case Action.SHIP | Action.SELL | Action.COLLECT:
            line = line or standing.line
            return replace(standing, promised=False, line=line, sold_at=event.recorded_at)
        case Action.RESTOCK:
            return replace(standing, line=None, sold_at=None)
        case Action.HOLD:
            return replace(standing, blocks=standing.blocks | {kind})
        case Action.UNBLOCK:
            return replace(standing, blocks=standing.blocks - {kind})
        case Action.QUARANTINE:
            return replace(standing, blocks=standing.blocks | {str(HoldKind.QUALITY)})
    return standing
