"""Bulk reads: the distinct tags of one RFID sweep, each with its unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from hub.capture.answers import CaptureCode
from hub.catalogue import products_by_code
from hub.errors import InvalidBarcode, InvalidInput, UnknownReference
from hub.identifiers.names import Name, UnitCode, is_tag_digits, names_of, unit_of
from hub.identifiers.numbers import serial_key, verbatim
from hub.ledger.choosing import agreed, written_so
from hub.ledger.unit_views import by_their_names
from hub.ledger.units import UNITS
from hub.lifecycle import Status
from hub.storage.sql import Row, Transaction

READS_MAX = 20_000  # in one sweep


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: its first reading, the number of readings, its content and its unit.

    `code` is OK, or why there is no unit to work with: UNKNOWN_UNIT, UNKNOWN_PRODUCT,
    PRODUCT_MISMATCH, SEVERAL_SERIALS (two units bear the name), CONTRADICTION (a label whose parts
    are of several units) or BROKEN_BARCODE.
    """

    read: str
    times: int
    code: CaptureCode
    gtin: str | None = None
    serial: str | None = None
    sku: str | None = None
    unit: Row | None = None


class _UnitName(TypedDict):
    name: str
    id: str


@dataclass(slots=True)
class _Seen:
    read: str
    gtin: str | None
    serial: str | None  # None: it can not be read
    names: tuple[Name, ...] = ()
    times: int = 0


def read_tags(tx: Transaction, reads: Sequence[str], *, product: str | None = None) -> list[Tag]:
    """Return the distinct tags of one sweep, in the order in which they were first read.

    A read is an EPC (SGTIN, as a URI or as a tag's hexadecimal digits), a GS1 Digital Link, or any
    name of a unit. `product` is the SKU or GTIN of which all should be.
    """
    if not 0 < len(reads) <= READS_MAX:
        raise InvalidInput(f"1 to {READS_MAX} reads at once", field="reads")
    seen = _each_once(reads)
    gtins = {each.gtin for each in seen if each.gtin}
    products = products_by_code(tx, sorted(gtins | ({product} if product else set())))
    if product is not None and product not in products:
        raise UnknownReference(f"there is no product {product!r}", field="product")
    wanted = products[product]["id"] if product is not None else None
    keys = {key for each in seen for name in each.names for key in name.keys}
    bearers = _bearers(tx, sorted(keys))
    return _merged([_tag(each, products, bearers, wanted) for each in seen], products)


def _each_once(reads: Sequence[str]) -> list[_Seen]:
    seen: dict[tuple[str | None, str], _Seen] = {}
    for read in reads:
        try:
            names = names_of(read)
            code = _code(read)
            gtin, serial = (code.gtin, code.serial) if code else (None, read)
            key = (gtin, verbatim(serial))
            fresh = _Seen(read, gtin, serial, names)
        except InvalidBarcode:
            key, fresh = (None, f"\x00{read}"), _Seen(read, None, None)
        seen.setdefault(key, fresh).times += 1
    return list(seen.values())


def _merged(tags: Sequence[Tag], products: Mapping[str, Row]) -> list[Tag]:
    """Return the tags, with those as one that differ by the writing of a serial only."""
    merged: dict[tuple[object, ...], Tag] = {}
    for tag in tags:
        key: tuple[object, ...] = (tag.read,)
        if tag.unit is not None:
            key = (tag.unit["id"], tag.gtin)
        elif tag.serial is not None:
            product = products.get(tag.gtin or "")
            case = str(product["serial_case"]) if product is not None else ""
            key = (None, tag.gtin, serial_key(tag.serial, case))
        first = merged.get(key)
        merged[key] = tag if first is None else replace(first, times=first.times + tag.times)
    return list(merged.values())


def _code(read: str) -> UnitCode | None:
    try:
        return unit_of(read)
    except InvalidBarcode:
        if is_tag_digits(read):
            return None  # no tag's content; another maker's serial may look the same
        raise


def _bearers(tx: Transaction, keys: list[str]) -> dict[str, list[Row]]:
    """Return the units of each canonical name, as their serial or a further identifier."""
    found: dict[str, dict[str, Row]] = {}
    names = tx.rows_as(
        _UnitName,
        "SELECT serial_canonical AS name, id FROM unit WHERE serial_canonical IN (:keys...) "
        "UNION SELECT canonical, unit_id FROM identifier WHERE canonical IN (:keys...) "
        "UNION SELECT id, id FROM unit WHERE id IN (:keys...)",
        keys=keys,
    )
    ids = sorted({row["id"] for row in names})
    units = by_their_names(tx, tx.rows(f"{UNITS}WHERE unit.id IN (:ids...)", ids=ids))
    for row in names:
        found.setdefault(row["name"], {})[row["id"]] = units[row["id"]]
    return {name: list(bearing.values()) for name, bearing in found.items()}


def _first_bearing(names: Sequence[Name], bearers: Mapping[str, list[Row]]) -> list[Row]:
    """Return the units of the first name that any unit bears; a written-off one steps back.

    Raises InvalidBarcode for a label whose parts are of several units.
    """
    found = [(_bearing(name, bearers), name) for name in names]
    if any(name.is_part for _, name in found):
        return agreed([each for each in found if each[1].is_part])
    return next((units for units, _ in found if units), [])


def _bearing(name: Name, bearers: Mapping[str, list[Row]]) -> list[Row]:
    found = {unit["id"]: unit for key in name.keys for unit in bearers.get(key, [])}
    units = [unit for unit in found.values() if name.gtin in {None, unit["gtin"]}]
    units = written_so(units, name)
    return [unit for unit in units if unit["status"] != Status.WRITTEN_OFF] or units


def _tag(
    seen: _Seen,
    products: Mapping[str, Row],
    bearers: dict[str, list[Row]],
    wanted: object,
) -> Tag:
    if seen.serial is None:
        return Tag(seen.read, seen.times, CaptureCode.BROKEN_BARCODE)
    product = products.get(seen.gtin) if seen.gtin else None
    try:
        units = _first_bearing(seen.names, bearers)
    except InvalidBarcode:
        return Tag(seen.read, seen.times, CaptureCode.CONTRADICTION, seen.gtin, seen.serial)
    if not units and is_tag_digits(seen.read) and seen.gtin is None:
        return Tag(seen.read, seen.times, CaptureCode.BROKEN_BARCODE)
    unit = units[0] if len(units) == 1 else None
    product_id = unit["product_id"] if unit else (product or {}).get("id")
    if len(units) > 1:
        code = CaptureCode.SEVERAL_SERIALS
    elif wanted is not None and product_id is not None and product_id != wanted:
        code = CaptureCode.PRODUCT_MISMATCH
    elif unit is None and seen.gtin is not None and product is None:
        code = CaptureCode.UNKNOWN_PRODUCT
    else:
        code = CaptureCode.OK if unit else CaptureCode.UNKNOWN_UNIT
    sku = unit["sku"] if unit else (product or {}).get("sku")
    return Tag(seen.read, seen.times, code, seen.gtin, seen.serial, str(sku) if sku else None, unit)
