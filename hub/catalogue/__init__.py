"""The catalogue: manufacturers, products and locations.

Registering an existing code again updates its record.
"""

from typing import Literal, TypedDict, overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from hub.catalogue import serial_case
from hub.catalogue.capture_points import checked_points
from hub.catalogue.cards import (
    CURRENCY,
    LOT_TRACKED,
    OUTSIDE_KINDS,
    SELLING_KINDS,
    SERIAL_TRACKED,
    LocationCard,
    LocationKind,
    ManufacturerCard,
    Picking,
    ProductCard,
    ReplacementCover,
    Tracking,
    Trait,
    WarrantyStart,
)
from hub.catalogue.serial_case import SerialCase
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, UnknownReference
from hub.identifiers.numbers import gtin14
from hub.storage.rows import (
    CaseRow,
    ClientRow,
    DeliveryRow,
    LocationRow,
    ManufacturerRow,
    OrderLineRow,
    OrderRow,
    ProductRow,
)
from hub.storage.sql import Row, Transaction

__all__ = [
    "CURRENCY",
    "CUSTOMER",
    "IN_TRANSIT",
    "LOT_TRACKED",
    "OUTSIDE_KINDS",
    "SELLING_KINDS",
    "SERIAL_TRACKED",
    "SUPPLIER",
    "CatalogueProductRow",
    "LocationCard",
    "LocationKind",
    "ManufacturerCard",
    "Picking",
    "ProductCard",
    "ReplacementCover",
    "SerialCase",
    "Tracking",
    "Trait",
    "WarrantyStart",
    "gtin14_or_none",
    "location",
    "products_by_code",
    "reference",
    "register_location",
    "register_manufacturer",
    "register_product",
    "time_zone",
    "written_gtins",
]

# The three places outside every building; the migrations make them.
CUSTOMER = "00000000-0000-7000-8000-000000000001"
IN_TRANSIT = "00000000-0000-7000-8000-000000000002"
SUPPLIER = "00000000-0000-7000-8000-000000000003"


class CatalogueProductRow(ProductRow):
    """A product with its manufacturer; `serial_pattern` falls back to the manufacturer's."""

    manufacturer_code: str
    maker_code: str
    maker_name: str


class _Id(TypedDict):
    id: str


class _Registered(TypedDict):
    id: str
    serial_case: str


class _ProductCodes(TypedDict):
    sku: str
    gtin: str | None


class _ManufacturerId(TypedDict):
    manufacturer_id: str


def register_manufacturer(tx: Transaction, context: CommandContext, card: ManufacturerCard) -> str:
    """Create or update a manufacturer; return its id. Raise InvalidInput for a bad code or name."""
    _check_code_and_name(card.code, card.name)
    row = tx.row_as(
        _Id,
        "INSERT INTO manufacturer(id, code, name, serial_pattern, serial_period, created_at) "
        "VALUES(:id, :code, :name, :pattern, :period, :now) ON CONFLICT(code) DO UPDATE "
        "SET name = excluded.name, serial_pattern = excluded.serial_pattern, "
        "serial_period = excluded.serial_period RETURNING id",
        id=new_id(),
        code=card.code,
        name=card.name,
        pattern=card.serial_pattern,
        period=card.serial_period,
        now=micros(context.now),
    )
    assert row is not None
    return row["id"]


_REGISTER = (
    "INSERT INTO product(id, sku, name, manufacturer_id, gtin, model_number, warranty_months, "
    "tracking, capture_points, serial_pattern, category, value, currency, traits, "
    "warranty_start, replacement_cover, return_days, picking, created_at) "
    "VALUES(:id, :sku, :name, :maker, :gtin, :model, :months, :tracking, :points, :pattern, "
    ":category, :value, :currency, :traits, :start, :cover, :return_days, :picking, :now) "
    "ON CONFLICT(sku) DO UPDATE SET name = excluded.name, gtin = excluded.gtin, "
    "model_number = excluded.model_number, warranty_months = excluded.warranty_months, "
    # An import never switches serial tracking off once it is on.
    "tracking = CASE WHEN product.tracked_since IS NOT NULL AND excluded.tracking "
    "IN ('none', 'lot') THEN product.tracking ELSE excluded.tracking END, "
    "capture_points = excluded.capture_points, "
    "serial_pattern = excluded.serial_pattern, category = excluded.category, "
    "value = excluded.value, currency = excluded.currency, traits = excluded.traits, "
    "warranty_start = excluded.warranty_start, "
    "replacement_cover = excluded.replacement_cover, return_days = excluded.return_days, "
    "picking = excluded.picking RETURNING id, serial_case"
)


def register_product(tx: Transaction, context: CommandContext, card: ProductCard) -> str:
    """Create or update a product; return its id.

    Raise InvalidInput for invalid data or another manufacturer, UnknownReference for an unknown
    manufacturer.
    """
    _check_product(card)
    manufacturer = reference(tx, "manufacturer", "code", card.manufacturer)
    gtin = gtin14(card.gtin) if card.gtin else None
    _check_codes(tx, card.sku, gtin)
    known = tx.row_as(
        _ManufacturerId, "SELECT manufacturer_id FROM product WHERE sku = :sku", sku=card.sku
    )
    if known is not None and known["manufacturer_id"] != manufacturer["id"]:
        raise InvalidInput("the manufacturer of a product can not be changed", field="manufacturer")
    row = tx.row_as(
        _Registered,
        _REGISTER,
        id=new_id(),
        sku=card.sku,
        name=card.name,
        maker=manufacturer["id"],
        gtin=gtin,
        model=card.model_number,
        months=card.warranty_months,
        tracking=str(card.tracking),
        points=checked_points(card.capture_points),
        pattern=card.serial_pattern,
        category=card.category,
        value=card.value,
        currency=card.currency,
        traits=orjson.dumps(sorted({str(each) for each in card.traits})).decode(),
        start=str(card.warranty_start),
        cover=str(card.replacement_cover),
        return_days=card.return_days,
        picking=str(card.picking),
        now=micros(context.now),
    )
    assert row is not None
    if card.serial_case is not None:
        serial_case.switch(tx, row["id"], row["serial_case"], card.serial_case)
    return row["id"]


def _check_codes(tx: Transaction, sku: str, gtin: str | None) -> None:
    """Raise InvalidInput where a code of a product is that of another one.

    A GTIN is one product's, and no SKU is written as another product's GTIN: a reading would be of
    the one or the other by chance.
    """
    own = gtin14_or_none(sku)
    for row in tx.rows_as(
        _ProductCodes,
        "SELECT sku, gtin FROM product WHERE sku <> :sku AND (gtin IN (:gtins...) "
        "OR sku IN (:skus...))",
        sku=sku,
        gtins=sorted({each for each in (gtin, own) if each}),
        skus=sorted(written_gtins(gtin)) if gtin else [],
    ):
        if gtin is not None and row["gtin"] == gtin:
            raise InvalidInput(f"GTIN {gtin} is that of {row['sku']} already", field="gtin")
        if own is not None and row["gtin"] == own:
            raise InvalidInput(f"the SKU {sku} is the GTIN of {row['sku']}", field="sku")
        raise InvalidInput(f"GTIN {gtin} is the SKU {row['sku']}", field="gtin")


def written_gtins(gtin: str) -> set[str]:
    """Return the ways to write a GTIN of fourteen digits: with 14, 13, 12 and 8 of them."""
    return {gtin[14 - length :] for length in (8, 12, 13, 14) if not gtin[: 14 - length].strip("0")}


def gtin14_or_none(text: str) -> str | None:
    """Return a text as a GTIN of fourteen digits, or None if it is none."""
    try:
        return gtin14(text)
    except InvalidInput:
        return None


def _check_product(card: ProductCard) -> None:
    _check_code_and_name(card.sku, card.name, code_chars_max=100)
    if len(card.model_number or "") > 100:
        raise InvalidInput("a model number has at most 100 characters", field="modelNumber")
    if not 0 <= card.warranty_months <= 1_200:
        raise InvalidInput("a warranty lasts 0 to 1,200 months", field="warrantyMonths")
    if not 0 <= card.return_days <= 3_650:
        raise InvalidInput("goods come back within 0 to 3,650 days", field="returnDays")
    if not 0 < len(card.category or "-") <= 60:
        raise InvalidInput("a category has 1 to 60 characters", field="category")
    if (card.value is None) != (card.currency is None) or (card.value or 0) < 0:
        raise InvalidInput("a value is not negative, and has its currency", field="value")
    if card.currency is not None and not CURRENCY.fullmatch(card.currency):
        raise InvalidInput("a currency is three letters of ISO 4217", field="currency")


def register_location(tx: Transaction, context: CommandContext, card: LocationCard) -> str:
    """Create or update a location; return its id.

    Raise InvalidInput for invalid data or a kind outside every building, UnknownReference for an
    unknown site.
    """
    _check_code_and_name(card.code, card.name)
    if card.time_zone is not None:
        time_zone(card.time_zone)
    if card.kind in OUTSIDE_KINDS:
        raise InvalidInput(f"there is one {card.kind} location already", field="kind")
    own_id = new_id()
    site_id = reference(tx, "location", "code", card.site)["id"] if card.site else own_id
    row = tx.row_as(
        _Id,
        "INSERT INTO location(id, code, name, kind, site_id, time_zone, created_at) "
        "VALUES(:id, :code, :name, :kind, :site_id, :time_zone, :now) "
        "ON CONFLICT(code) DO UPDATE SET name = excluded.name, "
        "time_zone = COALESCE(excluded.time_zone, location.time_zone) RETURNING id",
        id=own_id,
        code=card.code,
        name=card.name,
        kind=card.kind,
        site_id=site_id,
        time_zone=card.time_zone,
        now=micros(context.now),
    )
    assert row is not None
    return row["id"]


def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; raise InvalidInput for another name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            f"{name[:64]!r} is no time zone: name one as Europe/Paris", field="timeZone"
        ) from error


@overload
def reference(
    tx: Transaction, table: Literal["product"], column: str, value: str
) -> ProductRow: ...
@overload
def reference(
    tx: Transaction, table: Literal["location"], column: str, value: str
) -> LocationRow: ...
@overload
def reference(
    tx: Transaction, table: Literal["manufacturer"], column: str, value: str
) -> ManufacturerRow: ...
@overload
def reference(tx: Transaction, table: Literal["client"], column: str, value: str) -> ClientRow: ...
@overload
def reference(
    tx: Transaction, table: Literal["delivery"], column: str, value: str
) -> DeliveryRow: ...
@overload
def reference(
    tx: Transaction, table: Literal["sales_order"], column: str, value: str
) -> OrderRow: ...
@overload
def reference(
    tx: Transaction, table: Literal["order_line"], column: str, value: str
) -> OrderLineRow: ...
@overload
def reference(
    tx: Transaction, table: Literal["exception_case"], column: str, value: str
) -> CaseRow: ...
@overload
def reference(tx: Transaction, table: str, column: str, value: str) -> Row: ...
def reference(
    tx: Transaction, table: str, column: str, value: str
) -> (
    ProductRow
    | LocationRow
    | ManufacturerRow
    | ClientRow
    | DeliveryRow
    | OrderRow
    | OrderLineRow
    | CaseRow
    | Row
):
    """Return the row of a table that has a value in a column; raise UnknownReference if none."""
    # Table and column come from the code, never from input.
    row = tx.row(f"SELECT * FROM {table} WHERE {column} = :value", value=value)
    if row is None:
        raise UnknownReference(f"there is no {table.replace('_', ' ')} {value!r}", field=table)
    return row


def location(tx: Transaction, code: str) -> LocationRow:
    """Return a location inside one of our buildings by its code.

    Raise UnknownReference for an unknown code, InvalidInput for a location outside every building.
    """
    row = reference(tx, "location", "code", code)
    if row["kind"] in OUTSIDE_KINDS:
        raise InvalidInput(f"nothing can be put into {code}", field="location")
    return row


def _check_code_and_name(code: str, name: str, *, code_chars_max: int = 64) -> None:
    for field, value, chars_max in (("code", code, code_chars_max), ("name", name, 200)):
        if not value.strip() or len(value) > chars_max:
            raise InvalidInput(f"the {field} needs 1 to {chars_max} characters", field=field)


def products_by_code(tx: Transaction, codes: list[str]) -> dict[str, CatalogueProductRow]:
    """Return products by SKU or GTIN, keyed by the given code; unknown codes are left out.

    A code that is the SKU of one product and the GTIN of another is the SKU.
    """
    rows = tx.rows_as(
        CatalogueProductRow,
        "SELECT product.*, COALESCE(product.serial_pattern, manufacturer.serial_pattern) "
        "AS serial_pattern, manufacturer.code AS manufacturer_code, "
        "manufacturer.code AS maker_code, manufacturer.name AS maker_name "
        "FROM product JOIN manufacturer ON manufacturer.id = product.manufacturer_id "
        "WHERE sku IN (:codes...) OR gtin IN (:gtins...)",
        codes=codes,
        gtins=[code.zfill(14) for code in codes if code.isdigit()],
    )
    found: dict[str, CatalogueProductRow] = {}
    wanted = set(codes)
    by_gtin = {row["gtin"]: row for row in rows if row["gtin"]}
    for code in codes:
        if code.isdigit() and (row := by_gtin.get(code.zfill(14))) is not None:
            found[code] = row
    found.update({row["sku"]: row for row in rows if row["sku"] in wanted})
    return found
