"""Elements of a label with several parts, and what contradicts on it."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers.composite import CODE, NOTE, UNREADABLE, Part
from hub.identifiers.device_numbers import device_names, normalized
from hub.identifiers.elements import DEVICE_KINDS, Barcode, Element, Kind
from hub.identifiers.numbers import canonical, gtin14, luhn, verbatim

NOTE_CHARS_MAX = 100
_PARTS = {
    "serial": Kind.SERIAL,
    "imei": Kind.IMEI,
    "meid": Kind.MEID,
    "eid": Kind.EID,
    "mac": Kind.MAC,
    "vin": Kind.VIN,
    "lot": Kind.LOT,
}
_SINGLE = (Kind.SERIAL, Kind.GTIN, Kind.LOT, Kind.VIN, Kind.EID, Kind.MEID, Kind.EXPIRY)
"""Of these one unit has one; a phone has two IMEIs, and a computer several MAC addresses."""


def assembled(raw: str, parts: Sequence[Part], read: Callable[[str], Barcode]) -> Barcode:
    """Read a label of several parts; raises InvalidBarcode where two parts contradict each other.

    `read` reads a part that is a code by itself. Nothing is left out: a part that cannot be read
    refuses the whole.
    """
    found: dict[tuple[Kind, str], Element] = {}
    for part in parts:
        for element in _elements_of(part, read):
            found.setdefault((element.kind, _form_of(element)), element)
    for kind in _SINGLE:
        values = sorted(each.value for each in found.values() if each.kind is kind)
        if len(values) > 1:
            raise InvalidBarcode(
                f"the label names two of one kind ({kind}): {', '.join(values)}", read=raw[:200]
            )
    # A number behind a word names one: two IMEI1 contradict each other, two IMEI are of one phone.
    numbered = {(part.scheme, part.place, canonical(part.text)) for part in parts if part.place}
    for (scheme, place), times in Counter(each[:2] for each in numbered).items():
        if times > 1:
            raise InvalidBarcode(
                f"the label names two numbers {place} of one kind ({scheme})", read=raw[:200]
            )
    return Barcode(raw, "composite", tuple(found.values()))


def _form_of(element: Element) -> str:
    if element.kind in DEVICE_KINDS:
        return normalized(element.kind, element.value)
    return canonical(element.value) if element.kind is Kind.SERIAL else element.value


def _elements_of(part: Part, read: Callable[[str], Barcode]) -> tuple[Element, ...]:
    if part.word == CODE:
        elements = read(part.text).elements
        return tuple(each for each in elements if each.kind is not Kind.TEXT)
    if part.word == UNREADABLE:
        raise InvalidBarcode(f"a part of the label cannot be read: {part.text[:60]!r}")
    if part.word == NOTE:
        return (Element(Kind.NOTE, " ".join(part.text.split())[:NOTE_CHARS_MAX]),)
    if part.word == "gtin":
        try:
            return (Element(Kind.GTIN, gtin14(part.text)),)
        except InvalidInput as error:
            raise InvalidBarcode(str(error), read=part.text) from error
    if part.word == "iccid":
        return (Element(Kind.ICCID, _iccid(part.text), part.scheme),)
    kind = _PARTS[part.word]
    if kind not in DEVICE_KINDS:
        return (Element(kind, verbatim(part.text)),)
    names = dict(device_names(part.text))
    if kind is Kind.MEID and Kind.MEID not in names and Kind.IMEI in names:
        # Phones print the first 14 digits of their IMEI as MEID.
        return (Element(Kind.IMEI, names[Kind.IMEI], "imei"),)
    return (Element(kind, normalized(kind, part.text), part.scheme),)


_ICCID = re.compile(r"89\d{17,18}")  # ITU-T E.118


def _iccid(text: str) -> str:
    digits = re.sub(r"[\s-]", "", text).removesuffix("F").removesuffix("f")
    if not _ICCID.fullmatch(digits) or (len(digits) == 20 and not luhn(digits)):
        raise InvalidBarcode(f"{text[:60]!r} is no ICCID: read it again", read=text[:60])
    return digits
