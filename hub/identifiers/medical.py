"""Medical device identifiers (UDI) of HIBCC; GS1's are GS1 barcodes, ICCBBA's are in `isbt`.

HIBC: ANSI/HIBC 2.6 (primary and secondary data, joined by a slash, one check character over all; a
secondary label on its own has a link character, the check character of the primary, before it).
"""

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, datetime

from hub.errors import InvalidBarcode

HIBC_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"


@dataclass(frozen=True, slots=True)
class Udi:
    """Content of a device label; the device identifier has its issuing agency as prefix."""

    device: str | None = None
    serial: str | None = None
    lot: str | None = None
    expiry: date | None = None
    produced: date | None = None
    link: str | None = None  # of a secondary label: the check character of its primary
    check: str | None = None  # of a primary label or part: its check character
    donation: str | None = None  # ISBT 128: the number of the donation


def hibc_check(text: str) -> str:
    """Compute the check character of a HIBC text: the sum of its letters' places, modulo 43."""
    return HIBC_LETTERS[sum(HIBC_LETTERS.index(letter) for letter in text) % 43]


def read_hibc(text: str) -> Udi:
    """Parse a HIBC label; raises InvalidBarcode."""
    text = text.strip("*").upper()
    if len(text) < 4 or any(letter not in HIBC_LETTERS for letter in text):
        raise InvalidBarcode("this is no HIBC label", read=text)
    if hibc_check(text[:-1]) != text[-1]:
        raise InvalidBarcode("the check character of the HIBC label is wrong", read=text)
    body, udi = text[1:-1], Udi()
    if body.startswith("$") or _ORDINAL.match(body):  # a secondary label on its own
        body, udi = body[:-1], Udi(link=body[-1])
    for part in body.split("/"):
        udi = _hibc_part(part, udi, text)
    return udi


_ORDINAL = re.compile(r"(\d{5})(.*)")  # year and day of the year, then a lot
_QUANTITY = re.compile(r"Q\d{1,5}")


_PRIMARY = re.compile(r"(?P<labeler>[A-Z][A-Z0-9]{3})(?P<product>[A-Z0-9]{1,18})(?P<unit>\d)")


def _hibc_part(part: str, udi: Udi, text: str) -> Udi:
    if part.startswith("$"):
        return _hibc_secondary(part, udi, text)
    if part.startswith("14D"):
        return replace(udi, expiry=_day(part[3:], "%Y%m%d", text))
    if part.startswith("16D"):
        return replace(udi, produced=_day(part[3:], "%Y%m%d", text))
    if _QUANTITY.fullmatch(part) and udi != Udi():
        return udi
    if (ordinal := _ORDINAL.fullmatch(part)) is not None:
        lot = ordinal[2] or udi.lot
        return replace(udi, expiry=_day(ordinal[1], "%y%j", text), lot=lot)
    if part.startswith("S") and udi.device is not None:
        return replace(udi, serial=part[1:])
    primary = _PRIMARY.fullmatch(part)
    if primary is None:
        raise InvalidBarcode(f"{part!r} is no part of a HIBC label", read=text)
    device = f"HIBCC:{primary['labeler']}{primary['product']}{primary['unit']}"
    return replace(udi, device=device, check=hibc_check(f"+{part}"))


_DATES = {
    "2": (6, "%m%d%y"),
    "3": (6, "%y%m%d"),
    "4": (8, "%y%m%d%H"),
    "5": (5, "%y%j"),
    "6": (7, "%y%j%H"),
    "7": (0, ""),
}


def _hibc_secondary(part: str, udi: Udi, text: str) -> Udi:
    dated = part.startswith("$$")
    rest = part[2:] if dated else part[1:]
    is_serial = rest.startswith("+")
    rest = rest.removeprefix("+")
    expiry = None
    if dated:
        expiry, rest = _hibc_date(_without_quantity(rest), text)
    udi = replace(udi, expiry=expiry or udi.expiry)
    return replace(udi, serial=rest or None) if is_serial else replace(udi, lot=rest or None)


def _without_quantity(rest: str) -> str:
    digits = {"8": 2, "9": 5}.get(rest[:1])
    return rest if digits is None else rest[1 + digits :]


def _hibc_date(rest: str, text: str) -> tuple[date | None, str]:
    if rest[:1] in _DATES:
        length, form = _DATES[rest[0]]
        value, rest = rest[1 : 1 + length], rest[1 + length :]
        return (_day(value, form, text) if form else None), rest
    if rest[:4].isdigit():  # a month: it lasts to its end
        month = _day(rest[:4], "%m%y", text)
        return month.replace(day=monthrange(month.year, month.month)[1]), rest[4:]
    return None, rest


_WRITTEN = {
    "%y%j": 5, "%y%m%d": 6, "%m%d%y": 6, "%m%y": 4, "%Y%m%d": 8, "%y%m%d%H": 8, "%y%j%H": 7,
}  # fmt: skip


def _day(value: str, form: str, text: str) -> date:
    try:
        if len(value) != _WRITTEN[form] or not value.isdigit():  # strptime takes fewer digits
            raise ValueError(value)
        return datetime.strptime(value, form).date()  # noqa: DTZ007 # a day has no zone
    except ValueError as error:
        raise InvalidBarcode(f"{value!r} is no date", read=text) from error
