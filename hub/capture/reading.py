"""All that a scanner read at once, sorted by what it says, before anything is looked up."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers import barcodes
from hub.identifiers.barcodes import Barcode, Kind
from hub.identifiers.numbers import canonical, verbatim

READINGS_MAX = 50

# Further names of a unit, and the scheme under which each is kept.
SCHEMES = {
    Kind.IMEI: "imei",
    Kind.MEID: "meid",
    Kind.VIN: "vin",
    Kind.ASSET: "asset",
    Kind.SECONDARY_SERIAL: "secondary_serial",
}

_ID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
# Where, in a value that lost its separators, a further application identifier may begin.
_HIDDEN_AFTER = re.compile(r"(?=(?:10|21|240|250|11\d{6}|17\d{6}))")


@dataclass(slots=True)
class Sorted:
    """Readings by what they say. Values are verbatim, in an order that no scanner decides."""

    gtins: set[str] = field(default_factory=set)  # fourteen digits
    presumed: dict[str, str] = field(default_factory=dict)  # digits as read, which may be a serial
    serials: dict[str, str] = field(default_factory=dict)  # canonical form: as a serial was read
    texts: dict[str, str] = field(default_factory=dict)  # canonical form: as plain text was read
    ids: set[str] = field(default_factory=set)  # our own, from an internal label
    identifiers: set[tuple[str, str]] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    lots: set[str] = field(default_factory=set)
    expiries: set[str] = field(default_factory=set)
    productions: set[str] = field(default_factory=set)
    ssccs: set[str] = field(default_factory=set)
    splits: dict[str, str] = field(default_factory=dict)  # what a serial may be if a lot hides
    broken: set[str] = field(default_factory=set)  # what is wrong with barcodes
    doubts: set[str] = field(default_factory=set)


def sort_out(readings: Sequence[str]) -> Sorted:
    """Take readings apart; a broken one is noted and does not lose the others."""
    if not 0 < len(readings) <= READINGS_MAX:
        raise InvalidInput(f"1 to {READINGS_MAX} readings at once", field="readings")
    told = Sorted()
    for raw in sorted(set(readings)):
        try:
            barcode = barcodes.read(raw)
            _sort(told, barcode)
        except InvalidBarcode as broken:
            told.broken.add(str(broken))
    for key in told.serials:
        told.texts.pop(key, None)
    return told


def own_id(text: str) -> str | None:
    """Return the id that an internal label bears, in whatever case it was read."""
    if not _ID.fullmatch(text):
        return None
    digits = text.replace("-", "").lower()
    places = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return "-".join(digits[start:end] for start, end in places)


def _sort(told: Sorted, barcode: Barcode) -> None:
    for element in barcode.elements:
        kind, value = element.kind, element.value
        if kind is Kind.GTIN and barcode.form == "retail" and barcode.symbology is None:
            told.presumed[value] = barcode.raw.strip()
        elif kind is Kind.TEXT:
            _sort_text(told, value)
        elif kind is Kind.SERIAL:
            told.serials.setdefault(canonical(value), verbatim(value))
        elif kind in SCHEMES:
            told.identifiers.add((SCHEMES[kind], verbatim(value)))
        else:
            _shelf(told, kind).add(value)
    if barcode.doubt is not None:
        told.doubts.add(barcode.doubt)
        told.splits |= _splits(barcode)


def _shelf(told: Sorted, kind: Kind) -> set[str]:
    return {
        Kind.GTIN: told.gtins,
        Kind.LOT: told.lots,
        Kind.EXPIRY: told.expiries,
        Kind.PRODUCTION_DATE: told.productions,
        Kind.SSCC: told.ssccs,
        Kind.DEVICE: told.devices,
    }[kind]


def _sort_text(told: Sorted, text: str) -> None:
    if (unit_id := own_id(text)) is not None:
        told.ids.add(unit_id)
        return
    value = verbatim(text)
    if value != text and text.strip() != value:  # "S/N: …" says itself what it is
        told.serials.setdefault(canonical(value), value)
    else:
        told.texts.setdefault(canonical(value), value)


def _splits(barcode: Barcode) -> dict[str, str]:
    """List the serials that may have been meant by a barcode that lost its separators."""
    found: dict[str, str] = {}
    for serial in barcode.values(Kind.SERIAL):
        for place in _places(serial):
            found.setdefault(canonical(serial[:place]), serial[:place])
    for lot in barcode.values(Kind.LOT):
        for place in _places(lot):
            if lot[place:].startswith("21") and len(lot) > place + 2:
                found.setdefault(canonical(lot[place + 2 :]), lot[place + 2 :])
    return found


def _places(value: str) -> Iterable[int]:
    return (match.start() for match in _HIDDEN_AFTER.finditer(value) if match.start() > 0)
