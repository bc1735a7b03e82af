"""Unit reads: units with product and location, identifiers, fields and holds; stock by location."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypedDict, TypeVar

from hub.catalogue import SELLING_KINDS
from hub.clock import micros
from hub.errors import Refused
from hub.ledger.units import UNITS, Scan, UnitViewRow, find, identify
from hub.storage.paging import Filter, page_size
from hub.storage.rows import HoldRow, IdentifierRow, UnitFieldRow
from hub.storage.sql import Row, Transaction

RowOfUnit = TypeVar("RowOfUnit", bound=Mapping[str, Any])


class StockRow(TypedDict):
    """Numbers of units of a product at a location."""

    sku: str
    code: str
    name: str
    kind: str
    available: int
    promised: int
    blocked: int
    units: int


def units_by_id(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, UnitViewRow]:
    """Return units with product, manufacturer and location, by id."""
    rows = tx.rows_as(UnitViewRow, f"{UNITS}WHERE unit.id IN (:ids...)", ids=list(unit_ids))
    return {row["id"]: row for row in rows}


def by_their_names(tx: Transaction, rows: Sequence[Row]) -> dict[str, Row]:
    """Return rows of `UNITS` by id; a merged record as the unit that absorbed it, under its name.

    Such a row has the id and the state of that unit, and the serial that the record was found by.
    """
    merged = {row["id"]: row["merged_into"] for row in rows if row["merged_into"] is not None}
    if not merged:
        return {row["id"]: row for row in rows}
    roots = {
        row["id"]: row
        for row in tx.rows_as(
            UnitViewRow, f"{UNITS}WHERE unit.id IN (:ids...)", ids=sorted(set(merged.values()))
        )
    }
    own = ("serial_canonical", "serial_exact")
    return {
        row["id"]: {**roots[merged[row["id"]]], **{name: row[name] for name in own}}
        if row["id"] in merged
        else row
        for row in rows
    }


def units(  # noqa: PLR0913 # a page and its filters, each by its name
    tx: Transaction,
    *,
    first: int,
    after: str | None,
    sku: str | None = None,
    status: str | None = None,
    location: str | None = None,
    order: str | None = None,
    serial_prefix: str | None = None,
    custom: tuple[str, str] | None = None,
    client: str | None = None,
    identifiers: Sequence[str] | None = None,
) -> list[UnitViewRow]:
    """Return units by id, up to `first` plus one: the last row shows that a next page exists.

    Of `identifiers` those that name no unit, or several, are left out.
    """
    wanted = wanted_units(client=client, after=after, sku=sku, status=status, location=location)
    wanted.add(
        "unit.order_line_id IN (SELECT id FROM order_line WHERE order_id = :order_id)",
        order_id=order,
    )
    if identifiers is not None:
        ids = _named(tx, identifiers, client)
        wanted.add("unit.id IN (:named...)", named=ids)
    if custom is not None:
        wanted.add(
            # A client finds nothing by what was written before the unit was its own.
            "unit.id IN (SELECT unit_id FROM unit_field WHERE name = :field AND value = :value "
            "AND (:anybody = 1 OR unit.client_since IS NULL "
            "OR unit_field.changed_at >= unit.client_since))",
            field=custom[0],
            value=custom[1],
            anybody=int(client is None),
        )
    if serial_prefix is not None:
        wanted.add("unit.serial_canonical >= :low", low=serial_prefix)
        wanted.add("unit.serial_canonical < :high", high=f"{serial_prefix}\U0010fffd")
    return tx.rows_as(
        UnitViewRow,
        f"{UNITS}{wanted.where()}ORDER BY unit.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def wanted_units(
    *,
    after: str | None,
    sku: str | None = None,
    status: str | None = None,
    location: str | None = None,
    client: str | None = None,
) -> Filter:
    """Return the conditions of a list of units; `location` is the code of the very place."""
    wanted = Filter()
    wanted.add("unit.id > :after", after=after)
    wanted.add("unit.client_id = :client", client=client)
    wanted.add("product.sku = :sku", sku=sku)
    wanted.add("unit.status = :status", status=status)
    wanted.add("location.code = :location", location=location)
    return wanted


def identifiers(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[IdentifierRow]]:
    """Return the further identifiers of units, by unit id."""
    rows = tx.rows_as(
        IdentifierRow,
        "SELECT * FROM identifier WHERE unit_id IN (:ids...) ORDER BY id",
        ids=list(unit_ids),
    )
    return _grouped(rows, unit_ids)


def _named(tx: Transaction, identifiers: Sequence[str], client: str | None) -> list[str]:
    """Return the ids of units that identifiers name; a client's own alone, one by one."""
    if client is None:
        named = identify(tx, [Scan(name) for name in identifiers])
        return [each["id"] for each in named if not isinstance(each, Refused)]
    found = []
    for name in identifiers:
        with suppress(Refused):
            found.append(find(tx, name, client=client)["id"])
    return found


def unit_fields(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[UnitFieldRow]]:
    """Return the custom fields of units by unit id, ordered by name."""
    rows = tx.rows_as(
        UnitFieldRow,
        "SELECT * FROM unit_field WHERE unit_id IN (:ids...) ORDER BY name",
        ids=list(unit_ids),
    )
    return _grouped(rows, unit_ids)


def holds(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[HoldRow]]:
    """Return the active holds of units, by unit id."""
    rows = tx.rows_as(
        HoldRow,
        "SELECT * FROM hold WHERE unit_id IN (:ids...) AND released_at IS NULL ORDER BY id",
        ids=list(unit_ids),
    )
    return _grouped(rows, unit_ids)


def _grouped(rows: Iterable[RowOfUnit], unit_ids: Sequence[str]) -> dict[str, list[RowOfUnit]]:
    found: dict[str, list[RowOfUnit]] = {unit_id: [] for unit_id in unit_ids}
    for row in rows:
        found[row["unit_id"]].append(row)
    return found


# A promise without an end binds, and one with an end until then.
PROMISED = (
    "(unit.promised_to IS NOT NULL AND (unit.promised_until IS NULL OR unit.promised_until > :now))"
)
# As the index `unit_in_house` has it.
IN_HOUSE = "status NOT IN ('shipped', 'sold', 'at_supplier', 'written_off')"


def stock(tx: Transaction, skus: Sequence[str], now: datetime) -> dict[str, list[StockRow]]:
    """Return the numbers of units by SKU and location: available, promised, blocked, in total.

    Units that have left are not read. Only our own goods count as available: goods of clients are
    sold by the clients' channels. Expired units do not count, and promises past their end do not
    bind.
    """
    rows = tx.rows_as(
        StockRow,
        "SELECT product.sku, location.code, location.name, location.kind, "
        f"SUM(CASE WHEN unit.status = 'in_stock' AND NOT {PROMISED} "
        "AND unit.blocks = 0 AND unit.client_id IS NULL AND location.kind IN (:kinds...) "
        "AND (unit.expires_on IS NULL OR unit.expires_on >= :today) "
        "THEN 1 ELSE 0 END) AS available, "
        f"SUM(CASE WHEN {PROMISED} THEN 1 ELSE 0 END) AS promised, "
        "SUM(CASE WHEN unit.blocks > 0 THEN 1 ELSE 0 END) AS blocked, COUNT(*) AS units "
        "FROM unit JOIN product ON product.id = unit.product_id "
        "JOIN location ON location.id = unit.location_id WHERE product.sku IN (:skus...) "
        f"AND unit.{IN_HOUSE} "
        "GROUP BY product.sku, location.code, location.name, location.kind "
        "ORDER BY product.sku, location.code",
        skus=list(skus),
        kinds=[str(kind) for kind in SELLING_KINDS],
        today=now.date().isoformat(),
        now=micros(now),
    )
    found: dict[str, list[StockRow]] = {sku: [] for sku in skus}
    for row in rows:
        found[row["sku"]].append(row)
    return found
