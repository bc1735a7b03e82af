"""Amounts of money: exact decimals out of what remotes write, and the currency they are in.

Nothing here raises: what is no amount is None, for no order is lost over a price that cannot be
read. A JSON number arrives as a float; its shortest text is what the remote wrote, so that 0.1 is
0.1 and not 0.1000000000000000055.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from connectors.errors import Rejected
from connectors.toolkit.cursors import moment
from hub.vocabulary.currencies import decimals_of

DIGITS_MAX = 28  # of an amount before and behind its point: as many as decimals are exact to
UNIT_PRICE_DECIMALS = 6
_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_EXACT = Context(prec=2 * DIGITS_MAX, rounding=ROUND_HALF_EVEN)


def amount(record: Mapping[str, Any], *path: str) -> Decimal | None:
    """Return the amount at a path of fields, as ``total_money``, ``amount``; None where none is."""
    return decimal_of(_at(record, path))


def currency_code(record: Mapping[str, Any], *path: str) -> str | None:
    """Return the code of ISO 4217 at a path of fields, in capital letters; None where none is."""
    found = _at(record, path)
    code = found.strip().upper() if isinstance(found, str) else ""
    return code if _CURRENCY.fullmatch(code) else None


def decimal_of(value: Any) -> Decimal | None:
    """Return the exact decimal of a text or a JSON number; None for anything else.

    Minus zero is zero. Digits beyond what a decimal holds exactly make it no amount.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    written = str(value).strip()
    if not _NUMBER.fullmatch(written):
        return None
    number = Decimal(written)
    if number.adjusted() >= DIGITS_MAX or -int(number.as_tuple().exponent) > DIGITS_MAX:
        return None
    # Written out in full: 1E+1 and 1e-05 are as good, and nobody reads them.
    return Decimal(f"{number:f}") if number else abs(number)


def from_minor(value: Any, currency: str | None) -> Decimal | None:
    """Return the amount of so many smallest units: 10 is 0.10 in EUR, 10 in JPY, 0.010 in KWD."""
    if currency is None:
        return None
    return scaled(decimal_of(value), decimals_of(currency))


def to_minor(value: Decimal, currency: str) -> int:
    """Return an amount in smallest units, for remotes that write those: 0.10 EUR is 10, 10 JPY 10.

    Raises Rejected for an amount that has more decimals than its currency.
    """
    units = value.scaleb(decimals_of(currency), _EXACT)
    if units != units.to_integral_value():
        raise Rejected(f"{value} is no amount in {currency}, which has {decimals_of(currency)}")
    return int(units)


def written(value: Decimal, currency: str) -> str:
    """Return an amount as text with the decimals of its currency: 10.00 in EUR, 10 in JPY.

    Raises Rejected for an amount that has more.
    """
    minor = Decimal(to_minor(value, currency))
    return f"{minor.scaleb(-decimals_of(currency), _EXACT):f}"


def scaled(value: Decimal | None, decimals: int) -> Decimal | None:
    """Return the amount of a whole number whose last digits, so many, are its decimals."""
    if value is None or value != value.to_integral_value() or not 0 <= decimals <= DIGITS_MAX:
        return None
    return value.scaleb(-decimals, _EXACT)


def listed(record: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list at a path of fields; what is no list is an empty one."""
    found = _at(record, path)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum of those amounts that are known; None where none is."""
    known = [each for each in amounts if each is not None]
    return sum(known[1:], known[0]) if known else None


def difference(whole: Decimal | None, part: Decimal | None) -> Decimal | None:
    """Return what a part leaves of a whole; None unless both are known."""
    return None if whole is None or part is None else whole - part


def per_unit(line: Decimal | None, quantity: int) -> Decimal | None:
    """Return the price of one unit out of that of a line, for remotes that state only the line's.

    Where it does not come out even it is rounded to six decimals, as shops do that divide.
    """
    if line is None or quantity <= 0:
        return None
    decimals = max(0, -int(line.as_tuple().exponent))
    for places in range(decimals, max(decimals, UNIT_PRICE_DECIMALS) + 1):
        one = (line / quantity).quantize(Decimal(1).scaleb(-places), context=_EXACT)
        if one * quantity == line:
            break
    return one


def share_of(line: Decimal | None, units: int, of: int) -> Decimal | None:
    """Return what of a line's amount falls to some of its units; None unless it is known."""
    if units == of:
        return line
    one = per_unit(line, of)
    return None if one is None else one * units


def positive(number: Decimal | None) -> Decimal | None:
    """Return an amount without its sign: some remotes write discounts and refunds below zero."""
    return None if number is None else abs(number)


def promised_time(record: Mapping[str, Any], *path: str) -> datetime | None:
    """Return the promised time at a path of fields in UTC; a day ends with its last second.

    None where there is none, or none that can be read.
    """
    found = _at(record, path)
    if not isinstance(found, str) or not found.strip():
        return None
    try:
        if len(found.strip()) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(found.strip()), time(23, 59, 59), UTC)
        return moment(found.strip())
    except (ValueError, OverflowError):
        return None


def earliest(times: Iterable[datetime | None]) -> datetime | None:
    """Return the earliest of those times that are known; None where none is."""
    return min((each for each in times if each is not None), default=None)


def _at(record: Any, path: Iterable[str]) -> Any:
    found = record
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
