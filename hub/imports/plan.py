"""Import plan: mapping of the columns of a file, and conversion of a row into an arrival."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hub.clock import EARLIEST, stated_day
from hub.errors import InvalidInput
from hub.imports.reading import Source
from hub.imports.rows import BadRow, Raw, RowCode
from hub.ledger.arrivals import Arrival, Condition
from hub.unit_records.custom_fields import check_field

# Whatever people call a column, written without case, blanks and signs.
NAMES = {
    "serial": ("serial", "serialnumber", "serialno", "sn"),
    "product": ("product", "sku", "item"),
    "gtin": ("gtin", "ean", "upc", "barcode"),
    "lot": ("lot", "lotnumber", "lotno"),
    "batch": ("batch", "batchnumber"),
    "produced_on": ("producedon", "produced", "productiondate", "manufactured"),
    "expires_on": ("expireson", "expires", "expiry", "expirydate", "bestbefore"),
    "condition": ("condition",),
    "supplier": ("supplier", "vendor"),
    "purchase_order": ("purchaseorder", "po", "ponumber"),
    "client": ("client",),
    "location": ("location", "bin", "warehouse"),
    "received_on": ("receivedon", "received", "receiptdate"),
    "identifier:imei": ("imei", "imei1"),
    "identifier:imei2": ("imei2",),
    "identifier:mac": ("mac", "macaddress"),
    "identifier:eid": ("eid",),
    "identifier:asset_tag": ("assettag",),
}
FIELDS = frozenset(name for name in NAMES if ":" not in name)
NAMED = {alias: name for name, aliases in NAMES.items() for alias in aliases}
CONDITIONS = tuple(str(each) for each in Condition)
IGNORED = "-"
_SIGNS = re.compile(r"[^a-z0-9]+")
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
# The errors of a spreadsheet in any language: #REF!, #BEZUG!, #¿NOMBRE?, #NV, ####, Err:502.
_ERROR = re.compile(
    r"#[¡¿]?[^\W_][\w/ ]{0,20}[!?]|#[^\W_]/[^\W_]|#{3,}|#(?:NV|NA|НД|BRAK|YOK|HIÁNYZIK|"
    r"NENÍ_K_DISPOZICI|NEDOSTUPNÝ|GETTING_DATA)|(?:Err|Error|Erreur|Fehler|Chyba) ?: ?\d{3}",
    re.IGNORECASE,
)
# The truth values of a spreadsheet, in the languages that people mostly have theirs in.
_TRUTH = frozenset({
    "true", "false", "wahr", "falsch", "vrai", "faux", "verdadero", "falso", "vero", "onwaar",
    "waar", "sant", "sand", "falskt", "falsk", "usann", "tosi", "epätosi", "prawda", "fałsz",
    "pravda", "nepravda", "igaz", "hamis", "adevărat", "doğru", "yanliş", "yanlış", "истина",
    "ложь", "істина", "хибність", "αληθησ", "ψευδησ", "verdadeiro"
})  # fmt: skip
_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"')  # how people keep a spreadsheet from counting
# What people write where they know nothing.
_NOTHING = frozenset(
    {"n/a", "n.a.", "n/d", "none", "null", "nil", "-", "--", "?", "tbd", "unknown"}
)
_DAYS = (
    re.compile(r"(?P<year>\d{4})[-/.]?(?P<month>\d{2})[-/.]?(?P<day>\d{2})"),
    re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a file is to be read.

    `location` and `product` (its SKU or GTIN) are those of rows that name none. `encoding` and
    `delimiter` are those of a CSV, found out where they are not named, `sheet` that of a workbook.
    `columns` maps names of columns to fields: one of `FIELDS`, ``identifier:SCHEME``,
    ``field:NAME``, or ``-`` for a column that is left out. `unserialized_stock`: the units are part
    of stock whose serials were not read before.
    """

    location: str | None = None
    product: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    unserialized_stock: bool = False

    def as_json(self) -> list[Any]:
        """Return plain values: the same file read otherwise is another run."""
        return [
            self.location,
            self.product,
            sorted(self.columns.items()),
            self.delimiter,
            self.encoding,
            self.sheet,
            self.unserialized_stock,
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Content of one row."""

    arrival: Arrival
    location: str
    gtin: str | None = None  # what the row says of it beside the SKU, to be compared
    received_on: date | None = None
    fields: tuple[tuple[str, str], ...] = ()


class Columns:
    """Fields of the columns of one file."""

    def __init__(self, source: Source, plan: Plan) -> None:
        unknown = sorted(set(plan.columns) - set(source.columns))
        if unknown:
            raise InvalidInput(f"there is no column {unknown[0]!r}", field="map")
        self.plan = plan
        self.fields = [
            _field(plan.columns[column]) if column in plan.columns else _guess(column)
            for column in source.columns
        ]
        chosen = [each for each in self.fields if each is not None]
        self._identifiers = [each for each in chosen if each.startswith("identifier:")]
        self._custom = sorted(each for each in chosen if each.startswith("field:"))
        twice = next((each for each in chosen if chosen.count(each) > 1), None)
        if twice is not None:
            raise InvalidInput(f"two columns hold {twice}: map one to '-'", field="map")
        if "serial" not in chosen:
            raise InvalidInput("no column holds serials: map one, COLUMN=serial", field="map")
        if "location" not in chosen and plan.location is None:
            raise InvalidInput("say the location of the units", field="location")

    @property
    def ignored(self) -> int:
        """Return the number of unmapped columns."""
        return self.fields.count(None)

    def serial(self, raw: Raw) -> str:
        """Return the serial of a row, for its verdict, as far as there is one."""
        index = self.fields.index("serial")
        return raw.cells[index][:200] if index < len(raw.cells) else ""

    def wanted(self, raw: Raw, now: datetime | None) -> Wanted:
        """Read a row, or raise BadRow; without `now` no day is too late."""
        if raw.wrong is not None:
            raise raw.wrong
        values = self._values(raw)
        if "serial" not in values:
            raise BadRow(RowCode.MISSING_VALUE, "the row has no serial")
        location = values.get("location") or self.plan.location
        if location is None:
            raise BadRow(RowCode.MISSING_VALUE, "the row has no location")
        received_on = _day(values, "received_on")
        # A day begins first where it is latest: 14 hours before UTC.
        if received_on and now and received_on > (now + timedelta(hours=14)).date():
            raise BadRow(RowCode.BAD_DATE, f"received on {received_on}, which is in the future")
        if received_on and received_on < EARLIEST.date():
            raise BadRow(RowCode.BAD_DATE, f"received on {received_on}, which is too long ago")
        return Wanted(
            arrival=_arrival(values, self.plan.product, self._identifiers),
            location=location,
            gtin=values.get("gtin") if "product" in values else None,
            received_on=received_on,
            fields=_custom(values, self._custom),
        )

    def _values(self, raw: Raw) -> dict[str, str]:
        """Return what the row says, by field; raises BadRow."""
        values = {}
        for index, (name, cell) in enumerate(zip(self.fields, raw.cells, strict=True)):
            if name is None or not cell:
                continue
            if index in raw.typed and _names(name):
                text = f"the file holds {raw.typed[index]} as {name}: save the column as text"
                raise BadRow(RowCode.NOT_TEXT, text)
            if (plain := _plain(name, cell)) is not None:
                values[name] = plain
        return values


def _names(field_name: str) -> bool:
    """Return whether a field names a unit or its product."""
    return field_name in {"serial", "product", "gtin"} or field_name.startswith("identifier:")


def _guess(column: str) -> str | None:
    for kind in ("field:", "identifier:"):
        if column.lower().startswith(kind):
            return _field(kind + column[len(kind) :])
    return NAMED.get(_SIGNS.sub("", column.lower()))


def _field(name: str) -> str | None:
    if name == IGNORED:
        return None
    kind, _, rest = name.partition(":")
    if kind == "field" and rest:
        check_field(rest)
        return name
    if name in FIELDS or (kind == "identifier" and rest):
        return name
    known = ", ".join(sorted(FIELDS))
    raise InvalidInput(
        f"{name!r} is no field: {known}, identifier:SCHEME, field:NAME or '-'", field="map"
    )


def _plain(name: str, cell: str) -> str | None:
    """Return a cell, None where it says that nothing is known; refuse what a spreadsheet made."""
    if protected := _TEXT_FORMULA.fullmatch(cell):
        return protected[1].replace('""', '"').strip() or None
    if cell.lower() in _NOTHING or (name.startswith("identifier:") and not cell.strip("0")):
        return None
    if cell[0] in "=@" or _ERROR.fullmatch(cell):
        raise BadRow(RowCode.FORMULA, f"{name} is a formula or its error: {cell[:60]!r}")
    if cell.casefold() in _TRUTH and _names(name):
        text = f"{name} is a truth value of a spreadsheet, {cell!r}: save the column as text"
        raise BadRow(RowCode.NOT_TEXT, text)
    if _SCIENTIFIC.fullmatch(cell) and any(sign in cell for sign in ".,+") and _names(name):
        text = f"a spreadsheet has shortened {name} to {cell!r}: save the column as text"
        raise BadRow(RowCode.ROUNDED_NUMBER, text)
    return cell


def _arrival(values: Mapping[str, str], product: str | None, identifiers: Sequence[str]) -> Arrival:
    condition = values.get("condition", "new").lower().replace(" ", "_").replace("-", "_")
    if condition not in CONDITIONS:
        raise BadRow(RowCode.BAD_CONDITION, f"{condition!r} is none of {', '.join(CONDITIONS)}")
    return Arrival(
        serial=values["serial"],
        product=values.get("product") or values.get("gtin") or product or "",
        identifiers=_named(values, identifiers),
        lot=values.get("lot"),
        batch=values.get("batch"),
        produced_on=_day(values, "produced_on"),
        expires_on=_day(values, "expires_on"),
        supplier=values.get("supplier"),
        purchase_order=values.get("purchase_order"),
        client=values.get("client"),
        condition=Condition(condition),
    )


def _named(values: Mapping[str, str], columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return what a row has in columns such as ``identifier:imei``, as scheme or name and value."""
    if not columns:
        return ()
    return tuple((each.partition(":")[2], values[each]) for each in columns if each in values)


def _custom(values: Mapping[str, str], columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    fields = _named(values, columns)
    for name, value in fields:
        check_field(name, value)
    return fields


def _day(values: Mapping[str, str], name: str) -> date | None:
    """Read a day: ISO 8601, or day, month and year with points."""
    text = values.get(name)
    if text is None:
        return None
    written = text.partition("T")[0].partition(" ")[0]
    for form in _DAYS:
        found = form.fullmatch(written)
        if found is None:
            continue
        try:
            day = date(int(found["year"]), int(found["month"]), int(found["day"]))
            return stated_day(day, name)
        except (ValueError, InvalidInput):
            break
    raise BadRow(RowCode.BAD_DATE, f"{name} {text!r} is no day: write it as 2026-11-30")


def at_noon(day: date, now: datetime) -> datetime:
    """Return when a unit arrived of which only the day is known: noon in UTC, and never later."""
    return min(now, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))


def by_evening(day: date, now: datetime) -> datetime:
    """Return the end of a day in UTC, and never later than now."""
    return min(now, datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC))
