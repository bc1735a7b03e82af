"""ISBT 128: blood, tissues, cells, and the devices made of them, of which ICCBBA keeps the lists.

A reading is one data structure, or several behind one another (ICCBBA ST-001, chapters 2 and 3),
each with two characters in front that name it, and a fixed length. A unit is named by its donation
(DIN) and, where that was divided, by the division; a device by its serial, which its labels may
have without the donation. A reading with another structure in it is refused whole.
"""

import re
from datetime import date, timedelta

from stdnum.iso7064 import mod_37_2

from hub.errors import InvalidBarcode
from hub.identifiers.medical import Udi

_DIN_FORM = r"[A-NP-Z1-9]\d{4}\d{2}\d{6}"
# By the characters in front: what it is, and its form. Of those without a name nothing is stored.
_STRUCTURES = (
    ("compound", "=+", r"\d{5}"),
    ("product", "=<", r"[A-Z]\d{4}[A-Za-z0-9][A-Z0-9][A-Za-z0-9]"),
    ("device", "=/", r"[A-Z0-9]{16}"),
    ("serial", "=,", r"[A-Z0-9]{6}"),
    ("expiry", "=>", r"\d{6}"),
    ("expiry", "&>", r"\d{10}"),
    ("produced", "=}", r"\d{6}"),
    ("produced", "&}", r"\d{10}"),
    ("", "=*", r"\d{6}"),  # collected
    ("", "&*", r"\d{10}"),
    ("", "=%", r"[A-Z0-9]{4}"),  # blood groups
    ("", "&(", r"[A-Z0-9]{5}"),  # special testing
    ("lot", "&,1", r"[A-Z0-9]{1,18}"),
    ("din", "=", rf"{_DIN_FORM}[0-9A-Z]{{2}}"),
)
_FORMS = tuple(
    (name, re.compile(re.escape(sign) + f"({form})")) for name, sign, form in _STRUCTURES
)
_STARTS = re.compile(rf"(?:=[/,<>}}+*%]|&[>}}*(]|&,1|={_DIN_FORM})")
# As it is printed beneath the barcode, in groups, with its flags and the check character behind.
_PRINTED = re.compile(r"([A-NP-Z1-9]\d{4}) (\d{2}) (\d{6})(?: ([0-9A-Z]{2}))? ?([0-9A-Z*])")
_CHECK_FLAGS = range(60, 97)  # flags that are the check character's place in its alphabet, and 60
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
CENTURY = 2000


def is_isbt(text: str) -> bool:
    """Return whether a text begins as a data structure of ISBT 128."""
    return text[:1] in {"=", "&"} and _STARTS.match(text) is not None


def check_character(din: str) -> str:
    """Compute the check character of a donation number (ISO/IEC 7064, MOD 37-2)."""
    return str(mod_37_2.calc_check_digit(din))


def read_isbt(text: str) -> Udi:
    """Parse a reading of ISBT 128; raises InvalidBarcode where any part of it cannot be read."""
    if (printed := _PRINTED.fullmatch(text)) is not None and is_printed(text):
        return Udi(serial=printed[1] + printed[2] + printed[3])
    found = _structures(text)
    product, donation = found.get("product", ""), _donation(found, text)
    lot = found["lot"].lstrip("0") if "lot" in found else None  # zeros fill it up in front
    if lot == "":
        raise InvalidBarcode("the lot of the ISBT 128 label is empty", read=text)
    return Udi(
        device=_device(found, product),
        serial=_serial(found, donation),
        donation=donation,
        lot=lot,
        expiry=_day(found.get("expiry"), text),
        produced=_day(found.get("produced"), text),
    )


def _structures(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    place, count, stated = 0, 0, None
    while place < len(text):
        name, match = next(
            ((name, match) for name, form in _FORMS if (match := form.match(text, place))),
            ("", None),
        )
        if match is None:
            raise InvalidBarcode(
                f"a part of the ISBT 128 label cannot be read: {text[place : place + 20]!r}",
                read=text,
            )
        if name == "compound":
            stated = count + 1 + int(match[1][:2])
        elif name and found.setdefault(name, match[1]) != match[1]:
            raise InvalidBarcode(f"the ISBT 128 label has two of one kind ({name})", read=text)
        place, count = match.end(), count + 1
    if stated is not None and stated != count:
        raise InvalidBarcode("the ISBT 128 message has lost a part: scan it again", read=text)
    return found


def _device(found: dict[str, str], product: str) -> str | None:
    named = found.get("device") or product[:5]
    return f"ICCBBA:{named}" if named else None


def _donation(found: dict[str, str], text: str) -> str | None:
    if "din" not in found:
        return None
    din, flags = found["din"][:13], found["din"][13:]
    checked = flags.isdigit() and int(flags) in _CHECK_FLAGS
    if checked and _ALPHABET[int(flags) - _CHECK_FLAGS.start] != check_character(din):
        raise InvalidBarcode("the check flags of the donation number are wrong", read=text)
    return din


def _serial(found: dict[str, str], donation: str | None) -> str | None:
    serial, division = found.get("serial"), found.get("product", "")[6:]
    if donation is None or (serial and "device" in found):
        return serial
    parts = (donation, serial or (division if division != "00" else ""))
    return "-".join(each for each in parts if each)


def _day(value: str | None, text: str) -> date | None:
    """Read cyyjjj: the century's last digit, the year, the day of the year; an hour may follow."""
    if value is None:
        return None
    year, day = CENTURY + int(value[0]) * 100 + int(value[1:3]), int(value[3:6])
    found = date(year, 1, 1) + timedelta(days=day - 1)
    hour, minute = (int(value[6:8]), int(value[8:10])) if value[6:] else (0, 0)
    if day < 1 or found.year != year or hour > 23 or minute > 59:
        raise InvalidBarcode(f"{value!r} is no date", read=text)
    return found


def is_printed(text: str) -> bool:
    """Return whether a text is a printed donation number, with the check character that it has."""
    found = _PRINTED.fullmatch(text)
    return found is not None and check_character(found[1] + found[2] + found[3]) == found[5]
