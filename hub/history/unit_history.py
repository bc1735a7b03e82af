"""History of a unit in three views: as recorded, as corrected, or both."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypedDict

from hub import catalogue
from hub.history.replay import HistoryPlace, Places
from hub.ledger import event_views
from hub.storage.documents import document
from hub.storage.sql import Row, Transaction


class _PlaceName(TypedDict):
    id: str
    code: str
    name: str


class View(StrEnum):
    """View of a history."""

    RECORDED = "recorded"  # the events as recorded, without corrections
    CORRECTED = "corrected"  # the events that occurred, with their corrected values
    BOTH = "both"  # the events as recorded and their corrections, each with the ids of the other


def as_recorded(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the events of units as they were recorded, oldest first."""
    found = both(tx, unit_ids)
    return {
        unit_id: [row for row in rows if row["corrects"] is None] for unit_id, rows in found.items()
    }


def both(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return all events of units; `corrected_by` lists the ids of the corrections, newest last."""
    return {
        unit_id: _with_corrections(rows)
        for unit_id, rows in event_views.history(tx, unit_ids).items()
    }


def _with_corrections(rows: Sequence[Row]) -> list[Row]:
    corrected_by: dict[str, list[str]] = {row["id"]: [] for row in rows}
    for row in rows:
        if row["corrects"] is not None:
            corrected_by[row["corrects"]].append(row["id"])
    return [{**row, "corrected_by": corrected_by[row["id"]]} for row in rows]


def as_corrected(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the events of units that occurred, with their corrected values."""
    return {unit_id: _corrected(tx, rows) for unit_id, rows in both(tx, unit_ids).items()}


VIEWS = {View.RECORDED: as_recorded, View.CORRECTED: as_corrected, View.BOTH: both}


def _corrected(tx: Transaction, rows: list[Row]) -> list[Row]:
    newest = next((row for row in reversed(rows) if row["corrects"] is not None), None)
    if newest is None:
        return rows
    restated = {
        each["version"]: each for each in document(newest["details"]).get("as_corrected", [])
    }
    places = _named(tx, [each["location_to"] for each in restated.values() if each["occurred"]])
    corrected: list[Row] = []
    for row in rows:
        change = dict(restated.get(row["version"], {"occurred": True}))
        if row["corrects"] is not None or not change.pop("occurred"):
            continue
        shown = {**row, **change}
        if "location_to" in change:
            place = places[change["location_to"]]
            shown |= {"to_code": place["code"], "to_name": place["name"]}
        corrected.append({**shown, **(_after(corrected[-1]) if corrected else {})})
    return corrected


def _after(before: Row) -> Row:
    return {
        "status_from": before["status"],
        "disposition_from": before["disposition"],
        "location_from": before["location_to"],
        "from_code": before["to_code"],
        "from_name": before["to_name"],
    }


def _named(tx: Transaction, location_ids: Sequence[str]) -> dict[str, _PlaceName]:
    rows = tx.rows_as(
        _PlaceName,
        "SELECT id, code, name FROM location WHERE id IN (:ids...)",
        ids=sorted(set(location_ids)),
    )
    return {row["id"]: row for row in rows}


def places_of(tx: Transaction, rows: Sequence[Row], code: str | None = None) -> Places:
    """Return the places of a history and its corrections, by id and by code."""
    ids = {catalogue.CUSTOMER, catalogue.IN_TRANSIT, catalogue.SUPPLIER} | {
        row["location_to"] for row in rows
    }
    codes: set[str | None] = {code}
    for row in rows:
        details = document(row["details"])
        codes |= {details.get("destination"), details.get("restated", {}).get("location")}
    found = tx.rows_as(
        HistoryPlace,
        "SELECT id, code, name, kind, site_id FROM location "
        "WHERE id IN (:ids...) OR code IN (:codes...)",
        ids=sorted(ids),
        codes=sorted(each for each in codes if each),
    )
    return {row["id"]: row for row in found} | {row["code"]: row for row in found}
