"""Production periods in serials: where a maker prints year, month or week, and from when to when.

A manufacturer's rule is a pattern of its serials with ``yyyy`` or ``yy`` for the year and, where
the serial has them, ``mm`` for the month or ``ww`` for the week; every other place is ``?`` (any
character), ``#`` (a digit), ``@`` (a letter) or itself in capitals, and ``*`` ends it:
``LT-yyyy-ww??-*``. Years of two digits are of this century. Places count without dashes and
blanks.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from hub.errors import InvalidInput
from hub.recalls import serial_ranges
from hub.recalls.serial_ranges import DIGITS, Values
from hub.storage.sql import Transaction

RULE_CHARS_MAX = 100
_PERIOD = re.compile(r"(?P<year>[0-9]{4})(?:-W(?P<week>[0-9]{2})|-(?P<month>[0-9]{2}))?")
_PARTS = {"y": ("y", (2, 4)), "m": ("m", (2,)), "w": ("w", (2,))}
_HIGHEST = {"m": 12, "w": 53}


class _Rule(TypedDict):
    code: str
    serial_period: str | None


def rules_of(tx: Transaction, codes: Sequence[str]) -> dict[str, str | None]:
    """Return the rules of manufacturers by their codes; None where no rule is registered."""
    rows = tx.rows_as(
        _Rule,
        "SELECT code, serial_period FROM manufacturer WHERE code IN (:codes...)",
        codes=list(codes),
    )
    return dict.fromkeys(codes) | {row["code"]: row["serial_period"] for row in rows}


def check_rule(rule: str) -> str:
    """Return a maker's rule without dashes and blanks; raises InvalidInput for one that is none."""
    text = re.sub(r"[\s_-]+", "", rule)
    places = _places(text)
    wrong = len(rule) > RULE_CHARS_MAX or re.search(r"[^A-Z0-9?#@*ymw]", text) is not None
    if wrong or "y" not in places or {"m", "w"} <= set(places) or "*" in text[:-1]:
        raise InvalidInput(
            "say where the year stands (yyyy or yy) and, if it does, the month (mm) or the week "
            "(ww): LT-yyyy-ww??-*",
            field="serialPeriod",
        )
    for part, (start, length) in places.items():
        if length not in _PARTS[part][1] or part in text[start + length :]:
            raise InvalidInput(f"{part * length} is no part of a period", field="serialPeriod")
    return text


def _places(rule: str) -> dict[str, tuple[int, int]]:
    """Return where each part of the period begins in a serial, from 0, and its length."""
    return {
        part: (found.start(), len(found[0]))
        for part in _PARTS
        if (found := re.search(f"{part}+", rule)) is not None
    }


def parse(name: str, value: Any) -> list[dict[str, str]]:
    """Validate periods of a predicate; raises InvalidInput."""
    if not isinstance(value, list) or not 0 < len(value) <= serial_ranges.RANGES_MAX:
        raise InvalidInput(f"name 1 to {serial_ranges.RANGES_MAX} periods", field=name)
    return [_period(name, each) for each in value]


def _period(name: str, given: Any) -> dict[str, str]:
    ends = {"manufacturer", "first", "last"}
    if not isinstance(given, Mapping) or not ends <= set(given) <= ends | {"rule"}:
        raise InvalidInput("a period has its manufacturer, its first and its last", field=name)
    for each in given.values():
        if not isinstance(each, str) or not 0 < len(each) <= RULE_CHARS_MAX:
            raise InvalidInput(f"{name} needs 1 to {RULE_CHARS_MAX} characters", field=name)
    first, last = (_kind(name, given[end]) for end in ("first", "last"))
    if first != last:
        raise InvalidInput("both ends are years, months or weeks", field=name)
    if given["first"] > given["last"]:
        raise InvalidInput(f"{given['last']} is before {given['first']}", field=name)
    return dict(given)


def _kind(name: str, text: str) -> str:
    """Return what a period is: a year, ``m`` for a month, ``w`` for a week."""
    found = _PERIOD.fullmatch(text)
    parts = {"w": found["week"], "m": found["month"]} if found is not None else {}
    kind = next((part for part, digits in parts.items() if digits), "")
    if found is None or (kind and not 0 < int(parts[kind]) <= _HIGHEST[kind]):
        raise InvalidInput(
            f"{text} is no year (2025), month (2025-03) or week (2025-W09)", field=name
        )
    return kind


def with_rule(period: Mapping[str, str], rule: str | None) -> dict[str, str]:
    """Return a period with the rule that decodes it, kept with the recall.

    Raises InvalidInput where the maker has no rule, or one without such a part.
    """
    rule = period.get("rule") or rule
    if not rule:
        raise InvalidInput(
            f"{period['manufacturer']} has no rule for periods in serials: register its "
            "serialPeriod",
            field="periods",
        )
    checked = check_rule(rule)
    kind = _kind("periods", period["first"])
    places = _places(checked)
    if kind and kind not in places:
        raise InvalidInput(f"serials like {rule} have no such period", field="periods")
    century = {period[end][:2] for end in ("first", "last")}
    if places["y"][1] == 2 and century != {"20"}:
        raise InvalidInput("years of two digits are those of this century", field="periods")
    return {**period, "rule": checked}


def made_in(period: Mapping[str, str], serial: str, name: str, values: Values) -> str:
    """Return the SQL that a serial says that its unit was made in a period."""
    rule = period["rule"]
    places = _places(rule)
    fits = serial_ranges.fits_pattern(re.sub("[ymw]", "#", rule), serial, f"{name}s", values)
    kind = _kind("periods", period["first"])
    years = places["y"][1]
    decoded = [places["y"], *([places[kind]] if kind else [])]
    text = " || ".join(f"SUBSTR({serial}, {start + 1}, {length})" for start, length in decoded)
    for end, key in (("first", "a"), ("last", "b")):
        found = _PERIOD.fullmatch(period[end])
        assert found is not None  # checked when it was written
        values[f"{name}{key}"] = found["year"][4 - years :] + (
            found["week"] or found["month"] or ""
        )
    texts = [fits, f"LTRIM({text}, '{DIGITS}') = ''"]
    texts.append(f"{text} BETWEEN :{name}a AND :{name}b")
    for part, highest in _HIGHEST.items():
        if part in places:  # a part that counts further is no such serial: 0000, week 77
            start, length = places[part]
            texts.append(f"SUBSTR({serial}, {start + 1}, {length}) BETWEEN '01' AND '{highest}'")
    return "(" + " AND ".join(texts) + ")"
