"""Barcodes: what a scanner read, taken apart into what it says, without asking the database.

The symbology that the scanner names comes first, then the form of the text, and application
identifiers last: a plain EAN-13 would otherwise pass for AI 400, and a GS1 string that lost its
separators for one long serial. What can be read in two ways says so (`doubt`).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from biip import ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message
from biip.symbology import SymbologyIdentifier

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers import epc
from hub.identifiers.medical import Udi, read_hibc, read_iccbba
from hub.identifiers.numbers import check_digit, gtin14

FNC1 = "\x1d"
CHARS_MAX = 2_000
GS1_SYMBOLOGIES = frozenset({"]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1"})
RETAIL_SYMBOLOGIES = frozenset({"]E0", "]E1", "]E2", "]E3", "]E4", "]I0", "]I1"})


class Kind(StrEnum):
    """Meaning of one part of a barcode."""

    GTIN = "gtin"
    SERIAL = "serial"
    SECONDARY_SERIAL = "secondary_serial"
    LOT = "lot"
    EXPIRY = "expiry"
    PRODUCTION_DATE = "production_date"
    IMEI = "imei"
    MEID = "meid"
    VIN = "vin"
    SSCC = "sscc"
    ASSET = "asset"  # GIAI or GRAI
    DEVICE = "device"  # a UDI device identifier that is no GTIN
    TEXT = "text"  # plain: a serial, a model number, an internal label


@dataclass(frozen=True, slots=True)
class Element:
    """One part; dates are written as ISO days."""

    kind: Kind
    value: str


@dataclass(frozen=True, slots=True)
class Barcode:
    """One barcode, taken apart. `doubt` says why it could be read in another way too."""

    raw: str
    form: str  # gs1, digital_link, epc, retail, hibc, iccbba, imei, meid, vin, sscc, plain
    elements: tuple[Element, ...]
    symbology: str | None = None
    doubt: str | None = None

    def values(self, *kinds: Kind) -> list[str]:
        """Return the values of these kinds, in order."""
        return [element.value for element in self.elements if element.kind in kinds]


def read(raw: str) -> Barcode:
    """Parse one barcode; raises InvalidBarcode with the reason."""
    if not raw.strip() or len(raw) > CHARS_MAX:
        raise InvalidBarcode("nothing was read: scan again", read=raw[:100])
    symbology, text = _symbology(raw.strip(" \r\n\t"))
    if symbology in GS1_SYMBOLOGIES:
        return _digital_link(raw, text) if _is_link(text) else _gs1(raw, text, symbology)
    if symbology in RETAIL_SYMBOLOGIES:
        return Barcode(raw, "retail", (Element(Kind.GTIN, _gtin(text)),), symbology)
    for looks_like, take in FORMS:
        if looks_like(text):
            return take(raw, text)
    return Barcode(raw, "plain", (Element(Kind.TEXT, text),), symbology)


def _symbology(text: str) -> tuple[str | None, str]:
    if not text.startswith("]"):
        return None, text
    if len(text) < 4:
        raise InvalidBarcode("the scanner sent a symbology and no text: scan again", read=text)
    try:
        return SymbologyIdentifier.extract(text).value, text[3:]
    except ParseError as error:
        raise InvalidBarcode(f"{text[:3]!r} is no symbology identifier", read=text) from error


def _gtin(text: str) -> str:
    try:
        return gtin14(text)
    except InvalidInput as error:
        raise InvalidBarcode(str(error), read=text) from error


def _is_link(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _digital_link(raw: str, text: str) -> Barcode:
    try:
        link = GS1DigitalLinkURI.parse(text)
    except ParseError as error:
        raise InvalidBarcode("this web address names no unit", read=raw) from error
    return Barcode(raw, "digital_link", _elements(raw, link.element_strings))


def _epc(raw: str, text: str) -> Barcode:
    tag = epc.read(text)
    return Barcode(raw, "epc", (Element(Kind.GTIN, tag.gtin), Element(Kind.SERIAL, tag.serial)))


def unit_of(text: str) -> tuple[str, str] | None:
    """Return the GTIN and serial that an EPC or a GS1 Digital Link names; None for other texts.

    Raises InvalidBarcode for an EPC that names no unit.
    """
    text = text.strip()
    if epc.is_epc(text):
        tag = epc.read(text)
        return tag.gtin, tag.serial
    if not _is_link(text):
        return None
    try:
        link = _digital_link(text, text)
    except InvalidBarcode:
        return None  # a web address that is no GS1 Digital Link is a text like others
    gtins, serials = link.values(Kind.GTIN), link.values(Kind.SERIAL)
    return (gtins[0], serials[0]) if gtins and serials else None


def _gs1(raw: str, text: str, symbology: str | None = None) -> Barcode:
    bracketed = text.startswith("(")
    try:
        parse = GS1Message.parse_hri if bracketed else GS1Message.parse
        message = parse(text.strip(FNC1))
    except ParseError as error:
        raise InvalidBarcode(f"this is no whole GS1 barcode: {error}", read=raw) from error
    elements = _elements(raw, message.element_strings)
    if not message.element_strings:
        raise InvalidBarcode("the GS1 barcode is empty", read=raw)
    doubt = None
    open_ended = any(each.ai.separator_required for each in message.element_strings)
    if open_ended and not bracketed and symbology is None and FNC1 not in text:
        doubt = "the scanner sent no separators: a lot may hide in the serial"
    return Barcode(raw, "gs1", elements, symbology, doubt)


APPLICATION_IDENTIFIERS = {
    "00": Kind.SSCC,
    "01": Kind.GTIN,
    "10": Kind.LOT,
    "11": Kind.PRODUCTION_DATE,
    "17": Kind.EXPIRY,
    "21": Kind.SERIAL,
    "235": Kind.SERIAL,
    "250": Kind.SECONDARY_SERIAL,
    "8002": Kind.IMEI,
    "8003": Kind.ASSET,
    "8004": Kind.ASSET,
}


def _elements(raw: str, strings: Iterable[GS1ElementString]) -> tuple[Element, ...]:
    found = []
    for string in strings:
        kind = APPLICATION_IDENTIFIERS.get(string.ai.ai)
        if wrong := string.gtin_error or string.sscc_error:
            raise InvalidBarcode(wrong, read=raw)
        if string.ai.ai == "8006":  # a piece of a trade item: GTIN, piece, total
            found.append(Element(Kind.GTIN, _gtin(string.value[:14])))
        elif kind in {Kind.EXPIRY, Kind.PRODUCTION_DATE}:
            if string.date is None:
                raise InvalidBarcode(f"{string.value} is no date", read=raw)
            found.append(Element(kind, string.date.isoformat()))
        elif kind is Kind.GTIN:
            found.append(Element(kind, _gtin(string.value)))
        elif kind is not None:
            found.append(Element(kind, string.value))
    return tuple(found)


def _medical(form: str, take: Callable[[str], Udi]) -> Callable[[str, str], Barcode]:
    def read_medical(raw: str, text: str) -> Barcode:
        udi = take(text)
        found: list[tuple[Kind, str | date | None]] = [
            (Kind.DEVICE, udi.device),
            (Kind.SERIAL, udi.serial),
            (Kind.LOT, udi.lot),
            (Kind.EXPIRY, udi.expiry),
            (Kind.PRODUCTION_DATE, udi.produced),
        ]
        elements = tuple(Element(kind, str(value)) for kind, value in found if value is not None)
        return Barcode(raw, form, elements)

    return read_medical


def _one(form: str, kind: Kind) -> Callable[[str, str], Barcode]:
    def read_one(raw: str, text: str) -> Barcode:
        value = _label_free(text).upper()
        return Barcode(raw, form, (Element(kind, _gtin(value) if kind is Kind.GTIN else value),))

    return read_one


_LABEL = re.compile(r"^(?:IMEI|MEID|VIN|SSCC)\s*[:#]?\s*", re.IGNORECASE)


def _label_free(text: str) -> str:
    return re.sub(r"[\s-]", "", _LABEL.sub("", text))


def luhn(digits: str) -> bool:
    """Return whether the last digit is the Luhn check digit (ISO/IEC 7812-1), as of an IMEI."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_imei(text: str) -> bool:
    """Return whether a text is an IMEI: 15 digits with a Luhn check digit (3GPP TS 23.003)."""
    digits = _label_free(text)
    return len(digits) == 15 and digits.isascii() and digits.isdigit() and luhn(digits)


def is_meid(text: str) -> bool:
    """Return whether a text is an MEID: 14 hexadecimal digits, the first a letter."""
    return re.fullmatch(r"[A-Fa-f][0-9A-Fa-f]{13}", _label_free(text)) is not None


_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def is_vin(text: str) -> bool:
    """Return whether a text is a VIN with a valid check digit (49 CFR 565.15)."""
    vin = _label_free(text).upper()
    if not _VIN.fullmatch(vin):
        return False
    values = (int(_VIN_VALUES.get(letter, letter)) for letter in vin)
    rest = sum(value * weight for value, weight in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return vin[8] == ("X" if rest == 10 else str(rest))


def is_trade_number(text: str) -> bool:
    """Return whether a text is a GTIN: 8, 12, 13 or 14 digits with a valid check digit."""
    right_form = text.isascii() and text.isdigit() and len(text) in {8, 12, 13, 14}
    return right_form and check_digit(text[:-1]) == text[-1]


def _is_sscc(text: str) -> bool:
    digits = _label_free(text).removeprefix("00") if len(_label_free(text)) == 20 else text
    right_form = digits.isascii() and digits.isdigit() and len(digits) == 18
    return right_form and check_digit(digits[:-1]) == digits[-1]


def _sscc(raw: str, text: str) -> Barcode:
    return Barcode(raw, "sscc", (Element(Kind.SSCC, _label_free(text)[-18:]),))


def _is_gs1(text: str) -> bool:
    if FNC1 in text or re.match(r"\(\d{2,4}\)", text):
        return True
    return len(text) > 16 and text.startswith("01") and is_trade_number(text[2:16])


# In this order: the first form that a text has is the one that it is read in.
FORMS: tuple[tuple[Callable[[str], bool], Callable[[str, str], Barcode]], ...] = (
    (_is_link, _digital_link),
    (epc.is_epc, _epc),
    (is_trade_number, _one("retail", Kind.GTIN)),
    (is_imei, _one("imei", Kind.IMEI)),
    (_is_sscc, _sscc),
    (_is_gs1, _gs1),
    (lambda text: text.startswith("+"), _medical("hibc", read_hibc)),
    (lambda text: text.startswith(("=/", "=,", "&,")), _medical("iccbba", read_iccbba)),
    (is_meid, _one("meid", Kind.MEID)),
    (is_vin, _one("vin", Kind.VIN)),
)
