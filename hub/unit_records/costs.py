"""Costs of units, and valuation of the stock at any instant.

A line is never changed; a reversal is a line with the negative amount that names the reversed one.
Amounts are whole numbers of the minor unit of a currency (ISO 4217: cents, pence, yen).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

from hub.catalogue import CURRENCY, OUTSIDE_KINDS, LocationKind
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, Refused, StepNotAllowed, UnknownReference
from hub.history import as_of
from hub.ledger import event_views
from hub.ledger.event_writer import bounded
from hub.ledger.units import Scan, identify
from hub.lifecycle import Action, Status
from hub.storage.rows import EventRow, UnitCostRow
from hub.storage.sql import Row, Transaction

AMOUNT_MAX = 10**12
# Actions that accounting follows.
BOOKED = (
    Action.RECEIVE, Action.SELL, Action.SHIP, Action.COLLECT, Action.ACCEPT_RETURN,
    Action.WRITE_OFF, Action.RETURN_TO_SUPPLIER, Action.LOSE, Action.REPORT_STOLEN,
    Action.FIND, Action.CORRECT, Action.MERGE,
)  # fmt: skip
# Statuses outside our stock; a lost unit counts until it is written off.
NOT_ON_HAND = (
    Status.EXPECTED,
    Status.SHIPPED,
    Status.SOLD,
    Status.AT_SUPPLIER,
    Status.WRITTEN_OFF,
    Status.MERGED,
)


class CostKind(StrEnum):
    """Kind of a cost."""

    ACQUISITION = "acquisition"
    FREIGHT = "freight"
    DUTY = "duty"
    REPAIR = "repair"
    STORAGE = "storage"
    OTHER = "other"


class By(StrEnum):
    """Dimension of a valuation."""

    PRODUCT = "product"
    LOCATION = "location"
    CLIENT = "client"


class BookedEvent(EventRow):
    """An event with its unit's serial and SKU, and the codes of its places."""

    serial: str
    sku: str
    from_code: str | None
    to_code: str


class BookedCost(BookedEvent):
    """An event for accounting with the costs of its unit up to then, by currency."""

    costs: dict[str, int]


class _BorneCost(UnitCostRow):
    bearer_id: str


class _CountedPart(TypedDict):
    part: str
    units: int
    uncosted: int


class _PaidPart(TypedDict):
    part: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Cost:
    """A cost of one unit; `amount` in the minor unit of `currency`, 0 for what was given."""

    scan: Scan
    kind: CostKind
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Worth:
    """Units of one part of the stock and their cost in one currency (None: no cost recorded)."""

    key: str
    units: int
    currency: str | None
    amount: int


@dataclass(frozen=True, slots=True)
class Valuation:
    """Stock at an instant; a part with costs in two currencies has two lines."""

    units: int
    uncosted: int  # units whose acquisition was never recorded
    lines: tuple[Worth, ...]


def record(tx: Transaction, context: CommandContext, costs: Sequence[Cost]) -> list[str | Refused]:
    """Record costs; return the id of each line or its refusal, in order."""
    bounded(costs)
    known = identify(tx, [each.scan for each in costs])
    results: list[str | Refused] = []
    rows = []
    for cost, unit in zip(costs, known, strict=True):
        try:
            if isinstance(unit, Refused):
                raise unit
            _validate(cost)
        except Refused as refusal:
            results.append(refusal)
            continue
        results.append(new_id())
        rows.append((results[-1], unit["id"], str(cost.kind), cost.amount, cost.currency, None))
    _write(tx, context, rows)
    return results


def reverse(tx: Transaction, context: CommandContext, cost_id: str) -> str:
    """Reverse a line by one with the negative amount; return the new line's id.

    Raises UnknownReference for an unknown line, StepNotAllowed for a reversed or reversing one.
    """
    line = tx.row_as(UnitCostRow, "SELECT * FROM unit_cost WHERE id = :id FOR UPDATE", id=cost_id)
    if line is None:
        raise UnknownReference(f"there is no cost {cost_id!r}", field="costId")
    taken = tx.value("SELECT id FROM unit_cost WHERE takes_back = :id", id=cost_id)
    if taken is not None or line["takes_back"] is not None:
        raise StepNotAllowed("the cost was reversed already", allowed=[])
    own_id = new_id()
    row = (own_id, line["unit_id"], line["kind"], -line["amount"], line["currency"], cost_id)
    _write(tx, context, [row])
    return own_id


def _validate(cost: Cost) -> None:
    if not 0 <= cost.amount <= AMOUNT_MAX:
        raise InvalidInput(f"an amount is 0 to {AMOUNT_MAX}", field="amount")
    if not CURRENCY.fullmatch(cost.currency):
        raise InvalidInput("a currency is three letters of ISO 4217", field="currency")


def _write(
    tx: Transaction,
    context: CommandContext,
    rows: Sequence[tuple[object, ...]],
) -> None:
    document = context.document
    common = (
        document.type if document else None,
        document.ref if document else None,
        context.actor,
        micros(context.occurred_at or context.now),
        micros(context.now),
    )
    names = (
        "id", "unit_id", "kind", "amount", "currency", "takes_back", "document_type",
        "document_ref", "actor", "occurred_at", "recorded_at",
    )  # fmt: skip
    tx.insert("unit_cost", names, [(*row, *common) for row in rows])


def of_units(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the cost lines of units, in the order of recording."""
    found: dict[str, list[Row]] = {unit_id: [] for unit_id in unit_ids}
    for row in tx.rows_as(
        UnitCostRow,
        "SELECT * FROM unit_cost WHERE unit_id IN (:ids...) ORDER BY recorded_at, id",
        ids=list(unit_ids),
    ):
        found[row["unit_id"]].append(row)
    return found


def borne(tx: Transaction, unit_ids: Sequence[str], at: int) -> dict[str, list[Row]]:
    """Return the cost lines that count for units at an instant, in microseconds.

    They are those of the units up to then, and those of merged records as a valuation counts them.
    """
    found: dict[str, list[Row]] = {unit_id: [] for unit_id in unit_ids}
    for row in tx.rows_as(
        _BorneCost,
        f"WITH inside AS (SELECT id AS unit_id FROM unit WHERE id IN (:ids...)), {_bearing('')} "
        "SELECT unit_cost.*, bearing.unit_id AS bearer_id FROM unit_cost JOIN bearing "
        "ON bearing.record_id = unit_cost.unit_id WHERE unit_cost.occurred_at <= :at "
        f"AND {_COUNTS} ORDER BY unit_cost.recorded_at, unit_cost.id",
        ids=list(unit_ids),
        at=at,
    ):
        found[row["bearer_id"]].append(row)
    return found


def valuation(tx: Transaction, at: datetime, by: By, *, client: str | None = None) -> Valuation:
    """Value the stock at an instant, by the current knowledge.

    The units are those of the trial balance at that instant, in one of our places or between two of
    them, and not written off. With the id of a client: the units that it owned then, with the costs
    since it owned them.
    """
    key = {By.PRODUCT: "product.sku", By.LOCATION: "location.code", By.CLIENT: "client.code"}[by]
    own, since, paid_since = _own(client)
    inside = (
        f"{as_of.standing(tx)}, inside AS (SELECT standing.unit_id, "
        f"COALESCE({key}, '') AS part{since} "
        "FROM standing JOIN unit ON unit.id = standing.unit_id "
        "JOIN product ON product.id = unit.product_id "
        "JOIN location ON location.id = standing.location_id "
        "LEFT JOIN client ON client.id = unit.client_id "
        "WHERE NOT standing.status IN (:outside...) AND NOT location.kind IN (:kinds...)"
        f"{own}), "
        f"{_bearing(since)}, paid AS (SELECT bearing.unit_id, unit_cost.id, unit_cost.kind, "
        "unit_cost.amount, unit_cost.currency, unit_cost.takes_back FROM unit_cost JOIN bearing "
        "ON bearing.record_id = unit_cost.unit_id WHERE unit_cost.occurred_at <= :at "
        f"AND {_COUNTS}{paid_since}) "
    )
    away = [str(kind) for kind in OUTSIDE_KINDS if kind is not LocationKind.IN_TRANSIT]
    values: dict[str, Any] = as_of.times(at, None) | {
        "outside": [str(status) for status in NOT_ON_HAND],
        "kinds": away,
    }
    if client is not None:
        values["client"] = client
    counted = _counted(tx, inside, values)
    sums: dict[str, list[_PaidPart]] = {}
    for row in tx.rows_as(
        _PaidPart,
        f"{inside}SELECT inside.part, paid.currency, SUM(paid.amount) AS amount FROM inside "
        "JOIN paid ON paid.unit_id = inside.unit_id "
        "GROUP BY inside.part, paid.currency ORDER BY inside.part, paid.currency",
        **values,
    ):
        sums.setdefault(row["part"], []).append(row)
    lines = [
        worth
        for row in counted
        for worth in _worth(row["part"], row["units"], sums.get(row["part"], []))
    ]
    return Valuation(
        sum(row["units"] for row in counted),
        sum(int(row["uncosted"]) for row in counted),
        tuple(lines),
    )


def _worth(part: str, units: int, sums: Sequence[_PaidPart]) -> list[Worth]:
    """Return what the units of a part cost, by currency; one line without costs, too."""
    paid = [Worth(part, units, each["currency"], int(each["amount"])) for each in sums]
    return paid or [Worth(part, units, None, 0)]


# Of a merged record count the costs of the kinds of which the unit has none in force itself, nor a
# record that it absorbed before: one unit was bought once.
_COUNTS = (
    "(bearing.record_id = bearing.unit_id OR NOT EXISTS (SELECT 1 FROM unit_cost AS own "
    "JOIN unit AS record ON record.id = own.unit_id WHERE (record.id = bearing.unit_id "
    "OR record.merged_into = bearing.unit_id AND record.id < bearing.record_id) "
    "AND own.kind = unit_cost.kind AND own.takes_back IS NULL AND own.occurred_at <= :at "
    "AND NOT EXISTS (SELECT 1 FROM unit_cost AS reversal WHERE reversal.takes_back = own.id)))"
)
_MERGED_BY = (
    "EXISTS (SELECT 1 FROM event WHERE event.unit_id = merged.id AND event.action = 'merge' "
    "AND event.occurred_at <= :at)"
)


def _bearing(since: str) -> str:
    """Return the SQL of the records whose costs the units inside bear: their own, and merged ones.

    `since` is the column of a client's valuation, or empty.
    """
    more = ", inside.since" if since else ""
    return (
        f"bearing AS (SELECT inside.unit_id, inside.unit_id AS record_id{more} FROM inside "
        f"UNION ALL SELECT inside.unit_id, merged.id{more} FROM unit AS merged "
        "JOIN inside ON inside.unit_id = merged.merged_into "
        f"WHERE merged.merged_into IS NOT NULL AND {_MERGED_BY})"
    )


def _counted(tx: Transaction, inside: str, values: dict[str, Any]) -> list[_CountedPart]:
    """Count the units of each part, and those without an acquisition that still holds."""
    return tx.rows_as(
        _CountedPart,
        f"{inside}SELECT part, COUNT(*) AS units, SUM(CASE WHEN EXISTS (SELECT 1 FROM paid "
        "WHERE paid.unit_id = inside.unit_id AND paid.kind = 'acquisition' "
        "AND paid.takes_back IS NULL AND NOT EXISTS (SELECT 1 FROM paid AS reversal "
        "WHERE reversal.takes_back = paid.id)) THEN 0 ELSE 1 END) "
        "AS uncosted FROM inside GROUP BY part ORDER BY part",
        **values,
    )


def _own(client: str | None) -> tuple[str, str, str]:
    """Return the SQL that limits a valuation to a client's units and their costs since then."""
    if client is None:
        return "", "", ""
    return (
        " AND unit.client_id = :client AND (unit.client_since IS NULL OR unit.client_since <= :at)",
        ", unit.client_since AS since",
        " AND (bearing.since IS NULL OR unit_cost.recorded_at >= bearing.since)",
    )


def booked_after(tx: Transaction, transaction_id: int, seq: int, *, limit: int) -> list[BookedCost]:
    """Return the events for accounting after a position, in commit order.

    Each row is an event with its unit's serial, SKU, places, and cost up to then by currency.
    """
    rows = tx.rows_as(
        BookedEvent,
        "SELECT event.*, unit.serial, product.sku, from_place.code AS from_code, "
        "to_place.code AS to_code FROM event JOIN unit ON unit.id = event.unit_id "
        "JOIN product ON product.id = unit.product_id "
        "LEFT JOIN location AS from_place ON from_place.id = event.location_from "
        "JOIN location AS to_place ON to_place.id = event.location_to "
        f"WHERE {event_views.settled(tx)} AND event.action IN (:booked...) "
        "AND (event.transaction_id, event.seq) > (:transaction_id, :seq) "
        "ORDER BY event.transaction_id, event.seq LIMIT :limit",
        booked=[str(action) for action in BOOKED],
        transaction_id=transaction_id,
        seq=seq,
        limit=limit,
    )
    paid = of_units(tx, sorted({row["unit_id"] for row in rows}))
    return [{**row, "costs": _costs_at(tx, row, paid[row["unit_id"]])} for row in rows]


def _costs_at(tx: Transaction, event: BookedEvent, lines: Sequence[Row]) -> dict[str, int]:
    """Return the costs of an event's unit; of a record that is merged, those that end with it."""
    unit_id, instant = event["unit_id"], event["occurred_at"]
    root = tx.value("SELECT merged_into FROM unit WHERE id = :id", id=unit_id)
    if event["action"] == Action.MERGE and root is not None:
        goes_on = {line["id"] for line in borne(tx, [root], instant)[root]}
        return _costs_until([line for line in lines if line["id"] not in goes_on], instant)
    if tx.value("SELECT id FROM unit WHERE merged_into = :id LIMIT 1", id=unit_id) is not None:
        return totals(borne(tx, [unit_id], instant)[unit_id])
    return _costs_until(lines, instant)


def _costs_until(lines: Iterable[Row], instant: int) -> dict[str, int]:
    return totals(line for line in lines if line["occurred_at"] <= instant)


def totals(lines: Iterable[Row]) -> dict[str, int]:
    """Sum cost lines by currency."""
    found: dict[str, int] = {}
    for line in lines:
        found[line["currency"]] = found.get(line["currency"], 0) + line["amount"]
    return found
