"""Warranty status: one judgement of what manufacturers report.

A manufacturer that does not know a serial has not said that it is not covered: UNKNOWN never turns
into NOT_COVERED. Dates are the manufacturer's own days; what is no date is not read as
"no date".
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from connectors.errors import Unknown
from connectors.toolkit.json_fields import field_path, records, text
from connectors.toolkit.records import FieldError, RecordReader
from connectors.unreadable import Unreadable, UnreadableRecord
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion, WarrantyStatus

READER = RecordReader("warranty", ref="serial")
NO_DAY = frozenset({"", "-", "n/a", "na", "none", "null", "0000-00-00"})
_SERIAL = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,39}")


def today() -> date:
    """Return the day by which coverage is judged (UTC); the hub judges a stored answer again."""
    return datetime.now(UTC).date()


def unknown_warranty(question: WarrantyQuestion) -> Warranty:
    """Return UNKNOWN: the manufacturer does not know the serial, or could not say."""
    return Warranty(serial=question.serial, status=WarrantyStatus.UNKNOWN)


def invalid_warranty(question: WarrantyQuestion) -> Warranty:
    """Return INVALID: this cannot be one of the manufacturer's serials."""
    return Warranty(serial=question.serial, status=WarrantyStatus.INVALID)


def warranty_from_coverages(
    question: WarrantyQuestion,
    coverages: Sequence[Coverage],
    *,
    said: bool | None = None,
    registered: bool = False,
) -> Warranty:
    """Return the warranty of a serial that the manufacturer knows.

    `said` is whether the unit is covered, where the manufacturer states it; otherwise the dates of
    `coverages` decide.
    """
    covered = any(is_in_force(each) for each in coverages) if said is None else said
    ended = any(each.ends_on is not None and each.ends_on < today() for each in coverages)
    if covered:
        status = WarrantyStatus.COVERED
    else:
        status = WarrantyStatus.EXPIRED if ended else WarrantyStatus.NOT_COVERED
    starts = [each.starts_on for each in coverages if each.starts_on]
    ends = [each.ends_on for each in coverages if each.ends_on]
    # A cover that has no last day outlasts those that have one.
    is_open = covered and any(each.ends_on is None and is_in_force(each) for each in coverages)
    return Warranty(
        serial=question.serial,
        status=status,
        registered=registered,
        starts_on=min(starts, default=None),
        ends_on=None if is_open else max(ends, default=None),
        coverages=tuple(coverages),
    )


def is_in_force(coverage: Coverage) -> bool:
    """Return whether a coverage is in force today; one without a first day has begun."""
    begun = coverage.starts_on is None or coverage.starts_on <= today()
    return begun and (coverage.ends_on is None or coverage.ends_on >= today())


def day(record: Mapping[str, Any], name: str) -> date | None:
    """Return the day of an ISO date or time; None where none is stated.

    Raises FieldError for anything else: a last day that cannot be read is not "without an end".
    """
    said = text(record, name)
    if said.strip().casefold() in NO_DAY:
        return None
    try:
        return date.fromisoformat(said.strip()[:10])
    except ValueError as error:
        raise FieldError(field_path(record, name), said, "is no day") from error


def parse_day(said: Any) -> date | None:
    """Parse the day of an ISO date or time that is stated for people; None where it is none."""
    try:
        return date.fromisoformat(str(said)[:10])
    except ValueError:
        return None


def dict_items(said: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; none where the value is no list."""
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []


def answered(
    question: WarrantyQuestion,
    found: Sequence[Mapping[str, Any]],
    parse: Callable[[WarrantyQuestion, Sequence[Mapping[str, Any]]], Warranty],
) -> Warranty | UnreadableRecord:
    """Read what a manufacturer reports of one serial; what cannot be read spoils no other."""
    try:
        return READER.one(
            {"answers": list(found)},
            lambda holder: parse(question, records(holder, "answers")),
            question.serial,
        )
    except Unreadable as error:
        path = error.record.field.removeprefix("answers[0].")
        return replace(error.record, field=path)


def expect_list(answer: Any, what: str) -> list[Mapping[str, Any]]:
    """Return the objects of an answer that must be a list. Raises Unknown."""
    if not isinstance(answer, list):
        raise Unknown(f"{what}: the answer is no list")
    return [each for each in answer if isinstance(each, dict)]


def expect_object(answer: Any, what: str) -> Mapping[str, Any]:
    """Return an answer that must be an object. Raises Unknown."""
    if not isinstance(answer, dict):
        raise Unknown(f"{what}: the answer is no object")
    return answer


def by_serial(items: Iterable[Mapping[str, Any]], field: str) -> dict[str, list[Mapping[str, Any]]]:
    """Group answers by serial, ignoring case."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        found.setdefault(str(item.get(field) or "").strip().casefold(), []).append(item)
    return found


def is_valid_serial(serial: str) -> bool:
    """Return whether a serial can be sent: other characters would break a list of them apart."""
    return _SERIAL.fullmatch(serial) is not None


def valid_serials(questions: Sequence[WarrantyQuestion]) -> list[str]:
    """Return the serials that can be sent, each once, in the order of the questions."""
    return list(dict.fromkeys(each.serial for each in questions if is_valid_serial(each.serial)))
