"""Serials as makers print them in recalls: ranges, prefixes, patterns and segments, as SQL.

All compare canonical serials, without dashes and blanks. A range counts the number at the end of
its serials, if what stands before it is the same; otherwise, and with `letters`, it counts through
digits and capitals at every place, and both ends are of one length: ``LT-2025-A4K7-9B2X`` to
``LT-2025-B001-0000`` is every serial of that length in between. A pattern has ``?`` for any
character, ``#`` for a digit, ``@`` for a letter, and may end with ``*``. A segment is a part at
fixed places, such as the year or the week. Each check takes time that grows with the serial alone.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hub.errors import InvalidInput
from hub.identifiers.numbers import canonical

RANGES_MAX = 100
VALUES_MAX = 200
SERIAL_CHARS_MAX = 100
DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER = re.compile(r"^(.*?)([0-9]+)$")
_COUNTED = re.compile(r"[0-9A-Z]*")
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015\u2212]+")

Values = dict[str, Any]


def parse_ranges(name: str, value: Any) -> list[dict[str, Any]]:
    """Validate ranges; raises InvalidInput."""
    if not isinstance(value, list) or not 0 < len(value) <= RANGES_MAX:
        raise InvalidInput(f"name 1 to {RANGES_MAX} ranges", field=name)
    return [_range(name, each) for each in value]


def _range(name: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not {"first", "last"} <= set(given) <= {
        "first",
        "last",
        "letters",
    }:
        raise InvalidInput("a range has its first and its last serial", field=name)
    first, last = (_key(name, given[end]) for end in ("first", "last"))
    span: dict[str, Any] = {"first": first, "last": last}
    if not given.get("letters") and (ends := _numbers(span)) is not None:
        low, high = ends
        if int(low) > int(high) or (int(low) == int(high) and len(low) > len(high)):
            raise InvalidInput(f"{last} comes before {first}", field=name)
        return span
    if len(first) != len(last):
        raise InvalidInput(
            f"{first} and {last} are of different lengths and do not only differ in a number at "
            "their end: describe them by a prefix, a pattern or segments",
            field=name,
        )
    start = len(_common(span))
    if not (_COUNTED.fullmatch(first[start:]) and _COUNTED.fullmatch(last[start:])):
        raise InvalidInput(
            f"{first} and {last} differ in more than digits and letters: list them", field=name
        )
    if first > last:
        raise InvalidInput(f"{last} comes before {first}", field=name)
    return {**span, "letters": True}


def _key(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= SERIAL_CHARS_MAX:
        raise InvalidInput(f"{name} needs 1 to {SERIAL_CHARS_MAX} characters", field=name)
    return canonical(value)


def _numbers(span: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the numbers at the ends of two serials that begin alike, or None."""
    low, high = _NUMBER.match(span["first"]), _NUMBER.match(span["last"])
    if low is None or high is None or low[1] != high[1]:
        return None
    return low[2], high[2]


def _common(span: Mapping[str, Any]) -> str:
    """Return what two serials of one length have in common at their beginning."""
    pairs = zip(span["first"], span["last"], strict=True)
    return "".join(a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def within(span: Mapping[str, Any], serial: str, name: str, values: Values) -> str:
    """Return the SQL that a serial is in a range."""
    if span.get("letters"):
        start = len(_common(span))
        values[f"{name}p"] = span["first"][:start]
        ends = (span["first"][start:], span["last"][start:])
        return (
            f"(LENGTH({serial}) = {len(span['first'])} "
            f"AND SUBSTR({serial}, 1, {start}) = :{name}p AND "
            + _counted(serial, start, ends, name, values, DIGITS + LETTERS)
            + ")"
        )
    numbers = _numbers(span)
    assert numbers is not None  # checked when it was written
    low, high = numbers
    start = len(span["first"]) - len(low)
    values[f"{name}p"] = span["first"][:start]
    rest = f"SUBSTR({serial}, {start + 1})"
    begins = (
        f"SUBSTR({serial}, 1, {start}) = :{name}p AND LTRIM({rest}, '{DIGITS}') = '' "
        f"AND LENGTH({serial}) BETWEEN {start + min(len(low), len(high))} "
        f"AND {start + max(len(low), len(high))}"
    )
    if len(low) == len(high):
        # Digits of one length compare like numbers, in every collation.
        values |= {f"{name}a": low, f"{name}b": high}
        return f"({begins} AND {rest} BETWEEN :{name}a AND :{name}b)"
    values |= {f"{name}a": low.lstrip("0"), f"{name}b": high.lstrip("0")}
    number = f"LTRIM({rest}, '0')"
    text = (
        f"{begins} AND (LENGTH({number}) > LENGTH(:{name}a) "
        f"OR LENGTH({number}) = LENGTH(:{name}a) AND {number} >= :{name}a) "
        f"AND (LENGTH({number}) < LENGTH(:{name}b) "
        f"OR LENGTH({number}) = LENGTH(:{name}b) AND {number} <= :{name}b)"
    )
    if high.startswith("0") or len(low) > len(high):
        return f"({text})"  # the maker fills up as it likes: any zeros in front
    # A number is as long as the first at least, with zeros before it; longer ones have none.
    return f"({text} AND (LENGTH({rest}) = {len(low)} OR SUBSTR({rest}, 1, 1) <> '0'))"


def _counted(
    serial: str, start: int, ends: tuple[str, str], name: str, values: Values, allowed: str
) -> str:
    """Return the SQL that the part behind `start` lies between two of the allowed characters."""
    first, last = ends
    if not first:
        return "1 = 1"
    part = f"SUBSTR({serial}, {start + 1}, {len(first)})"
    values |= {f"{name}a": first, f"{name}b": last}
    return (
        f"LENGTH({part}) = {len(first)} AND LTRIM({part}, '{allowed}') = '' "
        f"AND {part} BETWEEN :{name}a AND :{name}b"
    )


def parse_prefixes(name: str, value: Any) -> list[str]:
    """Validate beginnings of serials; raises InvalidInput."""
    if not isinstance(value, list) or not 0 < len(value) <= VALUES_MAX:
        raise InvalidInput(f"name 1 to {VALUES_MAX} prefixes", field=name)
    return sorted({_key(name, each) for each in value})


def begins(prefix: str, serial: str, name: str, values: Values) -> str:
    """Return the SQL that a serial begins with a prefix."""
    values[name] = prefix
    return f"SUBSTR({serial}, 1, {len(prefix)}) = :{name}"


def parse_patterns(name: str, value: Any) -> list[str]:
    """Validate patterns; raises InvalidInput."""
    if not isinstance(value, list) or not 0 < len(value) <= VALUES_MAX:
        raise InvalidInput(f"name 1 to {VALUES_MAX} patterns", field=name)
    return sorted({_pattern(name, each) for each in value})


def _pattern(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= SERIAL_CHARS_MAX:
        raise InvalidInput(f"{name} needs 1 to {SERIAL_CHARS_MAX} characters", field=name)
    pattern = _SEPARATORS.sub("", value).upper()
    if "*" in pattern[:-1]:
        raise InvalidInput("a pattern has * at its end only", field=name)
    if not re.sub(r"[?#@*]", "", pattern):
        raise InvalidInput("a pattern without a fixed character fits everything", field=name)
    return pattern


def fits_pattern(pattern: str, serial: str, name: str, values: Values) -> str:
    """Return the SQL that a serial fits a pattern."""
    fixed = pattern.removesuffix("*")
    texts = [f"LENGTH({serial}) {'=' if fixed == pattern else '>='} {len(fixed)}"]
    place = 1
    for number, (kind, letters) in enumerate(itertools.groupby(fixed, _kind)):
        run = "".join(letters)
        part = f"SUBSTR({serial}, {place}, {len(run)})"
        if kind == "":
            values[f"{name}x{number}"] = run
            texts.append(f"{part} = :{name}x{number}")
        elif kind != "?":
            texts.append(f"LTRIM({part}, '{DIGITS if kind == '#' else LETTERS}') = ''")
        place += len(run)
    return "(" + " AND ".join(texts) + ")"


def _kind(letter: str) -> str:
    return letter if letter in "?#@" else ""


def parse_segments(name: str, value: Any) -> list[dict[str, Any]]:
    """Validate segments; raises InvalidInput."""
    if not isinstance(value, list) or not 0 < len(value) <= RANGES_MAX:
        raise InvalidInput(f"name 1 to {RANGES_MAX} segments", field=name)
    return [_segment(name, each) for each in value]


def _segment(name: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping) or set(given) != {"start", "first", "last"}:
        raise InvalidInput("a segment has its start, and its first and last value", field=name)
    start, (first, last) = given["start"], (_key(name, given[end]) for end in ("first", "last"))
    if not isinstance(start, int) or isinstance(start, bool) or not 0 < start <= SERIAL_CHARS_MAX:
        raise InvalidInput(f"a segment starts at 1 to {SERIAL_CHARS_MAX}", field=name)
    if len(first) != len(last) or not _COUNTED.fullmatch(first + last):
        raise InvalidInput(
            f"{first} and {last} are no values of one length, of digits and letters", field=name
        )
    if first > last:
        raise InvalidInput(f"{last} comes before {first}", field=name)
    return {"start": start, "first": first, "last": last}


def has_segment(segment: Mapping[str, Any], serial: str, name: str, values: Values) -> str:
    """Return the SQL that a part of a serial is one of a segment."""
    ends = (segment["first"], segment["last"])
    allowed = DIGITS if "".join(ends).isdigit() else DIGITS + LETTERS
    return f"({_counted(serial, segment['start'] - 1, ends, name, values, allowed)})"


COMPILED: dict[str, Callable[[Any, str, str, Values], str]] = {
    "ranges": within,
    "prefixes": begins,
    "patterns": fits_pattern,
    "segments": has_segment,
}


def compiled(name: str, value: Any, serial: str, values: Values, count: Iterator[int]) -> str:
    """Return the SQL of one of these fields; segments narrow each other, the others are choices."""
    compile_one = COMPILED[name]
    texts = [compile_one(each, serial, f"p{next(count)}", values) for each in value]
    return "(" + (" AND " if name == "segments" else " OR ").join(texts) + ")"
