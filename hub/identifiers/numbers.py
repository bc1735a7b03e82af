"""Serials and trade numbers as people, scanners and labels write them: canonical forms, checks."""

import re
import unicodedata
from functools import lru_cache

from hub.errors import InvalidBarcode, InvalidInput

SERIAL_CHARS_MAX = 100
FRAME = "\x02\x03"
FOLDS_MAX = 10
FOLDED = "folded"  # of a product: case, blanks and dashes of its serials do not count
EXACT = "exact"  # of a product: each character of its serials counts

_SYMBOLOGY = re.compile(r"^\][A-Za-z][0-9A-Za-z]")  # AIM identifier that a scanner puts in front
_LABEL = re.compile(
    r"^(?:S/?N|SERIAL(?: ?(?:NO|NUMBER))?)\.?\s*[:#]\s*"
    r"|^(?:S/N|SERIAL ?(?:NO|NUMBER))\.?\s+(?=\S)"  # so plain that they need no colon
    r"|^(?:SERIEN ?-?(?:NR|NUMMER)|N[°º] DE S[ÉE]RIE|N[UÚÉ]M[EÉ]RO DE S[ÉE]RIE|N[UÚ]MERO DI SERIE"
    r"|MATRICOLA|SERIENUMMER|NUMER SERYJNY|СЕРИЙНЫЙ НОМЕР|序列号|製造番号|シリアル番号)"
    r"\.?\s*[:：#]\s*",
    re.IGNORECASE,
)
_STOPS = re.compile(r"\*([^*]+)\*")  # the start and stop of Code 39, as some scanners send them
MAC_WRITTEN = re.compile(
    r"(?:[0-9A-F]{2}([:-]))(?:[0-9A-F]{2}\1){4,6}[0-9A-F]{2}|(?:[0-9A-F]{4}\.){2,3}[0-9A-F]{4}",
    re.IGNORECASE,
)
"""A MAC address of 48 or 64 bits with separators; however they are set, it is one number."""
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015\u2212]+")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def unframed(text: str) -> str:
    """Return a reading without blanks around it, and without the STX and ETX that scanners send."""
    text = text.strip()
    return text.strip(FRAME).strip() if text[:1] in FRAME or text[-1:] in FRAME else text


def verbatim(text: str) -> str:
    """Return a serial as it stands on the label, without what a scanner put around it.

    Raises InvalidBarcode for what can not be a serial: nothing at all, control characters inside,
    or more than `SERIAL_CHARS_MAX` characters.
    """
    serial = _LABEL.sub("", _SYMBOLOGY.sub("", unframed(text))).strip()
    if (inner := _STOPS.fullmatch(serial)) is not None:
        serial = inner[1].strip()
    plain = serial.isascii() and serial.isprintable() and serial[:1].isalnum()
    if plain and len(serial) <= SERIAL_CHARS_MAX:
        return serial  # most are so plain that nothing more can be wrong with them
    if not serial or not _SEPARATORS.sub("", serial):
        raise InvalidBarcode("nothing was read: scan the serial label again", read=text)
    if len(serial) > SERIAL_CHARS_MAX:
        raise InvalidBarcode(
            f"a serial has at most {SERIAL_CHARS_MAX} characters, this has {len(serial)}",
            read=serial[:SERIAL_CHARS_MAX],
        )
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cs", "Cn"} for letter in serial):
        raise InvalidBarcode("the barcode holds control characters: not a serial label", read=text)
    return serial


@lru_cache(50_000)
def canonical(text: str) -> str:
    """Return the one form that all ways of writing a serial share: case, blanks, dashes folded.

    The form of a form is itself. Raises InvalidBarcode.
    """
    key = _folded(verbatim(text))
    if key.isascii() and key.isalnum():
        return key
    # Folding can lay a label bare (``S N: 7``), and capitals can be composed anew.
    for _ in range(FOLDS_MAX):
        again = _folded(verbatim(key))
        if again == key:
            return key
        key = again
    raise InvalidBarcode("the serial has too many labels in front: scan it again", read=text)


def _folded(text: str) -> str:
    if MAC_WRITTEN.fullmatch(text):
        text = text.replace(":", "").replace(".", "")
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()


def serial_key(text: str, serial_case: str) -> str:
    """Return what is one unit's among those of a product: folded, or as it is written.

    `serial_case` is the product's: ``folded`` or ``exact``. Raises InvalidBarcode.
    """
    return verbatim(text) if serial_case == EXACT else canonical(text)


def exact_of(serial: str, serial_case: str) -> str:
    """Return the serial of a product with exact serials, and empty text of another."""
    return verbatim(serial) if serial_case == EXACT else ""


_LATIN = {"O": "0", "Q": "0", "D": "0", "I": "1", "L": "1", "Z": "2", "S": "5", "B": "8"}
# Capitals of other alphabets that are printed as these letters are.
_HOMOGLYPHS = dict(
    zip("АВЕЅІЈКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABESIJKMHOPCTYXABEZHIKMNOPTYX", strict=True)
)
_LOOK_ALIKES = str.maketrans(
    _LATIN | {sign: _LATIN.get(latin, latin) for sign, latin in _HOMOGLYPHS.items()}
)


@lru_cache(50_000)
def skeleton(text: str) -> str:
    """Return what is left of a serial when letters and digits that look alike are made one."""
    return canonical(text).translate(_LOOK_ALIKES)


def is_id(text: str) -> bool:
    """Return whether a text has the form of one of our own ids."""
    return _UUID.fullmatch(text) is not None


_OWN = re.compile(
    r"[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?7[0-9A-Fa-f]{3}-?[89ABab][0-9A-Fa-f]{3}-?[0-9A-Fa-f]{12}"
)


def own_id(text: str) -> str | None:
    """Return the id on a label of our own (UUID version 7), in any case; None for another text.

    Whether it is one, the ledger knows: another maker's number may have the same form.
    """
    if not _OWN.fullmatch(text):
        return None
    digits = text.replace("-", "").lower()
    places = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return "-".join(digits[start:end] for start, end in places)


def check_digit(digits: str) -> str:
    """Compute the GS1 check digit (General Specifications, section 7.9) of the digits before it."""
    total = sum(
        int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits[::-1])
    )
    return str(-total % 10)


def luhn(digits: str) -> bool:
    """Return whether the last digit is the Luhn check digit (ISO/IEC 7812-1), as of an IMEI."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def upc_a(text: str) -> str | None:
    """Return the GTIN of fourteen digits that a UPC-E of eight stands for; None if it is none."""
    if not (len(text) == 8 and text.isascii() and text.isdigit() and text[0] in "01"):
        return None
    system, body, check = text[0], text[1:7], text[7]
    last = body[5]
    if last in "012":
        digits = system + body[:2] + last + "0000" + body[2:5]
    elif last == "3":
        digits = system + body[:3] + "00000" + body[3:5]
    elif last == "4":
        digits = system + body[:4] + "00000" + body[4]
    else:
        digits = system + body[:5] + "0000" + last
    return (digits + check).zfill(14) if check_digit(digits) == check else None


def gtin14(text: str) -> str:
    """Return a GTIN-8, -12, -13 or -14 as fourteen digits, or raise InvalidInput."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) in {8, 12, 13, 14}):
        raise InvalidInput(f"not a GTIN: {text!r} (8, 12, 13 or 14 digits)", field="gtin")
    if check_digit(digits[:-1]) != digits[-1]:
        raise InvalidInput(f"the check digit of GTIN {digits} is wrong", field="gtin")
    return digits.zfill(14)
