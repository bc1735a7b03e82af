"""SGTIN+ and DSGTIN+: tags whose GTIN and serial stand in decimal digits and chosen encodings.

GS1 EPC Tag Data Standard 2.x, sections 14.5 and 14.6: a tag needs no length of the company prefix,
and may hold further elements behind the EPC (``+AIDC data``). Read of these are lots and dates; a
tag with another element is refused whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import ceil, log2

from hub.errors import InvalidBarcode
from hub.identifiers.numbers import check_digit

SGTIN_PLUS, DSGTIN_PLUS = "F7", "FB"
BITS_MIN = 76  # header, toggle, filter, GTIN, encoding and length of the serial
HEX_CHARS_MAX = 128
SERIAL_CHARS_MAX = LOT_CHARS_MAX = 20
LENGTH_BITS = 5  # of the serial (AI 21) and the lot (AI 10)
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_CODE40 = "\x00ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:0123456789"
# The kinds of a date by its indicator in a DSGTIN+, as application identifiers.
_DATED = ("11", "13", "15", "16", "17")
_DATES = frozenset(_DATED)


@dataclass(frozen=True, slots=True)
class PlusTag:
    """One unit, with the elements behind it by application identifier; dates are ISO days."""

    gtin: str
    serial: str
    filter: int
    elements: Mapping[str, str] = field(default_factory=dict)


class _Bits:
    """The bits of a tag, taken from the front."""

    def __init__(self, digits: str) -> None:
        self._text = f"{int(digits, 16):0{len(digits) * 4}b}"
        self._digits = digits

    def wrong(self, why: str) -> InvalidBarcode:
        return InvalidBarcode(f"the tag {why}: program it again", read=self._digits)

    def take(self, count: int) -> int:
        if len(self._text) < count:
            raise self.wrong("ends too soon")
        taken, self._text = self._text[:count], self._text[count:]
        return int(taken, 2) if taken else 0

    @property
    def is_spent(self) -> bool:
        return "1" not in self._text


def is_plus(text: str) -> bool:
    """Return whether a text has the form of such a tag: hexadecimal digits of whole words."""
    digits = text.upper()
    right_length = len(digits) * 4 >= BITS_MIN and len(digits) <= HEX_CHARS_MAX
    right_form = digits.startswith((SGTIN_PLUS, DSGTIN_PLUS)) and len(digits) % 4 == 0
    return right_length and right_form and all(each in "0123456789ABCDEF" for each in digits)


def decode(digits: str) -> PlusTag:
    """Read the bits of an SGTIN+ or DSGTIN+; raises InvalidBarcode for any that is not whole."""
    bits = _Bits(digits)
    header = f"{bits.take(8):02X}"
    has_more, filter_ = bool(bits.take(1)), bits.take(3)
    elements = {}
    if header == DSGTIN_PLUS:
        kind = bits.take(4)
        day = _day(bits)
        if kind >= len(_DATED):
            raise bits.wrong("has a date of a kind that is not read")
        elements[_DATED[kind]] = day
    gtin = _digits(bits, 14)
    if check_digit(gtin[:-1]) != gtin[-1]:
        raise bits.wrong(f"has a GTIN with a wrong check digit, {gtin}")
    serial = _text(bits, SERIAL_CHARS_MAX)
    if has_more:
        _further(bits, elements)
    if not bits.is_spent:
        raise bits.wrong("has something behind its serial that is none of its elements")
    return PlusTag(gtin, serial, filter_, elements)


def _digits(bits: _Bits, count: int) -> str:
    found = [bits.take(4) for _ in range(count)]
    if any(each > 9 for each in found):
        raise bits.wrong("has a number with signs that are no digits")
    return "".join(map(str, found))


def _day(bits: _Bits) -> str:
    year, month, day = bits.take(7), bits.take(4), bits.take(5)
    try:
        return date(2000 + year, month, day).isoformat()
    except ValueError as error:
        raise bits.wrong("has a date that is none") from error


def _further(bits: _Bits, elements: dict[str, str]) -> None:
    """Read the elements behind the EPC; zeros fill the last word."""
    while not bits.is_spent:
        identifier = _digits(bits, 2)
        if identifier in elements:
            raise bits.wrong(f"has element {identifier} twice")
        if identifier == "10":
            elements[identifier] = _text(bits, LOT_CHARS_MAX)
        elif identifier in _DATES:
            elements[identifier] = _day(bits)
        else:
            raise InvalidBarcode(
                f"the tag holds element {identifier}, which is not read: scan its barcode"
            )


def _text(bits: _Bits, chars_max: int) -> str:
    encoding, count = bits.take(3), bits.take(LENGTH_BITS)
    if encoding >= len(_ENCODINGS) or not 0 < count <= chars_max:
        raise bits.wrong("has a text in no encoding of the standard")
    return _ENCODINGS[encoding](bits, count)


def _integer(bits: _Bits, count: int) -> str:
    found = str(bits.take(ceil(count * log2(10))))
    if len(found) != count:
        raise bits.wrong("has a number of another length than it states")
    return found


def _by(letters: str, width: int) -> Callable[[_Bits, int], str]:
    def read(bits: _Bits, count: int) -> str:
        return "".join(letters[bits.take(width)] for _ in range(count))

    return read


def _ascii(bits: _Bits, count: int) -> str:
    found = "".join(chr(bits.take(7)) for _ in range(count))
    if not found.isprintable() or " " in found:
        raise bits.wrong("has a text with control characters or blanks")
    return found


def _code40(bits: _Bits, count: int) -> str:
    found = ""
    for _ in range(ceil(count / 3)):
        word = bits.take(16) - 1
        if not 0 <= word < 40**3:
            raise bits.wrong("has a text in no encoding of the standard")
        found += _CODE40[word // 1600] + _CODE40[word // 40 % 40] + _CODE40[word % 40]
    text = found[:count]
    if "\x00" in text or found[count:].strip("\x00"):
        raise bits.wrong("has a text of another length than it states")
    return text


# By the encoding indicator (section 14.5.6).
_ENCODINGS: tuple[Callable[[_Bits, int], str], ...] = (
    _integer,
    _by("0123456789ABCDEF", 4),
    _by("0123456789abcdef", 4),
    _by(_BASE64, 6),
    _ascii,
    _code40,
)
