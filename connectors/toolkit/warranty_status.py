"""What manufacturers say of a warranty, judged in one way.

A maker that does not know a serial has not said that it is not covered: UNKNOWN never turns into
NOT_COVERED. Dates are the maker's own days; what is no date is not known.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from connectors.errors import Unknown
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion, WarrantyStatus

_SERIAL = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,39}")


def today() -> date:
    """Return the day by which cover is judged; a remembered answer is judged again by the hub."""
    return datetime.now(UTC).date()


def unknown_warranty(question: WarrantyQuestion) -> Warranty:
    """Say that the maker does not know a serial, or could not say."""
    return Warranty(serial=question.serial, status=WarrantyStatus.UNKNOWN)


def invalid_warranty(question: WarrantyQuestion) -> Warranty:
    """Say that this can not be one of the maker's serials."""
    return Warranty(serial=question.serial, status=WarrantyStatus.INVALID)


def warranty_from_coverages(
    question: WarrantyQuestion,
    coverages: Sequence[Coverage],
    *,
    said: bool | None = None,
    registered: bool = False,
) -> Warranty:
    """Make the answer about a serial that the maker knows.

    `said` is whether it is covered, where the maker says so itself; else the days decide.
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
    """Say whether a cover holds today; one that has no first day has begun."""
    begun = coverage.starts_on is None or coverage.starts_on <= today()
    return begun and (coverage.ends_on is None or coverage.ends_on >= today())


def parse_day(said: Any) -> date | None:
    """Read the day of an ISO date or time, as the maker wrote it; what is none is not known."""
    try:
        return date.fromisoformat(str(said)[:10])
    except ValueError:
        return None


def dict_items(said: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; what is no list has none."""
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []


def expect_list(answer: Any, what: str) -> list[Mapping[str, Any]]:
    """Return the objects of an answer that must be a list, or raise Unknown."""
    if not isinstance(answer, list):
        raise Unknown(f"{what}: the answer is no list")
    return dict_items(answer)


def expect_object(answer: Any, what: str) -> Mapping[str, Any]:
    """Return an answer that must be an object, or raise Unknown."""
    if not isinstance(answer, dict):
        raise Unknown(f"{what}: the answer is no object")
    return answer


def by_serial(items: Iterable[Mapping[str, Any]], field: str) -> dict[str, list[Mapping[str, Any]]]:
    """Group what was answered by its serial, in any case of letters."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        found.setdefault(str(item.get(field) or "").strip().casefold(), []).append(item)
    return found


def is_valid_serial(serial: str) -> bool:
    """Say whether a serial can be asked about: others would break a list of them apart."""
    return _SERIAL.fullmatch(serial) is not None


def valid_serials(questions: Sequence[WarrantyQuestion]) -> list[str]:
    """Return the serials that can be asked about, each once."""
    return list(dict.fromkeys(each.serial for each in questions if is_valid_serial(each.serial)))
