"""Barcodes: what a scanner read, taken apart into what it says, without asking the database.

The symbology that the scanner names comes first, then the form of the text, and application
identifiers last: a plain EAN-13 would otherwise pass for AI 400, and a GS1 string that lost its
separators for one long serial. What can be read in two ways says so (`doubt`).
"""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime

from biip import ParseError
from biip.gs1_element_strings import GS1ElementString
from biip.symbology import SymbologyIdentifier

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers import epc, epc_plus, gs1
from hub.identifiers.composite import Part, Splitter
from hub.identifiers.device_numbers import is_eid, is_imei, is_mac, is_meid, is_vin, normalized
from hub.identifiers.elements import Barcode, Element, Kind
from hub.identifiers.envelopes import is_envelope, read_envelope
from hub.identifiers.gs1 import FNC1, is_trade_number
from hub.identifiers.isbt import is_isbt, is_printed, read_isbt
from hub.identifiers.label_parts import assembled
from hub.identifiers.medical import Udi, read_hibc
from hub.identifiers.numbers import check_digit, gtin14, luhn, unframed, upc_a

__all__ = ["FNC1", "Barcode", "Element", "Kind", "is_trade_number", "luhn", "read"]

CHARS_MAX = 2_000
_WIDE_BRACKETS = str.maketrans("（）", "()")  # of an input method for Chinese or Japanese
GS1_SYMBOLOGIES = frozenset({"]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1"})
# In front of plain texts, as of a QR code; those of GS1 lead on to element strings.
_SYMBOLOGY = re.compile(r"^\](?!C1|e|d2|Q3|J1|E|I0)[A-Za-z][0-9A-Za-z]")
RETAIL_SYMBOLOGIES = frozenset({"]E0", "]E1", "]E2", "]E3", "]E4", "]I0", "]I1"})


def read(raw: str) -> Barcode:
    """Parse one barcode, or a label with several; raises InvalidBarcode with the reason."""
    raw = cleaned(raw)
    return _composite(raw, raw) if is_composite(raw) else _read_one(raw)


def cleaned(raw: str) -> str:
    """Return a reading without what a scanner or an input method puts around and into it."""
    text = unframed(raw)
    return text.translate(_WIDE_BRACKETS) if text[:1] == "（" else text


def _read_one(raw: str) -> Barcode:
    if not raw.strip() or len(raw) > CHARS_MAX:
        raise InvalidBarcode("nothing was read: scan again", read=raw[:100])
    symbology, text = _symbology(raw.strip(" \r\n\t"))
    if symbology in GS1_SYMBOLOGIES:
        return _digital_link(raw, text) if _is_link(text) else _gs1(raw, text, symbology)
    if symbology in RETAIL_SYMBOLOGIES:
        return _retail(raw, text, symbology)
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
    return Barcode(raw, "digital_link", _elements(raw, gs1.link(raw, text)))


def _epc(raw: str, text: str) -> Barcode:
    text = epc.bare(text)
    if epc_plus.is_plus(text):
        return _epc_plus(raw, epc_plus.decode(text))
    tag = epc.read(text)
    return Barcode(raw, "epc", (Element(Kind.GTIN, tag.gtin), Element(Kind.SERIAL, tag.serial)))


def _epc_plus(raw: str, tag: epc_plus.PlusTag) -> Barcode:
    further = [
        Element(kind, value)
        for identifier, value in sorted(tag.elements.items())
        if (kind := APPLICATION_IDENTIFIERS.get(identifier)) is not None
    ]
    own = (Element(Kind.GTIN, tag.gtin), Element(Kind.SERIAL, tag.serial))
    return Barcode(raw, "epc", (*own, *further))


def _gs1(raw: str, text: str, symbology: str | None = None) -> Barcode:
    strings, has_ends = gs1.elements(raw, text)
    doubt = None
    open_ended = any(each.ai.separator_required for each in strings)
    if open_ended and not has_ends and symbology is None:
        doubt = "the scanner sent no separators: a lot may hide in the serial"
    return Barcode(raw, "gs1", _elements(raw, strings), symbology, doubt)


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


DATA_IDENTIFIERS = {
    "S": Kind.SERIAL,
    "8P": Kind.GTIN,
    "P": Kind.TEXT,
    "1P": Kind.TEXT,
    "T": Kind.LOT,
    "1T": Kind.LOT,
    "14D": Kind.EXPIRY,
    "16D": Kind.PRODUCTION_DATE,
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
        elif kind is Kind.IMEI:
            found.append(_device(string.value))
        elif kind is not None:
            found.append(Element(kind, string.value))
    return tuple(found)


def _device(text: str) -> Element:
    """Read the serial number of a mobile device (AI 8002); raises InvalidBarcode."""
    kind = Kind.MEID if is_meid(text) else Kind.IMEI
    normalized(kind, text)
    return Element(kind, text)


def _apart(donation: str | None, serial: str | None) -> str | None:
    """Return the number of a donation that does not stand in the serial."""
    return donation if donation is not None and donation not in (serial or "") else None


def _medical(form: str, take: Callable[[str], Udi]) -> Callable[[str, str], Barcode]:
    def read_medical(raw: str, text: str) -> Barcode:
        udi = take(text)
        found: list[tuple[Kind, str | date | None]] = [
            (Kind.DEVICE, udi.device),
            (Kind.SERIAL, udi.serial),
            (Kind.LOT, udi.lot),
            (Kind.EXPIRY, udi.expiry),
            (Kind.PRODUCTION_DATE, udi.produced),
            (Kind.NOTE, _apart(udi.donation, udi.serial)),
        ]
        elements = tuple(Element(kind, str(value)) for kind, value in found if value is not None)
        return Barcode(raw, form, elements, link=udi.link, check=udi.check)

    return read_medical


def _one(form: str, kind: Kind) -> Callable[[str, str], Barcode]:
    def read_one(raw: str, text: str) -> Barcode:
        value = normalized(form, text)
        return Barcode(raw, form, (Element(kind, value),))

    return read_one


_TRADE_LABEL = re.compile(r"^(?:EAN|UPC|GTIN|JAN)(?:-?(?:8|12|13|14|A))?\s*[:#]?\s*", re.IGNORECASE)
_EIGHT_DIGITS = re.compile(r"[0-9]{8}")
_SSCC_LABEL = re.compile(r"^SSCC\s*[:#]?\s*", re.IGNORECASE)


def _digits_of(text: str) -> str:
    return re.sub(r"[\s-]", "", _SSCC_LABEL.sub("", text))


def _is_sscc(text: str) -> bool:
    digits = _digits_of(text).removeprefix("00") if len(_digits_of(text)) == 20 else text
    right_form = digits.isascii() and digits.isdigit() and len(digits) == 18
    return right_form and check_digit(digits[:-1]) == digits[-1]


def _sscc(raw: str, text: str) -> Barcode:
    return Barcode(raw, "sscc", (Element(Kind.SSCC, _digits_of(text)[-18:]),))


def _envelope(raw: str, text: str) -> Barcode:
    envelope = read_envelope(text)
    found: list[Element] = []
    for each in envelope.gs1:
        found += _gs1(raw, each, "]d2").elements
    for identifier, value in envelope.fields:
        kind = DATA_IDENTIFIERS.get(identifier)
        if kind is Kind.GTIN:
            found.append(Element(kind, _gtin(value)))
        elif kind in {Kind.EXPIRY, Kind.PRODUCTION_DATE}:
            found.append(Element(kind, _iso_day(value, raw)))
        elif kind is not None:
            found.append(Element(kind, value))
    return Barcode(raw, "envelope", tuple(found))


def _iso_day(value: str, raw: str) -> str:
    try:
        if not _EIGHT_DIGITS.fullmatch(value):  # strptime takes fewer digits, and other scripts'
            raise ValueError(value)
        return datetime.strptime(value, "%Y%m%d").date().isoformat()  # noqa: DTZ007 # a day
    except ValueError as error:
        raise InvalidBarcode(f"{value!r} is no date", read=raw) from error


def _is_labelled(text: str) -> bool:
    label = _TRADE_LABEL.match(text)
    return label is not None and is_trade_number(text[label.end() :])


def _labelled(raw: str, text: str) -> Barcode:
    """Read a trade number with its label: it is no serial."""
    return _retail(raw, _TRADE_LABEL.sub("", text), "")


def _retail(raw: str, text: str, symbology: str | None = None) -> Barcode:
    """Read a trade number; where the scanner says that it is one, UPC-E too."""
    short = upc_a(text) if symbology is not None and not is_trade_number(text) else None
    return Barcode(raw, "retail", (Element(Kind.GTIN, short or _gtin(text)),), symbology)


def _is_tag(text: str) -> bool:
    """Return whether a text is an EPC; digits that hold none are a text like others."""
    if not epc.is_epc(text):
        return False
    if text[:4].lower() == "urn:":
        return True
    try:
        epc_plus.decode(text) if epc_plus.is_plus(text) else epc.decode(text)
    except InvalidBarcode:
        return False
    return True


def _is_device(text: str) -> bool:
    """Return whether a text is the number of a device, certain by its form or check digit."""
    return any(each(text) for each in (is_imei, is_eid, is_mac, is_vin))


def _is_code(text: str) -> bool:
    """Return whether a text is a code by itself, whatever stands beside it on the label."""
    if _is_device(text) or is_trade_number(text):
        return True
    named = text[:4].lower() == "urn:" or text.startswith("]")
    if not (named or _is_link(text) or gs1.is_element_string(text)):
        return False
    try:
        return _read_one(text).form != "plain"
    except InvalidBarcode:
        return False


_SPLITTER = Splitter(_is_device, is_trade_number, _is_code)


def is_composite(text: str) -> bool:
    """Return whether a reading is a label with several parts."""
    return len(text) <= CHARS_MAX and bool(_parts(text))


def _parts(text: str) -> tuple[Part, ...]:
    text = text.strip()
    if is_envelope(text):
        return ()
    return _SPLITTER.split(_SYMBOLOGY.sub("", text)) or ()


def _composite(raw: str, text: str) -> Barcode:
    return assembled(raw, _parts(text), _read_one)


# In this order: the first form that a text has is the one that it is read in.
FORMS: tuple[tuple[Callable[[str], bool], Callable[[str, str], Barcode]], ...] = (
    (_is_link, _digital_link),
    (_is_tag, _epc),
    (is_trade_number, _retail),
    (_is_labelled, _labelled),
    (is_imei, _one("imei", Kind.IMEI)),
    (_is_sscc, _sscc),
    (is_envelope, _envelope),
    (gs1.is_element_string, _gs1),
    (lambda text: text.startswith("+"), _medical("hibc", read_hibc)),
    (lambda text: is_isbt(text) or is_printed(text), _medical("iccbba", read_isbt)),
    (is_eid, _one("eid", Kind.EID)),
    (is_mac, _one("mac", Kind.MAC)),
    (is_meid, _one("meid", Kind.MEID)),
    (is_vin, _one("vin", Kind.VIN)),
)
