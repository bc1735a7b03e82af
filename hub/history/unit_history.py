"""A unit's history in three views, and the state of things at any past instant.

Two times are told apart. *Occurred* is when something happened in the world, as corrected; a unit
stands at an instant where the newest event that had occurred by then left it, newest in the order
in which the ledger holds them. *Recorded* is when the ledger learned of it: a question may be put
to what was known at a time, events and corrections recorded later left out. A unit exists from the
earliest of its events.
"""

from collections.abc import Sequence
from enum import StrEnum

import orjson

from hub import catalogue
from hub.history.replay import Places
from hub.ledger import event_views
from hub.storage.sql import Row, Transaction


class View(StrEnum):
    """What of a history is shown."""

    RECORDED = "recorded"  # what was recorded, mistakes and all, without the corrections
    CORRECTED = "corrected"  # what is held true now: nothing that did not occur, data as restated
    BOTH = "both"  # what was recorded, and the corrections beside it, each naming the other


def as_recorded(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the events of units as they were recorded, oldest first."""
    found = both(tx, unit_ids)
    return {
        unit_id: [row for row in rows if row["corrects"] is None] for unit_id, rows in found.items()
    }


def both(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return all events of units; `corrected_by` lists the corrections of each, newest last."""
    return {
        unit_id: _with_corrections(rows)
        for unit_id, rows in event_views.history(tx, unit_ids).items()
    }


def _with_corrections(rows: list[Row]) -> list[Row]:
    corrected_by: dict[str, list[str]] = {row["id"]: [] for row in rows}
    for row in rows:
        if row["corrects"] is not None:
            corrected_by[row["corrects"]].append(row["id"])
    return [{**row, "corrected_by": corrected_by[row["id"]]} for row in rows]


def as_corrected(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the events of units that occurred, with what was restated in its place."""
    return {unit_id: _corrected(tx, rows) for unit_id, rows in both(tx, unit_ids).items()}


VIEWS = {View.RECORDED: as_recorded, View.CORRECTED: as_corrected, View.BOTH: both}


def _corrected(tx: Transaction, rows: list[Row]) -> list[Row]:
    newest = next((row for row in reversed(rows) if row["corrects"] is not None), None)
    if newest is None:
        return rows
    restated = {each["version"]: each for each in orjson.loads(newest["details"])["as_corrected"]}
    places = _named(tx, [each["location_to"] for each in restated.values() if each["occurred"]])
    told: list[Row] = []
    for row in rows:
        change = dict(restated.get(row["version"], {"occurred": True}))
        if row["corrects"] is not None or not change.pop("occurred"):
            continue
        shown = {**row, **change}
        if "location_to" in change:
            place = places[change["location_to"]]
            shown |= {"to_code": place["code"], "to_name": place["name"]}
        told.append({**shown, **(_after(told[-1]) if told else {})})
    return told


def _after(before: Row) -> Row:
    return {
        "status_from": before["status"],
        "disposition_from": before["disposition"],
        "location_from": before["location_to"],
        "from_code": before["to_code"],
        "from_name": before["to_name"],
    }


def _named(tx: Transaction, location_ids: Sequence[str]) -> dict[str, Row]:
    rows = tx.rows(
        "SELECT id, code, name FROM location WHERE id IN (:ids...)", ids=sorted(set(location_ids))
    )
    return {row["id"]: row for row in rows}


def places_of(tx: Transaction, rows: Sequence[Row], code: str | None = None) -> Places:
    """Return the places that a history and its corrections name, by id and by code."""
    ids = {catalogue.CUSTOMER, catalogue.IN_TRANSIT} | {row["location_to"] for row in rows}
    codes: set[str | None] = {code}
    for row in rows:
        details = orjson.loads(row["details"]) if row["details"] else {}
        codes |= {details.get("destination"), details.get("restated", {}).get("location")}
    found = tx.rows(
        "SELECT id, code, name, kind, site_id FROM location "
        "WHERE id IN (:ids...) OR code IN (:codes...)",
        ids=sorted(ids),
        codes=sorted(each for each in codes if each),
    )
    return {row["id"]: row for row in found} | {row["code"]: row for row in found}
