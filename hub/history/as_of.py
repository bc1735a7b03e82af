"""The state of things at a past instant: one unit, the stock of a place, the trial balance.

Two times are told apart. *Occurred* is when something happened in the world, as corrected: a unit
stands at an instant where the newest of the events that had occurred by then left it, newest in
the order in which the ledger holds them. *Recorded* is when the ledger learned of it: a question
may be put to what was known at a time, and then events and corrections that were recorded later
are left out. A unit exists from the earliest of its events.
"""

from dataclasses import dataclass
from datetime import datetime

from hub.catalogue import reference
from hub.clock import micros
from hub.errors import InvalidInput
from hub.history.replay import Standing, corrections, fold, tell
from hub.history.unit_history import places_of
from hub.ledger import event_views
from hub.storage.paging import page_size
from hub.storage.sql import Row, Transaction

FOREVER = 2**62
LINES_MAX = 10_000  # of a trial balance

# What the newest correction of each unit tells otherwise, from its sealed details.
_RESTATED = {
    "sqlite": (
        "SELECT event.unit_id, json_extract(entry.value, '$.version') AS version, "
        "json_extract(entry.value, '$.occurred') AS occurred, "
        "json_extract(entry.value, '$.occurred_at') AS occurred_at, "
        "json_extract(entry.value, '$.status') AS status, "
        "json_extract(entry.value, '$.location_to') AS location_id FROM newest "
        "JOIN event ON event.unit_id = newest.unit_id AND event.version = newest.version, "
        "json_each(event.details, '$.as_corrected') AS entry"
    ),
    "postgresql": (
        "SELECT event.unit_id, (entry.value ->> 'version')::bigint AS version, "
        "(entry.value ->> 'occurred')::boolean::int AS occurred, "
        "(entry.value ->> 'occurred_at')::bigint AS occurred_at, "
        "entry.value ->> 'status' AS status, "
        "entry.value ->> 'location_to' AS location_id FROM newest "
        "JOIN event ON event.unit_id = newest.unit_id AND event.version = newest.version "
        "CROSS JOIN LATERAL jsonb_array_elements(event.details::jsonb -> 'as_corrected') AS entry"
    ),
}


@dataclass(frozen=True, slots=True)
class Stood:
    """Where a unit stood at an instant, after the event of that version."""

    version: int
    standing: Standing
    place: Row


def unit_as_of(
    tx: Transaction, unit_id: str, at: datetime, *, recorded_by: datetime | None = None
) -> Stood | None:
    """Return where a unit stood at an instant; None where it did not exist yet.

    By what is known now, or by what was known at `recorded_by`.
    """
    known = FOREVER if recorded_by is None else micros(recorded_by)
    rows = [
        row for row in event_views.history(tx, [unit_id])[unit_id] if row["recorded_at"] <= known
    ]
    places = places_of(tx, rows)
    told = tell(rows, corrections(rows), places)
    occurred = [event.version for event in told if event.occurred_at <= micros(at)]
    if not occurred:
        return None
    standing = fold(told, places)[occurred[-1]]
    return Stood(occurred[-1], standing, places[standing.location_id])


def stock_as_of(
    tx: Transaction,
    location: str,
    at: datetime,
    *,
    first: int,
    after: str | None = None,
    recorded_by: datetime | None = None,
) -> list[Row]:
    """Return the units that were at a place at an instant, one more than asked for."""
    place = reference(tx, "location", "code", location)
    return tx.rows(
        f"{standing(tx)}SELECT standing.unit_id AS id, standing.version, standing.status, "
        "standing.occurred_at AS since, unit.serial, product.sku FROM standing "
        "JOIN unit ON unit.id = standing.unit_id JOIN product ON product.id = unit.product_id "
        "WHERE standing.location_id = :place AND standing.unit_id > :after "
        "ORDER BY standing.unit_id LIMIT :limit",
        place=place["id"],
        after=after or "",
        limit=page_size(first) + 1,
        **times(at, recorded_by),
    )


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """How many units stood where, how: the counts add up to the units that existed."""

    existed: int
    lines: tuple[Row, ...]  # sku, location, location_name, status, units

    @property
    def adds_up(self) -> bool:
        """Say whether every unit that existed is counted once."""
        return self.existed == sum(int(line["units"]) for line in self.lines)


def trial_balance(
    tx: Transaction,
    at: datetime,
    *,
    sku: str | None = None,
    recorded_by: datetime | None = None,
) -> TrialBalance:
    """Count the units of each product, place and status at an instant.

    The number of units that existed is counted by itself, from the beginnings of their histories.
    """
    only = "AND product.sku = :sku " if sku is not None else ""
    values = times(at, recorded_by) | ({} if sku is None else {"sku": sku})
    lines = tx.rows(
        f"{standing(tx)}SELECT product.sku, location.code AS location, "
        "location.name AS location_name, standing.status, COUNT(*) AS units FROM standing "
        "JOIN unit ON unit.id = standing.unit_id JOIN product ON product.id = unit.product_id "
        f"JOIN location ON location.id = standing.location_id WHERE 1 = 1 {only}"
        "GROUP BY product.sku, location.code, location.name, standing.status "
        "ORDER BY product.sku, location.code, standing.status LIMIT :limit",
        limit=LINES_MAX + 1,
        **values,
    )
    if len(lines) > LINES_MAX:
        raise InvalidInput(f"more than {LINES_MAX} lines: name a product", field="sku")
    existed = tx.value(
        f"{_told(tx)}SELECT COUNT(DISTINCT told.unit_id) FROM told "
        "JOIN unit ON unit.id = told.unit_id JOIN product ON product.id = unit.product_id "
        f"WHERE told.occurred_at <= :at {only}",
        **values,
    )
    return TrialBalance(existed, tuple(lines))


def times(at: datetime, recorded_by: datetime | None) -> dict[str, int]:
    """Return the values of a statement that begins with `standing`."""
    known = FOREVER if recorded_by is None else micros(recorded_by)
    return {"at": micros(at), "known": known}


def _told(tx: Transaction) -> str:
    """Begin a statement with `told`: the events as corrected, by what was known then."""
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
    """Begin a statement with `standing`: where each unit stood, after which event."""
    return (
        f"{_told(tx)}, ranked AS (SELECT told.*, "
        "ROW_NUMBER() OVER (PARTITION BY unit_id ORDER BY version DESC) AS from_end "
        "FROM told WHERE occurred_at <= :at), "
        "standing AS (SELECT * FROM ranked WHERE from_end = 1) "
    )
