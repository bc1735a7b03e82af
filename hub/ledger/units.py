"""Unit look-up: by id, by serial in any notation, or by any further identifier."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar

from hub.catalogue import SELLING_KINDS
from hub.errors import AmbiguousUnit, Refused, UnknownUnit
from hub.identifiers.barcodes import unit_of
from hub.identifiers.numbers import canonical, is_id
from hub.lifecycle import Status
from hub.storage.rows import HoldRow, UnitRow
from hub.storage.sql import Transaction

COLUMNS = (
    "unit.id, unit.product_id, unit.manufacturer_id, unit.serial, unit.version, unit.status, "
    "unit.disposition, unit.location_id, unit.promised_to, unit.order_line_id, unit.blocks, "
    "unit.grade, unit.condition, unit.kit_id, unit.members, unit.received_at, unit.expires_on, "
    "unit.sold_at, unit.hash, unit.serial_canonical, unit.client_id, "
    "location.kind AS location_kind, location.site_id, location.code AS location_code, "
    "product.sku, product.gtin, product.model_number, product.capture_points"
)
# Locked before the join: after a wait PostgreSQL rereads the row but keeps the joined location, and
# a unit that moved meanwhile would seem unknown.
LOCKED = (
    "(SELECT * FROM unit WHERE id IN ({ids}) ORDER BY id FOR UPDATE) AS unit "
    "JOIN location ON location.id = unit.location_id "
    "JOIN product ON product.id = unit.product_id"
)
LOCKED_BY_ID = f"SELECT {COLUMNS} FROM {LOCKED.format(ids=':ids...')}"
LOCKED_BY_NAME = "SELECT {columns} FROM {locked}".format(
    columns=COLUMNS,
    locked=LOCKED.format(
        ids="SELECT id FROM unit WHERE serial_canonical = :name "
        "UNION ALL SELECT unit_id FROM identifier WHERE canonical = :name"
    ),
)

# Units as views show them: with product, manufacturer and location.
UNITS = (
    "SELECT unit.*, product.sku, product.name AS product_name, product.gtin, "
    "product.model_number, product.warranty_months, product.tracking, product.capture_points, "
    "product.category, product.value, product.currency, product.traits, product.warranty_start, "
    "product.replacement_cover, product.return_days, product.picking, "
    "COALESCE(product.serial_pattern, manufacturer.serial_pattern) AS serial_pattern, "
    "manufacturer.code AS maker_code, "
    "manufacturer.name AS maker_name, location.code AS location_code, "
    "location.name AS location_name, location.kind AS location_kind, "
    "location.site_id AS location_site_id FROM unit "
    "JOIN product ON product.id = unit.product_id "
    "JOIN manufacturer ON manufacturer.id = unit.manufacturer_id "
    "JOIN location ON location.id = unit.location_id "
)


class UnitViewRow(UnitRow):
    """A row of `UNITS`: a unit with its product, manufacturer and location."""

    sku: str
    product_name: str
    gtin: str | None
    model_number: str | None
    warranty_months: int
    tracking: str
    capture_points: str
    category: str | None
    value: int | None
    currency: str | None
    traits: str
    warranty_start: str
    replacement_cover: str
    return_days: int
    picking: str
    serial_pattern: str | None
    maker_code: str
    maker_name: str
    location_code: str
    location_name: str
    location_kind: str
    location_site_id: str


class LockedUnitRow(TypedDict):
    """A row of `COLUMNS`: a unit for a command, with its product and location."""

    id: str
    product_id: str
    manufacturer_id: str
    serial: str
    version: int
    status: str
    disposition: str
    location_id: str
    promised_to: str | None
    order_line_id: str | None
    blocks: int
    grade: str | None
    condition: str
    kit_id: str | None
    members: int
    received_at: int | None
    expires_on: str | None
    sold_at: int | None
    hash: str
    serial_canonical: str
    client_id: str | None
    location_kind: str
    site_id: str
    location_code: str
    sku: str
    gtin: str | None
    model_number: str | None
    capture_points: str


class _UnitName(TypedDict):
    name: str
    id: str


# Look-ups choose among rows of either shape.
UnitLike = TypeVar("UnitLike", UnitViewRow, LockedUnitRow)


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of a unit: any identifier, and the product if one was read too.

    `facts` go into the details of the event. `at` is the code of the location of the scan.
    """

    identifier: str
    sku: str | None = None
    expected_version: int | None = None
    facts: dict[str, Any] | None = field(default=None, hash=False)
    at: str | None = None


@dataclass(slots=True)
class UnitState:
    """State of a unit in a command; only `hub.ledger` writes it back."""

    id: str
    product_id: str
    manufacturer_id: str
    serial: str
    sku: str
    version: int
    status: Status
    disposition: str
    location_id: str
    location_kind: str
    site_id: str
    promised_to: str | None
    order_line_id: str | None
    blocks: int
    grade: str | None
    received_at: int | None
    sold_at: int | None
    hash: str
    condition: str = "new"
    kit_id: str | None = None  # the unit that this one is part of
    members: int = 0  # how many units are part of this one
    expires_on: str | None = None  # its last day, as ISO text
    client_id: str | None = None  # owner of the goods; None: our own
    capture_points: str = "[]"  # of its product, as JSON
    holds: dict[str, HoldRow] = field(default_factory=dict)  # active, by kind

    @property
    def is_available(self) -> bool:
        """Return whether the unit can be allocated now, and so counts for channels."""
        free = self.promised_to is None and self.blocks == 0
        return self.status is Status.IN_STOCK and free and self.location_kind in SELLING_KINDS


def locate(tx: Transaction, scans: Sequence[Scan]) -> list[UnitState | Refused]:
    """Find and lock the unit of each scan; return it, or the refusal, in the given order.

    Rows are locked by ascending id, so that two commands never deadlock.
    """
    sought = [_sought(scan) for scan in scans]
    keys = list(dict.fromkeys(each[0] for each in sought if not isinstance(each, Refused)))
    names, rows = _locked(tx, keys)
    states: dict[str, UnitState] = {}
    return [
        key
        if isinstance(key, Refused)
        else _one(scan, key[1], [rows[each] for each in names[key[0]]], states)
        for scan, key in zip(scans, sought, strict=True)
    ]


def identify(tx: Transaction, scans: Sequence[Scan]) -> list[UnitViewRow | Refused]:
    """Find the unit of each scan without a lock; return it, or the refusal, in the given order."""
    sought = [_sought(scan) for scan in scans]
    names = _unit_ids(tx, [each[0] for each in sought if not isinstance(each, Refused)])
    ids = sorted({unit_id for each in names.values() for unit_id in each})
    rows = {
        row["id"]: row
        for row in tx.rows_as(UnitViewRow, f"{UNITS}WHERE unit.id IN (:ids...)", ids=ids)
    }
    found: list[UnitViewRow | Refused] = []
    for scan, key in zip(scans, sought, strict=True):
        try:
            if isinstance(key, Refused):
                raise key
            bearing = [rows.get(each) for each in names[key[0]]]
            found.append(_choose(scan.identifier, _fitting(bearing, scan.sku, key[1])))
        except Refused as refusal:
            found.append(refusal)
    return found


def find(
    tx: Transaction, identifier: str, sku: str | None = None, *, client: str | None = None
) -> UnitViewRow:
    """Return the unit of an identifier; raise UnknownUnit, AmbiguousUnit or InvalidBarcode.

    With the id of a client, units of other owners are unknown.
    """
    key, gtin = _key(identifier)
    rows = tx.rows_as(
        UnitViewRow,
        f"{UNITS}WHERE unit.id IN (SELECT id FROM unit WHERE serial_canonical = :key "
        "UNION SELECT unit_id FROM identifier WHERE canonical = :key "
        "UNION SELECT id FROM unit WHERE id = :key)",
        key=key,
    )
    if client is not None:
        rows = [row for row in rows if row["client_id"] == client]
    return _choose(identifier, _fitting(rows, sku, gtin))


def key_of(identifier: str) -> str:
    """Return the look-up key of an identifier; raise InvalidBarcode for an invalid serial."""
    return _key(identifier)[0]


def _key(identifier: str) -> tuple[str, str | None]:
    """Return the look-up key, and the GTIN of an EPC or Digital Link."""
    if is_id(identifier):
        return identifier, None
    if (named := unit_of(identifier)) is not None:
        return canonical(named[1]), named[0]
    return canonical(identifier), None


def _fitting(rows: Iterable[UnitLike | None], sku: str | None, gtin: str | None) -> list[UnitLike]:
    return [
        row
        for row in rows
        if row and (sku is None or row["sku"] == sku) and (gtin is None or row["gtin"] == gtin)
    ]


def _sought(scan: Scan) -> tuple[str, str | None] | Refused:
    try:
        return _key(scan.identifier)
    except Refused as refusal:
        return refusal


def _unit_ids(tx: Transaction, keys: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {key: {key} if is_id(key) else set() for key in keys}
    names = [key for key in found if not found[key]]
    if names:
        for row in tx.rows_as(
            _UnitName,
            "SELECT serial_canonical AS name, id FROM unit WHERE serial_canonical IN (:names...) "
            "UNION ALL "
            "SELECT canonical, unit_id FROM identifier WHERE canonical IN (:names...)",
            names=names,
        ):
            found[row["name"]].add(row["id"])
    return found


def _locked(
    tx: Transaction, keys: list[str]
) -> tuple[dict[str, set[str]], dict[str, LockedUnitRow | None]]:
    """Find and lock the units of keys; return their ids by key and their rows by id."""
    if len(keys) == 1 and not is_id(keys[0]):  # one scan, the common case: one statement
        found = {row["id"]: row for row in tx.rows_as(LockedUnitRow, LOCKED_BY_NAME, name=keys[0])}
        return {keys[0]: set(found)}, {**found}
    names = _unit_ids(tx, keys)
    ids = sorted({unit_id for each in names.values() for unit_id in each})
    rows = tx.rows_as(LockedUnitRow, LOCKED_BY_ID, ids=ids)
    return names, dict.fromkeys(ids) | {row["id"]: row for row in rows}


def _one(
    scan: Scan, gtin: str | None, rows: list[LockedUnitRow | None], states: dict[str, UnitState]
) -> UnitState | Refused:
    try:
        row = _choose(scan.identifier, _fitting(rows, scan.sku, gtin))
    except Refused as refusal:
        return refusal
    # The same unit twice in one batch is one state: the second scan sees what the first did.
    return states.setdefault(row["id"], _state(row))


def _choose(identifier: str, rows: list[UnitLike]) -> UnitLike:
    if not rows:
        raise UnknownUnit(f"no unit bears the identifier {identifier!r}", identifier=identifier)
    if len(rows) > 1:
        skus = sorted(row["sku"] for row in rows)
        raise AmbiguousUnit(
            f"{len(rows)} units bear {identifier!r}: name the product ({', '.join(skus)})",
            identifier=identifier,
            skus=skus,
        )
    return rows[0]


def _state(row: LockedUnitRow) -> UnitState:
    return UnitState(
        id=row["id"],
        product_id=row["product_id"],
        manufacturer_id=row["manufacturer_id"],
        serial=row["serial"],
        sku=row["sku"],
        version=row["version"],
        status=Status(row["status"]),
        disposition=row["disposition"],
        location_id=row["location_id"],
        location_kind=row["location_kind"],
        site_id=row["site_id"],
        promised_to=row["promised_to"],
        order_line_id=row["order_line_id"],
        blocks=row["blocks"],
        grade=row["grade"],
        received_at=row["received_at"],
        sold_at=row["sold_at"],
        hash=row["hash"],
        condition=row["condition"],
        kit_id=row["kit_id"],
        members=row["members"],
        expires_on=row["expires_on"],
        client_id=row["client_id"],
        capture_points=row["capture_points"],
    )
