"""GS1 element strings and Digital Links, parsed by biip, and checked where biip does not.

A separator may come as FNC1, or as the character or word by which a scanner shows it. Behind every
element without a fixed length stands a separator, or nothing: biip takes the digits behind a full
element for another one, which is none (``]d270072112252112`` holds no serial ``12``).
"""

import re
from collections.abc import Iterable

from biip import ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message

from hub.errors import InvalidBarcode
from hub.identifiers.numbers import check_digit

FNC1 = "\x1d"
# How keyboards, drivers and test tools show FNC1; none of it can stand in an element (set 82).
_SHOWN = re.compile(
    r"\{GS\}|<GS>|\[GS\]|\{FNC1\}|<FNC1>|\[FNC1\]|\\x1d|\\u001d|~d?0?29|~1|\^\]|␝|[|^@~#¬]",
    re.IGNORECASE,
)
_BLANKS = re.compile(r"[ \t]+")
_NO_SIGN = dict.fromkeys(map(ord, f"{FNC1} \t\r\n"))  # between elements
_LEADING = re.compile(rf"(?:{_SHOWN.pattern})+", re.IGNORECASE)  # of a scanner that sends it first
_LEADS = frozenset("{<[\\~^␝|@#¬")
_BRACKETED = re.compile(r"\(\d{2,4}\)")
_PREFIXED_PATH = re.compile(
    r"^https?://[^?#]*?(/01/\d{8,14}(?:/[^?#]*)?(?:\?[^#]*)?)", re.IGNORECASE
)
NO_UNIT = "this web address names no unit; a compressed Digital Link is not read: print it in full"
# The elements that are a number with a check digit at this place: GDTI, GCN, GLN, GSIN, GRAI, GSRN,
# the GTIN of a piece in a logistic unit.
_CHECKED = {
    "253": 13, "255": 13, "8026": 14,
    "402": 17, "410": 13, "411": 13, "412": 13, "413": 13, "414": 13, "415": 13, "416": 13,
    "417": 13, "8003": 14, "8017": 18, "8018": 18,
}  # fmt: skip


def is_trade_number(text: str) -> bool:
    """Return whether a text is a GTIN: 8, 12, 13 or 14 digits with a valid check digit."""
    right_form = text.isascii() and text.isdigit() and len(text) in {8, 12, 13, 14}
    return right_form and check_digit(text[:-1]) == text[-1]


_DATE_FIRST = re.compile(r"(?:1[1-7]\d{6})+(?=01\d{14}.)")


def begins_with_gtin(text: str) -> bool:
    """Return whether a text is a GTIN with its application identifier, and more behind it.

    Days, whose length is fixed, may stand in front.
    """
    if text[:1] == "1" and (dates := _DATE_FIRST.match(text)) is not None:
        text = text[dates.end() :]
    return len(text) > 16 and text.startswith("01") and is_trade_number(text[2:16])


def is_element_string(text: str) -> bool:
    """Return whether a text has the form of an element string, for people or for machines."""
    if FNC1 in text or _BRACKETED.match(text) is not None:
        return True
    return begins_with_gtin(_LEADING.sub("", text) if text[:1] in _LEADS else text)


def with_separators(text: str) -> str:
    """Return an element string with FNC1 in place of what a scanner shows for it."""
    return _SHOWN.sub(FNC1, text)


def elements(raw: str, text: str) -> tuple[list[GS1ElementString], bool]:
    """Parse an element string; return its elements, and whether it names their ends.

    Raises InvalidBarcode with the reason.
    """
    bracketed = text.startswith("(")
    has_ends = bracketed
    if bracketed:
        text = _without_shown(raw, text)
    else:
        # No element holds a blank: one between two elements is somebody's separator.
        text = _BLANKS.sub(FNC1, with_separators(text).strip()).lstrip(FNC1)
        has_ends, text = FNC1 in text, text.strip(FNC1)
    try:
        message = (GS1Message.parse_hri if bracketed else GS1Message.parse)(text)
    except ParseError as error:
        raise InvalidBarcode(f"this is no whole GS1 barcode: {error}", read=raw) from error
    found = list(message.element_strings)
    if not found:
        raise InvalidBarcode("the GS1 barcode is empty", read=raw)
    written = "".join(
        f"({each.ai.ai}){each.value}" if bracketed else each.ai.ai + each.value for each in found
    )
    if written != text.translate(_NO_SIGN):
        raise InvalidBarcode("this is no whole GS1 barcode: a part is no element", read=raw)
    if not bracketed:
        _check_ends(raw, text, found)
    _check_digits(raw, found)
    return found, has_ends


_WORDED = re.compile(r"<(?:GS|FNC1)>", re.IGNORECASE)  # signs of elements, but no part of one
_WORDED_END = re.compile(rf"(?:{_WORDED.pattern}|{FNC1})+(?=\(|$)", re.IGNORECASE)


def _without_shown(raw: str, text: str) -> str:
    """Return a text for people without the separators that a tool shows between its elements."""
    text = _WORDED_END.sub("", text.strip(FNC1))
    if _WORDED.search(text):
        raise InvalidBarcode(
            "this is no whole GS1 barcode: a separator stands inside an element", read=raw
        )
    return text


# The words of the first edition of Digital Links, in place of application identifiers.
_SHORT_NAMES = {"gtin": "01", "lot": "10", "ser": "21", "cpv": "22"}
_FIRST_EDITION = re.compile(r"^https?://[^/]+/(?:[^?#]*/)?gtin/\d", re.IGNORECASE)
_SHORT_NAME = re.compile(r"/(gtin|lot|ser|cpv)/(?=[^/]+)", re.IGNORECASE)


def link(raw: str, text: str) -> list[GS1ElementString]:
    """Parse a GS1 Digital Link; raises InvalidBarcode for another web address."""
    if _FIRST_EDITION.search(text):
        text = _SHORT_NAME.sub(lambda found: f"/{_SHORT_NAMES[found[1].lower()]}/", text)
    try:
        found = list(GS1DigitalLinkURI.parse(text).element_strings)
    except ParseError as error:
        # A path of its own may stand before the first identifier.
        inner = _PREFIXED_PATH.match(text)
        if inner is None:
            raise InvalidBarcode(NO_UNIT, read=raw) from error
        try:
            found = list(GS1DigitalLinkURI.parse(f"https://id.gs1.org{inner[1]}").element_strings)
        except ParseError:
            raise InvalidBarcode(NO_UNIT, read=raw) from error
    _check_digits(raw, found)
    return found


def _check_ends(raw: str, text: str, found: Iterable[GS1ElementString]) -> None:
    """Raise InvalidBarcode where an element without a fixed length is followed by no separator."""
    place = 0
    for each in found:
        place = text.startswith(FNC1, place) + place
        place += len(each.ai.ai) + len(each.value)
        ended = place >= len(text) or text[place] == FNC1
        if each.ai.separator_required and not ended:
            raise InvalidBarcode(
                f"this is no whole GS1 barcode: behind ({each.ai.ai}) a separator is missing",
                read=raw,
            )


def _check_digits(raw: str, found: Iterable[GS1ElementString]) -> None:
    for each in found:
        length = _CHECKED.get(each.ai.ai)
        digits = each.value[:length] if length else ""
        if digits and check_digit(digits[:-1]) != digits[-1]:
            raise InvalidBarcode(f"the check digit of ({each.ai.ai}){digits} is wrong", read=raw)
