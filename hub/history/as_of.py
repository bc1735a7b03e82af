"""State at a past instant: of one unit, of the stock of a place, and as a trial balance.

There are two times. *Occurred* is the time of an event in the world, as corrected: the state of a
unit at an instant is that after its newest event, in ledger order, that had occurred by then.
*Recorded* is the time at which the ledger stored it: a query may ask for the knowledge of a time,
and then excludes events and corrections that were recorded later. A unit exists from the earliest
of its events.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from hub.catalogue import reference
from hub.clock import micros
from hub.errors import InvalidInput
from hub.history.replay import UnitSnapshot, corrections, fold, replay
from hub.history.unit_history import places_of
from hub.ledger import event_views
from hub.storage.paging import page_size
from hub.storage.sql import Row, Transaction

FOREVER = 2**62
LINES_MAX = 10_000  # of a trial balance

# The corrected values of the newest correction of each unit, from its sealed details.
_RESTATED = {
    "sqlite": (
        "SELECT event.unit_id, json_extract(entry.value, '$.version') AS version, "
        "json_extract(entry.value, '$.occurred') AS occurred, "
        "json_extract(entry.value, '$.occurred_at') AS occurred_at, "
        "json_extract(entry.value, '$.status') AS status, "
        "json_extract(entry.value, '$.location_to') AS location_id FROM newest "
        "JOIN event ON event.unit_id = newest.unit_id AND event.version = newest.version, "
        "json_each(CASE WHEN json_valid(event.details) THEN event.details ELSE '{}' END, "
        "'$.as_corrected') AS entry"
    ),
    "postgresql": (
        "SELECT event.unit_id, (entry.value ->> 'version')::bigint AS version, "
        "(entry.value ->> 'occurred')::boolean::int AS occurred, "
        "(entry.value ->> 'occurred_at')::bigint AS occurred_at, "
        "entry.value ->> 'status' AS status, "
        "entry.value ->> 'location_to' AS location_id FROM newest "
        "JOIN event ON event.unit_id = newest.unit_id AND event.version = newest.version "
        "CROSS JOIN LATERAL jsonb_array_elements("
        "CASE WHEN pg_input_is_valid(event.details, 'jsonb') "
        "THEN event.details::jsonb -> 'as_corrected' END) AS entry"
    ),
}


@dataclass(frozen=True, slots=True)
class Stood:
    """State of a unit at an instant, after the event of that version."""

    version: int
    standing: UnitSnapshot
    place: Row


class PastStockRow(TypedDict):
    """A unit at a place, since the time of its newest event by then."""

    id: str
    version: int
    status: str
    since: int
    serial: str
    sku: str


class TrialBalanceLine(TypedDict):
    """Number of units of a product at a place in a status."""

    sku: str
    location: str
    location_name: str
    status: str
    units: int


def unit_as_of(
    tx: Transaction, unit_id: str, at: datetime, *, recorded_by: datetime | None = None
) -> Stood | None:
    """Return the state of a unit at an instant; None if it did not exist yet.

    By the current knowledge, or by that at `recorded_by`.
    """
    known = FOREVER if recorded_by is None else micros(recorded_by)
    rows = [
        row for row in event_views.history(tx, [unit_id])[unit_id] if row["recorded_at"] <= known
    ]
    places = places_of(tx, rows)
    events = replay(rows, corrections(rows), places)
    occurred = [event.version for event in events if event.occurred_at <= micros(at)]
    if not occurred:
        return None
    standing = fold(events, places)[occurred[-1]]
    return Stood(occurred[-1], standing, places[standing.location_id])


def stock_as_of(
    tx: Transaction,
    location: str,
    at: datetime,
    *,
    first: int,
    after: str | None = None,
    recorded_by: datetime | None = None,
) -> list[PastStockRow]:
    """Return the units that were at a place at an instant, one more than `first`."""
    place = reference(tx, "location", "code", location)
    return tx.rows_as(
        PastStockRow,
        f"{standing(tx)}SELECT standing.unit_id AS id, standing.version, standing.status, "
        f"standing.occurred_at AS since, {_called(tx, 'serial', recorded_by)} AS serial, "
        "product.sku FROM standing JOIN unit ON unit.id = standing.unit_id "
        f"JOIN product ON product.id = {_called(tx, 'product', recorded_by)} "
        "WHERE standing.location_id = :place AND standing.status <> 'merged' "
        "AND standing.unit_id > :after "
        "ORDER BY standing.unit_id LIMIT :limit",
        place=place["id"],
        after=after or "",
        limit=page_size(first) + 1,
        **times(at, recorded_by),
    )


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Units by product, place and status; the counts add up to the units that existed."""

    existed: int
    lines: tuple[Row, ...]  # TrialBalanceLine

    @property
    def adds_up(self) -> bool:
        """Return whether every unit that existed is counted once."""
        return self.existed == sum(int(line["units"]) for line in self.lines)


def trial_balance(
    tx: Transaction,
    at: datetime,
    *,
    sku: str | None = None,
    recorded_by: datetime | None = None,
) -> TrialBalance:
    """Count the units of each product, place and status at an instant.

    The number of units that existed is counted independently, from the starts of their histories.
    Raises InvalidInput for more than LINES_MAX lines.
    """
    only = "AND product.sku = :sku " if sku is not None else ""
    values = times(at, recorded_by) | ({} if sku is None else {"sku": sku})
    lines = tx.rows_as(
        TrialBalanceLine,
        f"{standing(tx)}SELECT product.sku, location.code AS location, "
        "location.name AS location_name, standing.status, COUNT(*) AS units FROM standing "
        "JOIN unit ON unit.id = standing.unit_id "
        f"JOIN product ON product.id = {_called(tx, 'product', recorded_by)} "
        "JOIN location ON location.id = standing.location_id "
        f"WHERE standing.status <> 'merged' {only}"
        "GROUP BY product.sku, location.code, location.name, standing.status "
        "ORDER BY product.sku, location.code, standing.status LIMIT :limit",
        limit=LINES_MAX + 1,
        **values,
    )
    if len(lines) > LINES_MAX:
        raise InvalidInput(f"more than {LINES_MAX} lines: name a product", field="sku")
    existed = tx.value(
        f"{_told(tx)}SELECT COUNT(DISTINCT told.unit_id) "
        "- COUNT(DISTINCT CASE WHEN told.status = 'merged' THEN told.unit_id END) FROM told "
        "JOIN unit ON unit.id = told.unit_id "
        f"JOIN product ON product.id = {_called(tx, 'product', recorded_by)} "
        f"WHERE told.occurred_at <= :at {only}",
        **values,
    )
    return TrialBalance(existed, tuple(lines))


def times(at: datetime, recorded_by: datetime | None) -> dict[str, int]:
    """Return the values of a statement that begins with `standing`."""
    known = FOREVER if recorded_by is None else micros(recorded_by)
    return {"at": micros(at), "known": known}


def _called(tx: Transaction, what: str, recorded_by: datetime | None) -> str:
    """Return the SQL of what a unit was called by the knowledge of then: a serial or product id.

    The first identity that was put right later states what it was before.
    """
    column = {"serial": "unit.serial", "product": "unit.product_id"}[what]
    if recorded_by is None:
        return column
    was = {
        "sqlite": "CASE WHEN json_valid(event.details) "
        f"THEN json_extract(event.details, '$.was.{what}') END",
        "postgresql": "CASE WHEN pg_input_is_valid(event.details, 'jsonb') "
        f"THEN event.details::jsonb -> 'was' ->> '{what}' END",
    }[tx.dialect]
    return (
        f"COALESCE((SELECT {was} FROM event WHERE event.unit_id = unit.id "
        "AND event.action = 'reidentify' AND event.recorded_at > :known "
        f"ORDER BY event.version LIMIT 1), {column})"
    )


def _told(tx: Transaction) -> str:
    """Return the start of a statement: `told`, the corrected events, by the knowledge of then."""
    return (
        "WITH newest AS (SELECT unit_id, MAX(version) AS version FROM event "
        "WHERE corrects IS NOT NULL AND recorded_at <= :known GROUP BY unit_id), "
        f"restated AS ({_RESTATED[tx.dialect]}), "
        "told AS (SELECT event.unit_id, event.version, "
        "COALESCE(restated.occurred_at, event.occurred_at) AS occurred_at, "
        "COALESCE(restated.status, event.status) AS status, "
        "COALESCE(restated.location_id, event.location_to) AS location_id FROM event "
        "LEFT JOIN restated ON restated.unit_id = event.unit_id "
        "AND restated.version = event.version WHERE event.corrects IS NULL "
        "AND event.recorded_at <= :known AND COALESCE(restated.occurred, 1) = 1) "
    )


def standing(tx: Transaction) -> str:
    """Return the start of a statement: `standing`, the state of each unit at an instant."""
    return (
        f"{_told(tx)}, ranked AS (SELECT told.*, "
        "ROW_NUMBER() OVER (PARTITION BY unit_id ORDER BY version DESC) AS from_end "
        "FROM told WHERE occurred_at <= :at), "
        "standing AS (SELECT * FROM ranked WHERE from_end = 1) "
    )
