"""Unit look-up: by id, by serial in any notation, or by any further identifier."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from hub.catalogue import SELLING_KINDS
from hub.errors import Refused, UnknownUnit
from hub.identifiers.names import Name, names_of
from hub.identifiers.numbers import is_id
from hub.ledger import former_names
from hub.ledger.choosing import Bearing, UnitLike, choose
from hub.lifecycle import Status
from hub.storage.rows import HoldRow, UnitRow
from hub.storage.sql import Transaction

COLUMNS = (
    "unit.id, unit.product_id, unit.manufacturer_id, unit.serial, unit.version, unit.status, "
    "unit.disposition, unit.location_id, unit.promised_to, unit.promised_until, "
    "unit.order_line_id, unit.blocks, unit.grade, unit.condition, unit.kit_id, unit.members, "
    "unit.merged_into, unit.received_at, unit.expires_on, "
    "unit.sold_at, unit.hash, unit.serial_canonical, unit.serial_exact, unit.client_id, "
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
        "UNION ALL SELECT unit_id FROM identifier WHERE canonical = :name "
        "UNION ALL SELECT merged_into FROM unit WHERE serial_canonical = :name "
        "AND merged_into IS NOT NULL"
    ),
)

# The units that bear names, and the records that absorbed them.
UNIT_NAMES = (
    "SELECT serial_canonical AS name, id, merged_into FROM unit "
    "WHERE serial_canonical IN (:names...) UNION ALL "
    "SELECT canonical, unit_id, NULL FROM identifier WHERE canonical IN (:names...) "
)

# Units as views show them: with product, manufacturer and location.
UNITS = (
    "SELECT unit.*, product.sku, product.name AS product_name, product.gtin, "
    "product.model_number, product.warranty_months, product.tracking, product.capture_points, "
    "product.category, product.value, product.currency, product.traits, product.warranty_start, "
    "product.replacement_cover, product.return_days, product.picking, product.serial_case, "
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
    serial_case: str
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
    promised_until: int | None
    order_line_id: str | None
    blocks: int
    grade: str | None
    condition: str
    kit_id: str | None
    members: int
    merged_into: str | None
    received_at: int | None
    expires_on: str | None
    sold_at: int | None
    hash: str
    serial_canonical: str
    serial_exact: str
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
    merged_into: str | None


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of a unit: any identifier, and the product if one was read too.

    `facts` go into the details of the event. `at` is the code of the location of the scan. `itself`
    finds a merged record by its own name, and not the unit that absorbed it.
    """

    identifier: str
    sku: str | None = None
    expected_version: int | None = None
    facts: dict[str, Any] | None = field(default=None, hash=False)
    at: str | None = None
    itself: bool = False


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
    promised_until: int | None = None  # end of its promise as it was read, in microseconds
    kit_id: str | None = None  # the unit that this one is part of
    members: int = 0  # how many units are part of this one
    merged_into: str | None = None  # the record that absorbed this one
    expires_on: str | None = None  # its last day, as ISO text
    client_id: str | None = None  # owner of the goods; None: our own
    capture_points: str = "[]"  # of its product, as JSON
    holds: dict[str, HoldRow] = field(default_factory=dict)  # active, by kind

    @property
    def is_available(self) -> bool:
        """Return whether the unit can be allocated now, and so counts for channels."""
        free = self.promised_to is None and self.blocks == 0
        return self.status is Status.IN_STOCK and free and self.location_kind in SELLING_KINDS

    def has_lapsed(self, now: int) -> bool:
        """Return whether its promise is past its end (microseconds), and so binds nobody."""
        ends = self.promised_until
        return self.promised_to is not None and ends is not None and ends <= now


def locate(tx: Transaction, scans: Sequence[Scan]) -> list[UnitState | Refused]:
    """Find and lock the unit of each scan; return it, or the refusal, in the given order.

    Rows are locked by ascending id, so that two commands never deadlock.
    """
    sought = [_sought(scan) for scan in scans]
    ids, rows = _locked(tx, _keys(sought))
    states: dict[str, UnitState] = {}
    return [
        names
        if isinstance(names, Refused)
        else _one(scan, [(_bearing(name, ids, rows), name) for name in names], rows, states)
        for scan, names in zip(scans, sought, strict=True)
    ]


def identify(tx: Transaction, scans: Sequence[Scan]) -> list[UnitViewRow | Refused]:
    """Find the unit of each scan without a lock; return it, or the refusal, in the given order."""
    sought = [_sought(scan) for scan in scans]
    ids = _unit_ids(tx, _keys(sought))
    wanted = sorted({unit_id for each in ids.values() for unit_id in each})
    rows = {
        row["id"]: row
        for row in tx.rows_as(UnitViewRow, f"{UNITS}WHERE unit.id IN (:ids...)", ids=wanted)
    }
    found: list[UnitViewRow | Refused] = []
    for scan, names in zip(scans, sought, strict=True):
        try:
            if isinstance(names, Refused):
                raise names
            bearing = [(_bearing(name, ids, rows), name) for name in names]
            found.append(choose(scan.identifier, scan.sku, bearing, rows, itself=scan.itself))
        except Refused as refusal:
            found.append(refusal)
    return found


def find(
    tx: Transaction, identifier: str, sku: str | None = None, *, client: str | None = None
) -> UnitViewRow:
    """Return the unit of an identifier; raise UnknownUnit, AmbiguousUnit or InvalidBarcode.

    With the id of a client, units of other owners are unknown, and so is what an earlier owner
    called a unit.
    """
    names = names_of(identifier)
    keys = _keys([names])
    ids = _unit_ids(tx, keys)
    wanted = sorted({unit_id for each in ids.values() for unit_id in each})
    rows = {
        row["id"]: row
        for row in tx.rows_as(UnitViewRow, f"{UNITS}WHERE unit.id IN (:ids...)", ids=wanted)
        if client is None or row["client_id"] == client
    }
    bearing = [(_bearing(name, ids, rows), name) for name in names]
    chosen = choose(identifier, sku, bearing, rows)
    if client is not None and former_names.are_all(tx, chosen, keys):
        raise UnknownUnit(f"no unit bears the identifier {identifier!r}", identifier=identifier)
    return chosen


def key_of(identifier: str) -> str:
    """Return the look-up key of an identifier; raise InvalidBarcode for an invalid serial."""
    return names_of(identifier)[0].keys[0]


Sought = tuple[Name, ...]


def _sought(scan: Scan) -> Sought | Refused:
    try:
        return names_of(scan.identifier)
    except Refused as refusal:
        return refusal


def _keys(sought: Iterable[Sought | Refused]) -> list[str]:
    """Return all keys of scans, each once."""
    keys = dict.fromkeys(
        key
        for names in sought
        if not isinstance(names, Refused)
        for name in names
        for key in name.keys
    )
    return list(keys)


def _bearing(
    name: Name, ids: Mapping[str, set[str]], rows: Mapping[str, UnitLike | None]
) -> list[UnitLike]:
    """Return the units that bear a name, the oldest first."""
    found = sorted({unit_id for key in name.keys for unit_id in ids[key]})
    units = [row for unit_id in found if (row := rows.get(unit_id)) is not None]
    return [row for row in units if row["id"] in name.keys] if name.is_id else units


def _unit_ids(tx: Transaction, keys: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {key: {key} if is_id(key) else set() for key in keys}
    if found:
        for row in tx.rows_as(
            _UnitName,
            f"{UNIT_NAMES}UNION ALL SELECT id, id, merged_into FROM unit "
            "WHERE id IN (:ids...) AND merged_into IS NOT NULL",
            names=list(found),
            ids=[key for key in found if is_id(key)],
        ):
            found[row["name"]] |= {row["id"], row["merged_into"] or row["id"]}
    return found


def _locked(
    tx: Transaction, keys: list[str]
) -> tuple[dict[str, set[str]], dict[str, LockedUnitRow | None]]:
    """Find and lock the units of keys; return their ids by key and their rows by id."""
    if len(keys) == 1 and not is_id(keys[0]):  # one scan, the common case: one statement
        found = {row["id"]: row for row in tx.rows_as(LockedUnitRow, LOCKED_BY_NAME, name=keys[0])}
        return {keys[0]: set(found)}, _with_roots(tx, found)
    names = _unit_ids(tx, keys)
    ids = sorted({unit_id for each in names.values() for unit_id in each})
    rows = {row["id"]: row for row in tx.rows_as(LockedUnitRow, LOCKED_BY_ID, ids=ids)}
    return names, dict.fromkeys(ids) | _with_roots(tx, rows)


def _with_roots(tx: Transaction, rows: dict[str, LockedUnitRow]) -> dict[str, LockedUnitRow | None]:
    """Add the records that absorbed one of the rows while this command waited for its lock."""
    late = {root for row in rows.values() if (root := row["merged_into"]) and root not in rows}
    if not late:
        return {**rows}
    known: dict[str, LockedUnitRow | None] = {**rows}
    return known | {
        row["id"]: row for row in tx.rows_as(LockedUnitRow, LOCKED_BY_ID, ids=sorted(late))
    }


def _one(
    scan: Scan,
    bearing: Bearing[LockedUnitRow],
    rows: Mapping[str, LockedUnitRow | None],
    states: dict[str, UnitState],
) -> UnitState | Refused:
    try:
        row = choose(scan.identifier, scan.sku, bearing, rows, itself=scan.itself)
    except Refused as refusal:
        return refusal
    # The same unit twice in one batch is one state: the second scan sees what the first did.
    return states.setdefault(row["id"], _state(row))


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
        promised_until=row["promised_until"],
        order_line_id=row["order_line_id"],
        blocks=row["blocks"],
        grade=row["grade"],
        received_at=row["received_at"],
        sold_at=row["sold_at"],
        hash=row["hash"],
        condition=row["condition"],
        kit_id=row["kit_id"],
        members=row["members"],
        merged_into=row["merged_into"],
        expires_on=row["expires_on"],
        client_id=row["client_id"],
        capture_points=row["capture_points"],
    )
