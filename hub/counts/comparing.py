"""Comparison of a count with the ledger, serial by serial."""

from collections.abc import Iterable
from typing import Any, TypedDict

import orjson

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.counts.counting import EXPECTED, PRESENT, Kind, live, matches, scope
from hub.counts.rows import CountedUnit, PlacedCount, PlacedScan
from hub.lifecycle import Action, Status
from hub.storage.sql import Transaction

# Actions that involve no sight of the unit.
UNSEEN = (
    Action.ALLOCATE, Action.REALLOCATE, Action.RELEASE, Action.HOLD, Action.UNBLOCK, Action.LOSE,
    Action.REPORT_STOLEN, Action.FOLLOW_KIT, Action.ACTIVATE, Action.CHANGE_OWNER, Action.SENSE,
    Action.ANNOTATE, Action.REIDENTIFY, Action.MERGE, Action.ABSORB, Action.CORRECT,
)  # fmt: skip
RESULT_COLUMNS = (
    "id", "count_id", "subject", "identifier", "unit_id", "kind", "expected_at", "found_at",
    "evidence", "state",
)  # fmt: skip


class _KindCount(TypedDict):
    kind: str
    serials: int


class _Move(TypedDict):
    unit_id: str
    status_from: str | None
    status: str
    location_from: str | None
    location_to: str
    site_from: str | None
    site_to: str


class _LastSeen(TypedDict):
    unit_id: str
    action: str
    actor: str
    occurred_at: int
    code: str


class _Promise(TypedDict):
    unit_id: str
    reference: str | None


class _ReadAt(TypedDict):
    identifier: str
    location_id: str | None


class _Subject(TypedDict):
    subject: str


Moves = dict[str, list[_Move]]


def _units(tx: Transaction, where: str, **values: Any) -> list[CountedUnit]:
    return tx.rows_as(
        CountedUnit,
        "SELECT unit.id, unit.serial, unit.status, unit.version, unit.product_id, "
        "unit.location_id, location.site_id AS location_site_id, product.category, product.value "
        "FROM unit JOIN product ON product.id = unit.product_id "
        f"JOIN location ON location.id = unit.location_id {where}ORDER BY unit.id",
        **values,
    )


def compare(tx: Transaction, context: CommandContext, ref: str) -> dict[str, int]:
    """Compare a count with the ledger; return the number of serials of each kind.

    It can be repeated: adjusted results stay, all others are replaced.
    """
    count = live(tx, ref)
    scans = _scans(tx, count)
    wanted = scope(count)
    wanted.add("unit.status IN (:statuses...)", statuses=list(EXPECTED))
    expected = _units(tx, wanted.where(), **wanted.values)
    read = {row["unit_id"] for rows in scans.values() for row in rows if row["unit_id"]}
    units = {row["id"]: row for row in _units(tx, "WHERE unit.id IN (:ids...) ", ids=[*read])}
    moves = _moves(tx, {*units, *(row["id"] for row in expected)}, count["opened_at"])
    found = [
        result
        for subject, rows in scans.items()
        if (result := _seen(count, subject, rows, units, moves)) is not None
    ]
    absent = [unit for unit in expected if unit["id"] not in read and not _came(unit, moves)]
    found += _missing(tx, absent)
    _write(tx, count, found)
    tx.run(
        "UPDATE stock_count SET state = 'compared', compared_at = :now WHERE id = :id",
        now=micros(context.now),
        id=count["id"],
    )
    counted = tx.rows_as(
        _KindCount,
        "SELECT kind, COUNT(*) AS serials FROM count_result WHERE count_id = :count GROUP BY kind",
        count=count["id"],
    )
    return {str(kind): 0 for kind in Kind} | {row["kind"]: row["serials"] for row in counted}


def _scans(tx: Transaction, count: PlacedCount) -> dict[str, list[PlacedScan]]:
    """Return the scans of a count by subject, the newest last."""
    rows = tx.rows_as(
        PlacedScan,
        "SELECT count_scan.*, location.code FROM count_scan "
        "JOIN location ON location.id = count_scan.location_id "
        "WHERE count_id = :count ORDER BY scanned_at, count_scan.id",
        count=count["id"],
    )
    found: dict[str, list[PlacedScan]] = {}
    for row in rows:
        found.setdefault(row["subject"], []).append(row)
    return found


def _moves(tx: Transaction, unit_ids: Iterable[str], since: int) -> Moves:
    """Return the events since a time that changed the place or the status of units."""
    rows = tx.rows_as(
        _Move,
        "SELECT event.unit_id, event.status_from, event.status, event.location_from, "
        "event.location_to, place_from.site_id AS site_from, place_to.site_id AS site_to "
        "FROM event LEFT JOIN location AS place_from ON place_from.id = event.location_from "
        "JOIN location AS place_to ON place_to.id = event.location_to "
        "WHERE event.unit_id IN (:ids...) AND event.recorded_at > :since "
        "AND (COALESCE(event.status_from, '') <> event.status "
        "OR COALESCE(event.location_from, '') <> event.location_to)",
        ids=sorted(unit_ids),
        since=since,
    )
    found: Moves = {}
    for row in rows:
        found.setdefault(row["unit_id"], []).append(row)
    return found


def _came(unit: CountedUnit, moves: Moves) -> bool:
    """Return whether a unit came to its place after the count was opened."""
    return any(
        row["location_from"] != row["location_to"] or row["status_from"] not in PRESENT
        for row in moves.get(unit["id"], ())
    )


def _was_there(row: PlacedScan, unit: CountedUnit, moves: Moves) -> bool:
    """Return whether the ledger has, or had since the opening, a unit where it was read."""
    if unit["status"] in PRESENT and matches(row["location_id"], unit):
        return True
    for move in moves.get(unit["id"], ()):
        before = (move["status_from"], move["location_from"], move["site_from"])
        after = (move["status"], move["location_to"], move["site_to"])
        for status, location_id, site_id in (before, after):
            if status in PRESENT and row["location_id"] in {location_id, site_id}:
                return True
    return False


def _seen(
    count: PlacedCount,
    subject: str,
    rows: list[PlacedScan],
    units: dict[str, CountedUnit],
    moves: Moves,
) -> tuple[Any, ...] | None:
    """Return the result of one serial that was read; None if it is outside the count."""
    newest = rows[-1]
    unit = units.get(newest["unit_id"] or "")
    evidence: dict[str, Any] = {
        "scans": [
            {"location": row["code"], "counter": row["counter"], "at": row["scanned_at"]}
            for row in rows
        ]
    }
    if unit is None:
        evidence["product"] = newest["product_id"] or count["product_id"]
        return _result(Kind.UNEXPECTED, subject, newest, None, evidence)
    evidence |= {"status": unit["status"], "version": unit["version"], "serial": unit["serial"]}
    astray = [row for row in rows if not _was_there(row, unit, moves)]
    if not astray:
        asked = _asked_for(count, unit)
        return _result(Kind.CONFIRMED, subject, newest, unit, evidence) if asked else None
    if unit["status"] not in PRESENT:
        return _result(Kind.UNEXPECTED, subject, astray[-1], unit, evidence)
    if len(rows) > 1:
        evidence["conflict"] = True
    return _result(Kind.MISPLACED, subject, astray[-1], unit, evidence)


def _asked_for(count: PlacedCount, unit: CountedUnit) -> bool:
    product = count["product_id"] in {None, unit["product_id"]}
    category = count["category"] in {None, unit["category"]}
    worth = count["value_from"] is None or (unit["value"] or 0) >= count["value_from"]
    return product and category and worth


def _missing(tx: Transaction, units: list[CountedUnit]) -> list[tuple[Any, ...]]:
    """Return the results of units that were not seen, with their last sight and allocation."""
    ids = [unit["id"] for unit in units]
    last = {
        row["unit_id"]: row
        for row in tx.rows_as(
            _LastSeen,
            "SELECT unit_id, action, actor, occurred_at, code FROM ("
            "SELECT event.unit_id, event.action, event.actor, event.occurred_at, location.code, "
            "ROW_NUMBER() OVER (PARTITION BY event.unit_id ORDER BY event.version DESC) AS newest "
            "FROM event JOIN location ON location.id = event.location_to "
            "WHERE event.unit_id IN (:ids...) AND NOT event.action IN (:unseen...)"
            ") AS numbered WHERE newest = 1",
            ids=ids,
            unseen=[str(action) for action in UNSEEN],
        )
    }
    promised = {
        row["unit_id"]: row["reference"] or "a buyer"
        for row in tx.rows_as(
            _Promise,
            "SELECT unit_id, reference FROM hold WHERE unit_id IN (:ids...) AND kind = 'sale' "
            "AND released_at IS NULL",
            ids=ids,
        )
    }
    found = []
    for unit in units:
        seen = last[unit["id"]]
        evidence = {
            "status": unit["status"],
            "version": unit["version"],
            "serial": unit["serial"],
            "last_seen": {
                "at": seen["occurred_at"],
                "location": seen["code"],
                "by": seen["actor"],
                "action": seen["action"],
            },
            "promised_to": promised.get(unit["id"]),
        }
        row: _ReadAt = {"identifier": unit["serial"], "location_id": None}
        found.append(_result(Kind.MISSING, unit["id"], row, unit, evidence))
    return found


def _result(
    kind: Kind,
    subject: str,
    row: PlacedScan | _ReadAt,
    unit: CountedUnit | None,
    evidence: dict[str, Any],
) -> tuple[Any, ...]:
    present = unit is not None and (unit["status"] in PRESENT or unit["status"] == Status.MISSING)
    return (
        subject,
        row["identifier"],
        unit["id"] if unit else None,
        str(kind),
        unit["location_id"] if unit and present else None,
        row["location_id"],
        orjson.dumps(evidence).decode(),
    )


def _write(tx: Transaction, count: PlacedCount, found: list[tuple[Any, ...]]) -> None:
    tx.run("DELETE FROM count_result WHERE count_id = :count AND state = 'open'", count=count["id"])
    settled = {
        row["subject"]
        for row in tx.rows_as(
            _Subject, "SELECT subject FROM count_result WHERE count_id = :count", count=count["id"]
        )
    }
    tx.insert(
        "count_result",
        RESULT_COLUMNS,
        [(new_id(), count["id"], *result, "open") for result in found if result[0] not in settled],
    )
