"""Kit reports: membership over time, and stock by set or by component."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypedDict

from hub.catalogue import SELLING_KINDS
from hub.kits import PARTS_MAX
from hub.storage.paging import Filter, page_size
from hub.storage.rows import KitMembershipRow
from hub.storage.sql import Row, Transaction


class Level(StrEnum):
    """Level of a report."""

    SET = "set"  # kits that are no part of another
    COMPONENT = "component"  # parts of kits, and loose units of the same products


class KitStock(TypedDict):
    """Stock of a product as kits or components.

    `units` are kits, or parts that are in kits; `loose` are components in stock outside of kits.
    """

    id: str
    sku: str
    name: str
    units: int
    loose: int
    parts: int
    available: int
    with_customers: int
    blocked: int


def links(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the memberships of each unit, as kit and as part, oldest first."""
    rows = tx.rows_as(
        KitMembershipRow,
        "SELECT * FROM kit_membership WHERE parent_id IN (:ids...) OR child_id IN (:ids...) "
        "ORDER BY joined_at, id",
        ids=list(unit_ids),
    )
    found: dict[str, list[Row]] = {unit_id: [] for unit_id in unit_ids}
    for row in rows:
        for unit_id in {row["parent_id"], row["child_id"]} & found.keys():
            found[unit_id].append(row)
    return found


def at(rows: Sequence[Row], instant: int | None) -> list[Row]:
    """Return the memberships at an instant, in microseconds since 1970; None: now."""
    if instant is None:
        return [row for row in rows if row["left_at"] is None]
    return [
        row
        for row in rows
        if row["joined_at"] <= instant and (row["left_at"] is None or instant < row["left_at"])
    ]


def report(
    tx: Transaction,
    level: Level,
    *,
    first: int,
    after: str | None,
    location: str | None = None,
    sku: str | None = None,
) -> list[KitStock]:
    """Count kits or components by product, one product more than `first`.

    `location` is the code of a site or of a bin.
    """
    counted = (
        "unit.members > 0 AND unit.kit_id IS NULL"
        if level is Level.SET
        else "(unit.status = 'in_kit' OR (unit.members = 0 AND unit.status = 'in_stock' "
        "AND unit.product_id IN (SELECT part.product_id FROM kit_membership "
        "JOIN unit AS part ON part.id = kit_membership.child_id)))"
    )
    wanted = Filter()
    wanted.add(counted)
    wanted.add("unit.status NOT IN ('written_off', 'merged')")
    wanted.add("unit.product_id > :after", after=after)
    wanted.add("product.sku = :sku", sku=sku)
    wanted.add(
        "(location.code = :location OR location.site_id IN "
        "(SELECT id FROM location WHERE code = :location AND id = site_id))",
        location=location,
    )
    return tx.rows_as(
        KitStock,
        "SELECT product.id, product.sku, product.name, "
        f"SUM({_one('in_kit' if level is Level.COMPONENT else None)}) AS units, "
        f"SUM({_one('loose' if level is Level.COMPONENT else 'never')}) AS loose, "
        "SUM(CASE WHEN unit.members BETWEEN 0 AND :parts_max THEN unit.members ELSE 0 END) "
        "AS parts, "
        "SUM(CASE WHEN unit.status = 'in_stock' AND unit.promised_to IS NULL AND unit.blocks = 0 "
        "AND location.kind IN (:kinds...) THEN 1 ELSE 0 END) AS available, "
        "SUM(CASE WHEN location.kind = 'customer' THEN 1 ELSE 0 END) AS with_customers, "
        "SUM(CASE WHEN unit.blocks > 0 THEN 1 ELSE 0 END) AS blocked "
        "FROM unit JOIN product ON product.id = unit.product_id "
        f"JOIN location ON location.id = unit.location_id {wanted.where()}"
        "GROUP BY product.id, product.sku, product.name ORDER BY product.id LIMIT :limit",
        kinds=[str(kind) for kind in SELLING_KINDS],
        parts_max=PARTS_MAX,
        limit=page_size(first) + 1,
        **wanted.values,
    )


def _one(what: str | None) -> str:
    """Return the SQL that counts one unit: in a kit, loose, never, or (None) always."""
    conditions = {
        "in_kit": "unit.status = 'in_kit'",
        "loose": "unit.status <> 'in_kit'",
        "never": "unit.id IS NULL",
        None: "unit.id IS NOT NULL",
    }
    return f"CASE WHEN {conditions[what]} THEN 1 ELSE 0 END"
