"""Lean reads of units and their events: only the columns that somebody asks for, as tuples.

The general reads (`units`, `unit_views`, `event_views`) know everything about a unit and join four
tables for it. Where an answer needs ten plain facts, selecting these and nothing else takes a
seventh of the time. A name is looked up here in its plainest case only; every other case is left to
`units.find`, which decides it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from hub.clock import micros
from hub.identifiers.names import names_of, unit_of
from hub.ledger.unit_views import PROMISED
from hub.storage.paging import Filter, page_size
from hub.storage.sql import Transaction

#: Facts of a unit by name, each as an expression over `UNIT_TABLES`.
UNIT_FACTS: Mapping[str, str] = {
    **{
        name: f"unit.{name}"
        for name in (
            "id",
            "serial",
            "status",
            "disposition",
            "version",
            "grade",
            "lot",
            "produced_on",
            "expires_on",
            "received_at",
            "sold_at",
            "changed_at",
            "condition",
            "origin",
            "supplier",
            "purchase_order",
            "delivery_id",
        )
    },
    "is_blocked": "unit.blocks > 0",
    "is_promised": PROMISED,
    **{
        f"product.{name}": f"product.{name}"
        for name in (
            "id",
            "sku",
            "name",
            "gtin",
            "model_number",
            "warranty_months",
            "tracking",
            "serial_case",
            "category",
            "currency",
            "warranty_start",
            "replacement_cover",
            "return_days",
            "picking",
        )
    },
    "product.serial_pattern": "COALESCE(product.serial_pattern, manufacturer.serial_pattern)",
    "maker.code": "manufacturer.code",
    "maker.name": "manufacturer.name",
    **{f"location.{name}": f"location.{name}" for name in ("id", "code", "name", "kind")},
}
#: Tables beside `unit`, joined where a fact or a condition names them.
UNIT_TABLES: Mapping[str, str] = {
    "product": "JOIN product ON product.id = unit.product_id ",
    "manufacturer": "JOIN manufacturer ON manufacturer.id = unit.manufacturer_id ",
    "location": "JOIN location ON location.id = unit.location_id ",
}
#: Facts of an event by name, each as an expression over `event` and `EVENT_TABLES`.
EVENT_FACTS: Mapping[str, str] = {
    **{
        name: f"event.{name}"
        for name in (
            "id",
            "version",
            "action",
            "biz_step",
            "status_from",
            "status",
            "disposition",
            "document_type",
            "document_ref",
            "reason",
            "actor",
            "captured_by",
            "occurred_at",
            "recorded_at",
            "corrects",
            "hash",
            "previous_hash",
        )
    },
    "from_code": "place_from.code",
    "to_code": "place_to.code",
    "to_name": "place_to.name",
}
EVENT_TABLES: Mapping[str, str] = {
    "place_from": "LEFT JOIN location AS place_from ON place_from.id = event.location_from ",
    "place_to": "JOIN location AS place_to ON place_to.id = event.location_to ",
}

Facts = tuple[str, ...]
FactRow = tuple[Any, ...]


class Undecided(Exception):
    """A name that takes more to decide. Next: ask `units.find`."""


def unit_named(tx: Transaction, identifier: str, facts: Facts, now: datetime) -> FactRow | None:
    """Return facts of the unit that an identifier plainly names, its id last; None for no unit.

    Raises `Undecided` for several readings or units, a merged record, or another writing of an
    exact serial; InvalidBarcode for a text that names nothing.
    """
    names = names_of(identifier)
    name = names[0]
    if name.gtin is not None or len(name.keys) != 1:
        raise Undecided
    found = tx.tuples(_one_unit(facts, by_id=name.is_id), name=name.keys[0], now=micros(now))
    if not found and len(names) == 1 and unit_of(identifier) is None:
        return None
    if len({row[-1] for row in found}) != 1:
        raise Undecided
    *row, merged_into, serial_exact, unit_id = found[0]
    if merged_into is not None or (not name.is_id and serial_exact not in {"", name.exact}):
        raise Undecided
    return (*row, unit_id)


def unit_page(
    tx: Transaction, facts: Facts, now: datetime, wanted: Filter, first: int
) -> list[FactRow]:
    """Return facts of units by id, the id last, up to `first` plus one as `unit_views.units`.

    `wanted` is of `unit_views.wanted_units`. Raises InvalidInput for a page size out of range.
    """
    where = wanted.where()
    return tx.tuples(
        f"SELECT {_listed(UNIT_FACTS, (*facts, 'id'))} FROM unit "
        f"{_joins(UNIT_TABLES, UNIT_FACTS, facts, where)}{where}ORDER BY unit.id LIMIT :limit",
        limit=page_size(first) + 1,
        now=micros(now),
        **wanted.values,
    )


def events_of(tx: Transaction, unit_ids: Sequence[str], facts: Facts) -> dict[str, list[FactRow]]:
    """Return facts of all events of units by unit id, oldest first, corrections among them."""
    found: dict[str, list[FactRow]] = {unit_id: [] for unit_id in unit_ids}
    if len(found) == 1:
        (unit_id,) = found
        found[unit_id] = tx.tuples(_events(facts, single=True), unit=unit_id)
        return found
    for *row, unit_id in tx.tuples(_events(facts, single=False), ids=list(found)):
        found[unit_id].append(tuple(row))
    return found


@lru_cache(512)
def _one_unit(facts: Facts, *, by_id: bool) -> str:
    joins = _joins(UNIT_TABLES, UNIT_FACTS, facts)
    select = (
        f"SELECT {_listed(UNIT_FACTS, facts)}{', ' if facts else ''}"
        "unit.merged_into, unit.serial_exact, unit.id FROM "
    )
    if by_id:
        return f"{select}unit {joins}WHERE unit.id = :name"
    # Each by its own index; one list of ids for both takes SQLite half as long again.
    return (
        f"{select}unit {joins}WHERE unit.serial_canonical = :name UNION ALL "
        f"{select}identifier JOIN unit ON unit.id = identifier.unit_id {joins}"
        "WHERE identifier.canonical = :name"
    )


@lru_cache(512)
def _events(facts: Facts, *, single: bool) -> str:
    joins = _joins(EVENT_TABLES, EVENT_FACTS, facts)
    if single:
        return (
            f"SELECT {_listed(EVENT_FACTS, facts) or 'event.id'} FROM event {joins}"
            "WHERE event.unit_id = :unit ORDER BY event.version"
        )
    return (
        f"SELECT {_listed(EVENT_FACTS, facts)}{', ' if facts else ''}event.unit_id "
        f"FROM event {joins}WHERE event.unit_id IN (:ids...) "
        "ORDER BY event.unit_id, event.version"
    )


def _listed(known: Mapping[str, str], facts: Facts) -> str:
    # The expressions are our own words, never input: an unknown fact is a KeyError.
    return ", ".join(known[name] for name in facts)


def _joins(
    tables: Mapping[str, str], known: Mapping[str, str], facts: Facts, conditions: str = ""
) -> str:
    said = " ".join([*(known[name] for name in facts), conditions])
    return "".join(join for table, join in tables.items() if f"{table}." in said)
