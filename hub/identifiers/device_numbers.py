"""Numbers that name one device in the whole world: IMEI, MEID, EID, MAC, VIN.

Each is written in several ways and means the same in all of them, and in every scheme that holds
it: the second IMEI of one phone is never the first of another. `space_of` says what a scheme means,
`normalized` the one form of a value in it.
"""

import re
from functools import lru_cache

from stdnum import imei, luhn, meid
from stdnum.exceptions import ValidationError

from hub.errors import InvalidBarcode
from hub.identifiers.numbers import MAC_WRITTEN, canonical

IMEI, MEID, EID, MAC, VIN = "imei", "meid", "eid", "mac", "vin"
CHARS_MIN, CHARS_MAX = 12, 50
"""The length of all these numbers, with their separators; most serials are shorter."""
SPACES = (IMEI, MEID, EID, MAC, VIN)

_LABEL = re.compile(
    r"^(?:IMEI(?:[ /]?(?:SV|MEID))?|MEID|EID|VIN|(?:[A-Z0-9]+[ -])?MAC(?: ?ADDR(?:ESS)?)?)"
    r"(?: ?\((?:ESIM|DEC|HEX|(?:SLOT|SIM)? ?\d)\)| (?:DEC|HEX)| (?:SLOT|SIM) ?\d| ?\d)?"
    r"(?:\s*[:#=]\s*|\s+)",
    re.IGNORECASE,
)
_VERSION = re.compile(r"(\d{15})/\d{2}")  # an IMEI with its software version
_GROUPS = re.compile(r"[\s-]")  # what people put between the groups of a number
_HEX = re.compile(r"[0-9A-F]{12}|[0-9A-F]{16}")
_MEID = re.compile(r"[0-9A-F]{14,15}|[0-9]{18,19}")  # with or without its check digit
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def space_of(scheme: str) -> str:
    """Return what a scheme means: ``imei2`` is an IMEI, ``wifi_mac`` a MAC; else the scheme."""
    words = re.sub(r"\d+", "", scheme).split("_")
    return next((space for space in SPACES if space in words), scheme)


def without_label(text: str) -> str:
    """Return a number without the words before it: ``IMEI1: 35…``, ``MAC Address 00:…``."""
    text = text.strip()
    if text[:1] == text[-1:] == "*":  # of Code 39
        text = text.strip("*")
    return _LABEL.sub("", text)


def normalized(scheme: str, value: str) -> str:
    """Return the one form of a further identifier in its name space.

    Raises InvalidBarcode for a value that can be none of its kind, as for a wrong check digit.
    """
    space = space_of(scheme)
    if space not in SPACES:
        return canonical(value)
    found = _forms(without_label(value)).get(space)
    if found is None:
        raise InvalidBarcode(f"{value[:60]!r} is no {space.upper()}: read it again", read=value)
    return found


def device_names(text: str) -> list[tuple[str, str]]:
    """Return what a serial is as a number of a device, as name space and normal form."""
    return list(_forms(without_label(text)).items()) if len(text) >= CHARS_MIN else []


def serial_names(text: str) -> list[tuple[str, str]]:
    """Return what makes two serials of one product the same, as name space and normal form.

    Sixteen digits are a serial like others, although they may be an IMEI with its version.
    """
    names = device_names(text)
    if names and len(_GROUPS.sub("", without_label(text))) == 16:
        return [each for each in names if each[0] != IMEI]
    return names


def keys_of(text: str) -> tuple[str, ...]:
    """Return every form that a text has as a number of a device; empty for most serials.

    An IMEI may be known without its check digit.
    """
    names = device_names(text)
    return (*(key for _, key in names), *(key[:14] for space, key in names if space == IMEI))


@lru_cache(50_000)
def _forms(text: str) -> dict[str, str]:
    """Return the normal forms of a text by the name spaces whose number it can be."""
    if not CHARS_MIN <= len(text) <= CHARS_MAX:
        return {}
    plain = _GROUPS.sub("", text).upper()
    read = {
        IMEI: _imei(plain),
        MEID: _meid(plain),
        EID: plain if _is_eid(plain) else None,
        MAC: _mac(plain),
        VIN: _vin(plain),
    }
    return {space: form for space, form in read.items() if form is not None}


def _imei(plain: str) -> str | None:
    """Return 15 digits: the check digit is added where only 14 or a software version are given."""
    if found := _VERSION.fullmatch(plain):
        plain = found[1]
    if not (plain.isascii() and plain.isdigit() and len(plain) in {14, 15, 16}):
        return None
    try:
        digits = str(imei.validate(plain))
    except ValidationError:
        return None
    return digits if len(digits) == 15 else digits[:14] + str(luhn.calc_check_digit(digits[:14]))


def _meid(plain: str) -> str | None:
    """Return 14 hexadecimal digits without check digit, of any way of writing an MEID."""
    if not _MEID.fullmatch(plain):
        return None
    try:
        found = str(meid.validate(plain, strip_check_digit=True)).upper()
    except (ValidationError, ValueError):
        return None
    return found if found[:2] >= "99" else None


def is_meid(text: str) -> bool:
    """Return whether a text is an MEID: 14 hexadecimal digits that begin as none of an IMEI."""
    plain = _GROUPS.sub("", without_label(text)).upper()
    return len(plain) == 14 and _meid(plain) == plain


def is_imei(text: str) -> bool:
    """Return whether a text is an IMEI: 15 digits with a Luhn check digit (3GPP TS 23.003)."""
    plain = _GROUPS.sub("", without_label(text))
    return len(_VERSION.sub(r"\1", plain)) == 15 and _imei(plain) is not None


def is_eid(text: str) -> bool:
    """Return whether a text is an EID: 32 digits, two of them a check (GSMA SGP.29)."""
    return _is_eid(re.sub(r"\s", "", without_label(text)))


def _is_eid(plain: str) -> bool:
    right_form = len(plain) == 32 and plain.isascii() and plain.isdigit()
    return right_form and plain.startswith("89") and int(plain) % 97 == 1


def is_mac(text: str) -> bool:
    """Return whether a text is written as a MAC address, with its separators."""
    return MAC_WRITTEN.fullmatch(without_label(text)) is not None


def _mac(plain: str) -> str | None:
    digits = plain.replace(":", "").replace(".", "")
    return digits if _HEX.fullmatch(digits) else None


def _vin(plain: str) -> str | None:
    # A barcode of an imported vehicle has an I in front, which no VIN contains.
    plain = plain[1:] if len(plain) == 18 and plain[0] == "I" else plain
    return plain if _VIN.fullmatch(plain) else None


def is_vin(text: str) -> bool:
    """Return whether a text is a VIN with a valid check digit (49 CFR 565.15)."""
    vin = _vin(_GROUPS.sub("", without_label(text)).upper())
    if vin is None:
        return False
    values = (int(_VIN_VALUES.get(letter, letter)) for letter in vin)
    rest = sum(value * weight for value, weight in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return vin[8] == ("X" if rest == 10 else str(rest))
