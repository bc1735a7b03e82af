"""What a reading names: a unit by GTIN and serial, or a text with all forms that it may have.

Every way in asks here: receiving, look-up, reading of tags, imports, the check of returns. One unit
is one record, whatever of its labels was scanned.
"""

from dataclasses import dataclass
from functools import lru_cache

from hub.errors import InvalidBarcode
from hub.identifiers import barcodes, epc, epc_plus
from hub.identifiers.barcodes import Barcode, Kind, is_composite
from hub.identifiers.device_numbers import (
    CHARS_MIN,
    is_eid,
    is_imei,
    is_mac,
    is_meid,
    is_vin,
    keys_of,
    normalized,
    without_label,
)
from hub.identifiers.envelopes import is_envelope
from hub.identifiers.gs1 import is_element_string
from hub.identifiers.isbt import is_printed
from hub.identifiers.numbers import canonical, is_id, own_id, verbatim

READABLE = frozenset({"gs1", "digital_link", "epc", "hibc", "iccbba", "envelope", "composite"})
# What names a unit whose label has no serial, the most certain first.
PRIMARY = (Kind.VIN, Kind.IMEI, Kind.MEID, Kind.EID, Kind.MAC)
FURTHER = (*PRIMARY, Kind.ICCID)


@dataclass(frozen=True, slots=True)
class UnitCode:
    """A code that names one unit: its serial and, where the code has them, the other elements.

    `is_certain` is False for a tag's hexadecimal digits: another maker's serial may look the same.
    """

    serial: str
    gtin: str | None = None
    lot: str | None = None
    expires_on: str | None = None  # ISO days
    produced_on: str | None = None
    is_certain: bool = True
    identifiers: tuple[tuple[str, str], ...] = ()  # further ones of the label: scheme and value
    has_serial: bool = True  # the label has one: `serial` is no number of a device in its place


@dataclass(frozen=True, slots=True)
class Name:
    """One way to look a reading up: the canonical forms of a name, of a product or of any.

    `exact` is the name as it was read, for products with exact serials. Names with `is_part` are
    those of one label: a unit is named by all of them that any unit bears. `is_serial` is the
    serial among them, which the unit must bear if the label has one.
    """

    keys: tuple[str, ...]
    gtin: str | None = None
    is_id: bool = False
    exact: str = ""
    is_part: bool = False
    is_serial: bool = False


@lru_cache(50_000)  # a command asks for the same text at several steps
def unit_of(text: str) -> UnitCode | None:
    """Return the unit that a code names; None for a text that is no such code.

    Raises InvalidBarcode for an EPC that names no unit, and for a GS1 element string with a GTIN
    and without a serial: it would name every unit of its product.
    """
    text = barcodes.cleaned(text)
    if (number := _labelled(text)) is not None:
        return UnitCode(number, has_serial=False)
    if not _may_be_code(text):
        return None
    if epc.is_epc(text):
        return _tag(text)
    try:
        barcode = barcodes.read(text)
    except InvalidBarcode:
        if is_composite(text):
            raise
        return None  # a text that only begins like a code is a text like others
    return _unit_code(barcode, text) if barcode.form in READABLE else None


def _tag(text: str) -> UnitCode:
    is_certain = text[:4].lower() == "urn:"
    digits = epc.bare(text)
    if not epc_plus.is_plus(digits):
        tag = epc.read(digits)
        return UnitCode(tag.serial, tag.gtin, is_certain=is_certain)
    plus = epc_plus.decode(digits)
    return UnitCode(
        plus.serial,
        plus.gtin,
        lot=plus.elements.get("10"),
        expires_on=plus.elements.get("17"),
        produced_on=plus.elements.get("11"),
        is_certain=is_certain,
    )


def _unit_code(barcode: Barcode, text: str) -> UnitCode | None:
    gtins = barcode.values(Kind.GTIN)
    further = _further(barcode)
    serials = barcode.values(Kind.SERIAL)
    if len(serials) > 1 and len({canonical(each) for each in serials}) > 1:
        raise InvalidBarcode(f"two serials were read at once: {', '.join(serials)}", read=text)
    named = serials or [value for kind, _, value in further if kind in PRIMARY]
    if not named:
        if barcode.form in {"gs1", "envelope", "composite"} and gtins:
            raise InvalidBarcode(
                f"this is the GTIN {gtins[0]} without a serial: scan the serial label", read=text
            )
        return None
    if barcode.form == "digital_link" and not gtins:
        return None
    return UnitCode(
        serial=named[0],
        gtin=gtins[0] if gtins else None,
        lot=_only(barcode.values(Kind.LOT)),
        expires_on=_only(barcode.values(Kind.EXPIRY)),
        produced_on=_only(barcode.values(Kind.PRODUCTION_DATE)),
        identifiers=tuple((scheme, value) for _, scheme, value in further if value != named[0]),
        has_serial=bool(serials),
    )


def _further(barcode: Barcode) -> list[tuple[Kind, str, str]]:
    """Return the numbers of a device on a label, as kind, scheme and value, the surest first."""
    found = [
        (each.kind, each.scheme or str(each.kind), each.value)
        for each in barcode.elements
        if each.kind in FURTHER
    ]
    return sorted(found, key=lambda each: (FURTHER.index(each[0]), *each[1:]))


def is_tag_digits(text: str) -> bool:
    """Return whether a text is digits as of a tag, and not an EPC that says so itself."""
    return epc.is_epc(text.strip()) and text.strip()[:4].lower() != "urn:"


def names_of(text: str) -> tuple[Name, ...]:
    """Return the ways to look a reading up, the most certain first.

    Raises InvalidBarcode for a text that names nothing.
    """
    text = barcodes.cleaned(text)
    found: list[Name] = []
    if (unit_id := text if is_id(text) else own_id(text)) is not None:
        found.append(Name((unit_id,), is_id=True))
    broken = None
    try:
        code = unit_of(text)
    except InvalidBarcode as error:
        code, broken = None, error
    if code is not None:
        further = keys_of(code.serial) if code.gtin is None else ()
        keys = _each_once(canonical(code.serial), *further)
        found += _names_of(code, keys)
    if code is None or not code.is_certain:
        try:
            keys = _each_once(canonical(text), *keys_of(text))
            found.append(Name(keys, exact=verbatim(text)))
        except InvalidBarcode as error:
            broken = broken or error
    if not found:
        raise broken or InvalidBarcode("nothing was read: scan again", read=text)
    return tuple(found)


def _names_of(code: UnitCode, keys: tuple[str, ...]) -> list[Name]:
    """Return the names of a code; those of a label with several numbers belong together."""
    is_part = bool(code.identifiers)
    exact = verbatim(code.serial)
    first = Name(keys, code.gtin, exact=exact, is_part=is_part, is_serial=code.has_serial)
    return [
        first,
        *(
            Name(
                _each_once(normalized(scheme, value), canonical(value), *keys_of(value)),
                code.gtin,
                is_part=True,
            )
            for scheme, value in code.identifiers
        ),
    ]


def _labelled(text: str) -> str | None:
    """Return the number of a device without the words or the letter before it, or None."""
    if len(text) < CHARS_MIN:
        return None
    bare = without_label(text)
    if bare != text and any(is_number(bare) for is_number in (is_imei, is_meid, is_eid, is_mac)):
        return bare
    if len(text) == 18 and text[0] in "Ii" and is_vin(text):
        return text[1:]
    return bare if bare != text and is_vin(bare) else None


def _may_be_code(text: str) -> bool:
    """Return whether a text begins like a code that names a unit; quick, for plain serials."""
    return (
        text[:1] in "]+(=&"
        or (text[:1] == "1" and is_element_string(text))
        or text[:2].upper() in {"01", "30", "36", epc_plus.SGTIN_PLUS, epc_plus.DSGTIN_PLUS}
        or text[:4].lower() in {"http", "urn:"}
        or is_envelope(text)
        or is_composite(text)
        or is_printed(text)
        or is_element_string(text)
    )


def _each_once(*keys: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))


def _only(values: list[str]) -> str | None:
    return values[0] if len(set(values)) == 1 else None
