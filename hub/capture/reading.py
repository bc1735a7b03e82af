"""Parsing of the readings of one scan, by meaning, before any look-up."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers import barcodes
from hub.identifiers.barcodes import Barcode, Kind
from hub.identifiers.names import is_tag_digits
from hub.identifiers.numbers import canonical, own_id, upc_a, verbatim

READINGS_MAX = 50

# Further identifiers of a unit, and their schemes.
SCHEMES = {
    Kind.IMEI: "imei",
    Kind.MEID: "meid",
    Kind.EID: "eid",
    Kind.MAC: "mac",
    Kind.VIN: "vin",
    Kind.ICCID: "iccid",
    Kind.ASSET: "asset",
    Kind.SECONDARY_SERIAL: "secondary_serial",
}

# Where, in a value that lost its separators, a further application identifier may begin.
_HIDDEN_AFTER = re.compile(r"(?=(?:10|21|240|250|11\d{6}|17\d{6}))")


@dataclass(slots=True)
class ScanContent:
    """Readings by meaning. Values are verbatim, in an order independent of the scanner."""

    gtins: set[str] = field(default_factory=set)  # fourteen digits
    presumed: dict[str, str] = field(default_factory=dict)  # digits as read, which may be a serial
    serials: dict[str, str] = field(default_factory=dict)  # canonical form: as a serial was read
    texts: dict[str, str] = field(default_factory=dict)  # canonical form: as plain text was read
    ids: dict[str, str] = field(default_factory=dict)  # perhaps our own: id, as it was read
    upces: dict[str, str] = field(default_factory=dict)  # GTIN of a text that is a UPC-E: its key
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)  # digits, their GTIN and serial
    identifiers: set[tuple[str, str]] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    notes: set[str] = field(default_factory=set)  # of labels with several parts: a colour, a model
    lots: set[str] = field(default_factory=set)
    expiries: set[str] = field(default_factory=set)
    productions: set[str] = field(default_factory=set)
    ssccs: set[str] = field(default_factory=set)
    splits: dict[str, str] = field(default_factory=dict)  # what a serial may be if a lot hides
    broken: set[str] = field(default_factory=set)  # what is wrong with barcodes
    doubts: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)  # HIBC: of secondary labels
    checks: set[str] = field(default_factory=set)  # HIBC: of primary labels


def parse_readings(readings: Sequence[str]) -> ScanContent:
    """Parse readings; a broken one is stored and does not affect the others.

    Raises InvalidInput for no or too many readings.
    """
    if not 0 < len(readings) <= READINGS_MAX:
        raise InvalidInput(f"1 to {READINGS_MAX} readings at once", field="readings")
    content = ScanContent()
    for raw in sorted(set(readings)):
        try:
            barcode = barcodes.read(raw)
            _sort(content, barcode)
        except InvalidBarcode as broken:
            content.broken.add(str(broken))
    for key in content.serials:
        content.texts.pop(key, None)
    return content


def _sort(content: ScanContent, barcode: Barcode) -> None:
    for element in barcode.elements:
        kind, value = element.kind, element.value
        if kind is Kind.GTIN and barcode.form == "retail" and barcode.symbology is None:
            content.presumed[value] = barcode.raw.strip()
        elif kind is Kind.GTIN and barcode.form == "epc" and is_tag_digits(barcode.raw):
            serial = canonical(barcode.values(Kind.SERIAL)[0])
            content.tags[barcode.raw.strip()] = (value, serial)
            content.gtins.add(value)
        elif kind is Kind.TEXT:
            _sort_text(content, value)
        elif kind is Kind.SERIAL:
            content.serials.setdefault(canonical(value), verbatim(value))
        elif kind in SCHEMES:
            content.identifiers.add((element.scheme or SCHEMES[kind], verbatim(value)))
        else:
            _values_of(content, kind).add(value)
    content.links |= {barcode.link} if barcode.link else set()
    content.checks |= {barcode.check} if barcode.check else set()
    if barcode.doubt is not None:
        content.doubts.add(barcode.doubt)
        content.splits |= _splits(barcode)


def _values_of(content: ScanContent, kind: Kind) -> set[str]:
    return {
        Kind.GTIN: content.gtins,
        Kind.LOT: content.lots,
        Kind.EXPIRY: content.expiries,
        Kind.PRODUCTION_DATE: content.productions,
        Kind.SSCC: content.ssccs,
        Kind.DEVICE: content.devices,
        Kind.NOTE: content.notes,
    }[kind]


def _sort_text(content: ScanContent, text: str) -> None:
    if (unit_id := own_id(text)) is not None:
        content.ids[unit_id] = text
        return
    value = verbatim(text)
    if (gtin := upc_a(value)) is not None:
        content.upces[gtin] = canonical(value)
    if value != text and text.strip() != value:  # "S/N: …" marks a serial
        content.serials.setdefault(canonical(value), value)
    else:
        content.texts.setdefault(canonical(value), value)


def _splits(barcode: Barcode) -> dict[str, str]:
    """Return the possible serials of a barcode without separators, by canonical form."""
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
