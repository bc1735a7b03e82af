"""Conservation check: every unit is in exactly one place with one status, and all counts agree.

The unit table is compared with the last events and the holds: two derivations of the same figures.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from hub.catalogue import SELLING_KINDS
from hub.ledger.holds import BLOCKING, HoldKind
from hub.lifecycle import Status
from hub.storage.sql import Transaction

BREAKS_MAX = 20  # named of each law

# Required kinds of places by status; other statuses are inside, except those that may be anywhere.
OUTSIDE = {
    "customer": (Status.SHIPPED, Status.SOLD),
    "in_transit": (Status.IN_TRANSFER,),
    "supplier": (Status.EXPECTED, Status.AT_SUPPLIER),
}
ANYWHERE = (Status.IN_KIT, Status.MISSING, Status.STOLEN, Status.WRITTEN_OFF, Status.MERGED)

_LAST = (
    "last AS (SELECT unit_id, status, location_to AS location_id FROM ("
    "SELECT unit_id, status, location_to, "
    "ROW_NUMBER() OVER (PARTITION BY unit_id ORDER BY version DESC) AS from_end FROM event"
    ") AS numbered WHERE from_end = 1) "
)
_FREE = "NOT EXISTS (SELECT 1 FROM hold WHERE hold.unit_id = last.unit_id AND released_at IS NULL)"


class Law(StrEnum):
    """Invariant of the ledger."""

    PLACE = "place"  # a unit is in one place that is known, and that fits its status
    COUNT = "count"  # per product, place and status: units and last events give the same count
    PROMISE = "promise"  # a promised unit has its own active promise, and the reverse
    BLOCK = "block"  # a unit counts as many blocks as there are active blocking holds
    KIT = "kit"  # a part is where its one kit is, and a kit counts the parts that it has
    MERGE = "merge"  # a merged record names the one record that absorbed it, which is a unit
    AVAILABLE = "available"  # per product and place: as many sellable units by events and holds


@dataclass(frozen=True, slots=True)
class Breach:
    """One figure or unit that violates a law."""

    law: Law
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Balance:
    """Totals over all units, each in exactly one bucket; balanced when `breaches` is empty."""

    units: int
    available: int
    promised: int
    blocked: int
    elsewhere: int  # on its way, sold, returned, in repair, written off
    breaches: tuple[Breach, ...]

    @property
    def holds(self) -> bool:
        """Return whether the totals add up and there are no breaches."""
        counted = self.available + self.promised + self.blocked + self.elsewhere
        return counted == self.units and not self.breaches


class _Totals(TypedDict):
    units: int
    promised: int | None
    blocked: int | None
    elsewhere: int | None


class _Named(TypedDict):
    id: str
    serial: str


class _Placed(_Named):
    status: str
    code: str | None


class _Sides(TypedDict):
    sku: str | None
    code: str | None
    by_units: int
    by_events: int


class _StatusSides(_Sides):
    status: str


class _Blocked(_Named):
    blocks: int
    holds: int


class _KitBreach(_Named):
    message: str


def check(tx: Transaction) -> Balance:
    """Check all laws in one read transaction; return the totals and the breaches."""
    totals = tx.row_as(
        _Totals,
        "SELECT COUNT(*) AS units, "
        "SUM(CASE WHEN promised_to IS NOT NULL THEN 1 ELSE 0 END) AS promised, "
        "SUM(CASE WHEN promised_to IS NULL AND blocks > 0 THEN 1 ELSE 0 END) AS blocked, "
        "SUM(CASE WHEN promised_to IS NULL AND blocks = 0 AND NOT (status = 'in_stock' "
        "AND location.kind IN (:kinds...)) THEN 1 ELSE 0 END) AS elsewhere "
        "FROM unit LEFT JOIN location ON location.id = unit.location_id "
        "WHERE unit.status <> 'merged'",
        kinds=_selling(),
    )
    assert totals is not None  # a count without a group always has its row
    available = tx.value(
        "SELECT COUNT(*) FROM unit JOIN location ON location.id = unit.location_id "
        "WHERE status = 'in_stock' AND promised_to IS NULL AND blocks = 0 "
        "AND location.kind IN (:kinds...)",
        kinds=_selling(),
    )
    breaches = [*_places(tx), *_counts(tx), *_promises(tx), *_blocks(tx), *_available(tx)]
    breaches += [*_kits(tx), *_merges(tx)]
    return Balance(
        units=totals["units"],
        available=available,
        promised=totals["promised"] or 0,
        blocked=totals["blocked"] or 0,
        elsewhere=totals["elsewhere"] or 0,
        breaches=tuple(breaches),
    )


def _selling() -> list[str]:
    return [str(kind) for kind in SELLING_KINDS]


def _places(tx: Transaction) -> list[Breach]:
    rows = tx.rows_as(
        _Placed,
        "SELECT unit.id, unit.serial, unit.status, location.code FROM unit "
        "LEFT JOIN location ON location.id = unit.location_id "
        "WHERE location.id IS NULL OR NOT unit.status IN (:statuses...) "
        "OR (NOT unit.status IN (:anywhere...) AND ("
        "(location.kind = 'customer') <> (unit.status IN (:customer...)) "
        "OR (location.kind = 'in_transit') <> (unit.status IN (:in_transit...)) "
        "OR (location.kind = 'supplier') <> (unit.status IN (:supplier...)))) "
        "ORDER BY unit.id LIMIT :limit",
        statuses=[str(status) for status in Status],
        anywhere=[str(status) for status in ANYWHERE],
        **{kind: [str(status) for status in fitting] for kind, fitting in OUTSIDE.items()},
        limit=BREAKS_MAX,
    )
    return [
        Breach(
            Law.PLACE,
            row["id"],
            f"{row['serial']} is {row['status']} at {row['code'] or 'no place'}",
        )
        for row in rows
    ]


def _counts(tx: Transaction) -> list[Breach]:
    rows = tx.rows_as(
        _StatusSides,
        f"WITH {_LAST}, sides AS ("
        "SELECT product_id, location_id, status, 1 AS by_units, 0 AS by_events FROM unit "
        "UNION ALL SELECT unit.product_id, last.location_id, last.status, 0, 1 FROM last "
        "LEFT JOIN unit ON unit.id = last.unit_id) "
        "SELECT product.sku, location.code, sides.status, SUM(by_units) AS by_units, "
        "SUM(by_events) AS by_events FROM sides "
        "LEFT JOIN product ON product.id = sides.product_id "
        "LEFT JOIN location ON location.id = sides.location_id "
        "GROUP BY product.sku, location.code, sides.status "
        "HAVING SUM(by_units) <> SUM(by_events) "
        "ORDER BY product.sku, location.code, sides.status LIMIT :limit",
        limit=BREAKS_MAX,
    )
    return [_differs(Law.COUNT, row, row["status"]) for row in rows]


def _available(tx: Transaction) -> list[Breach]:
    rows = tx.rows_as(
        _Sides,
        f"WITH {_LAST}, sides AS ("
        "SELECT product_id, location_id, 1 AS by_units, 0 AS by_events FROM unit "
        "WHERE status = 'in_stock' AND promised_to IS NULL AND blocks = 0 "
        "UNION ALL SELECT unit.product_id, last.location_id, 0, 1 FROM last "
        f"JOIN unit ON unit.id = last.unit_id WHERE last.status = 'in_stock' AND {_FREE}) "
        "SELECT product.sku, location.code, SUM(by_units) AS by_units, "
        "SUM(by_events) AS by_events FROM sides "
        "JOIN product ON product.id = sides.product_id "
        "JOIN location ON location.id = sides.location_id "
        "WHERE location.kind IN (:kinds...) GROUP BY product.sku, location.code "
        "HAVING SUM(by_units) <> SUM(by_events) ORDER BY product.sku, location.code LIMIT :limit",
        kinds=_selling(),
        limit=BREAKS_MAX,
    )
    return [_differs(Law.AVAILABLE, row, "available") for row in rows]


def _differs(law: Law, row: _Sides | _StatusSides, what: str) -> Breach:
    sku, place = row["sku"] or "no product", row["code"] or "no place"
    message = (
        f"{what.replace('_', ' ')} of {sku} at {place}: {row['by_units']} by the units, "
        f"{row['by_events']} by their events"
    )
    return Breach(law, f"{sku}/{place}", message)


def _promises(tx: Transaction) -> list[Breach]:
    rows = tx.rows_as(
        _Named,
        "SELECT unit.id, unit.serial FROM unit WHERE promised_to IS NOT NULL AND NOT EXISTS ("
        "SELECT 1 FROM hold WHERE hold.id = unit.promised_to AND hold.unit_id = unit.id "
        "AND hold.kind = :sale AND hold.released_at IS NULL) "
        "UNION SELECT unit.id, unit.serial FROM hold JOIN unit ON unit.id = hold.unit_id "
        "WHERE hold.kind = :sale AND hold.released_at IS NULL "
        "AND COALESCE(unit.promised_to, '') <> hold.id ORDER BY 1 LIMIT :limit",
        sale=str(HoldKind.SALE),
        limit=BREAKS_MAX,
    )
    message = "and its promise do not name each other"
    return [Breach(Law.PROMISE, row["id"], f"{row['serial']} {message}") for row in rows]


def _blocks(tx: Transaction) -> list[Breach]:
    rows = tx.rows_as(
        _Blocked,
        "SELECT unit.id, unit.serial, unit.blocks, COALESCE(counted.holds, 0) AS holds FROM unit "
        "LEFT JOIN (SELECT unit_id, COUNT(*) AS holds FROM hold WHERE released_at IS NULL "
        "AND kind IN (:kinds...) GROUP BY unit_id) AS counted ON counted.unit_id = unit.id "
        "WHERE unit.blocks <> COALESCE(counted.holds, 0) ORDER BY unit.id LIMIT :limit",
        kinds=sorted(str(kind) for kind in BLOCKING),
        limit=BREAKS_MAX,
    )
    return [
        Breach(
            Law.BLOCK, row["id"], f"{row['serial']} counts {row['blocks']} blocks of {row['holds']}"
        )
        for row in rows
    ]


def _kits(tx: Transaction) -> list[Breach]:
    # The database holds that a unit has one active membership at most. Kits that are written off
    # keep their parts.
    rows = tx.rows_as(
        _KitBreach,
        "SELECT unit.id, unit.serial, 'is no part of the one kit that it names' AS message "
        "FROM unit LEFT JOIN kit_membership ON kit_membership.child_id = unit.id "
        "AND kit_membership.left_at IS NULL WHERE (unit.status = 'in_kit' "
        "OR unit.kit_id IS NOT NULL OR kit_membership.id IS NOT NULL) "
        "AND (NOT unit.status IN ('in_kit', 'written_off') "
        "OR COALESCE(unit.kit_id, '') <> COALESCE(kit_membership.parent_id, 'none')) "
        "UNION SELECT unit.id, unit.serial, 'is not where its kit is' FROM unit "
        "JOIN unit AS kit ON kit.id = unit.kit_id WHERE unit.location_id <> kit.location_id "
        "UNION SELECT unit.id, unit.serial, 'does not count the parts that it has' FROM unit "
        "LEFT JOIN (SELECT parent_id, COUNT(*) AS parts FROM kit_membership "
        "WHERE left_at IS NULL GROUP BY parent_id) AS counted ON counted.parent_id = unit.id "
        "WHERE unit.members <> COALESCE(counted.parts, 0) ORDER BY 1 LIMIT :limit",
        limit=BREAKS_MAX,
    )
    return [Breach(Law.KIT, row["id"], f"{row['serial']} {row['message']}") for row in rows]


def _merges(tx: Transaction) -> list[Breach]:
    rows = tx.rows_as(
        _Named,
        "SELECT unit.id, unit.serial FROM unit "
        "LEFT JOIN unit AS root ON root.id = unit.merged_into "
        "WHERE (unit.status = 'merged' OR unit.merged_into IS NOT NULL) AND (unit.status <> "
        "'merged' OR root.id IS NULL OR root.status = 'merged' OR unit.blocks <> 0 "
        "OR unit.promised_to IS NOT NULL) ORDER BY unit.id LIMIT :limit",
        limit=BREAKS_MAX,
    )
    message = "and the record that absorbed it do not agree"
    return [Breach(Law.MERGE, row["id"], f"{row['serial']} {message}") for row in rows]
