"""Statistics of capture methods in a period: scanned, typed and other captures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from hub.catalogue import CUSTOMER, IN_TRANSIT, reference
from hub.catalogue.capture_points import NO_POINTS, READ_FROM_THE_UNIT
from hub.clock import micros
from hub.errors import InvalidInput
from hub.storage.sql import Transaction
from hub.vocabulary import CaptureMethod

PERIOD_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureCounts:
    """Numbers of events with the unit at hand, by capture method."""

    by_method: Mapping[CaptureMethod, int]

    @property
    def events(self) -> int:
        """Return the number of all events."""
        return sum(self.by_method.values())

    @property
    def scanned_share(self) -> float | None:
        """Return the share read from the unit among those read or typed; None if there are none."""
        read = sum(self.by_method[method] for method in READ_FROM_THE_UNIT)
        by_hand = read + self.by_method[CaptureMethod.MANUAL]
        return read / by_hand if by_hand else None


class _MethodCount(TypedDict):
    captured_by: str
    events: int


def count_captures(
    tx: Transaction, since: datetime, until: datetime, location: str | None = None
) -> CaptureCounts:
    """Count events that occurred from `since`, included, to `until`, excluded.

    `location` is a place's code; a site includes its bins. An event belongs to the place that the
    unit left or, if it came from outside, to the place where it arrived. Raises InvalidInput for a
    period out of bounds, UnknownReference for an unknown place.
    """
    if not timedelta() < until - since <= PERIOD_MAX:
        raise InvalidInput(f"a period of at most {PERIOD_MAX.days} days", field="until")
    where, values = "", dict[str, Any]()
    if location is not None:
        place = reference(tx, "location", "code", location)["id"]
        where = (
            "AND CASE WHEN location_from IS NULL OR location_from IN (:outside...) "
            "THEN location_to ELSE location_from END "
            "IN (SELECT id FROM location WHERE id = :place OR site_id = :place) "
        )
        values = {"place": place, "outside": [CUSTOMER, IN_TRANSIT]}
    rows = tx.rows_as(
        _MethodCount,
        "SELECT captured_by, COUNT(*) AS events FROM event "
        "WHERE occurred_at >= :since AND occurred_at < :until AND action NOT IN "
        f"({', '.join(repr(str(action)) for action in sorted(NO_POINTS))}) {where}"
        "GROUP BY captured_by",
        since=micros(since),
        until=micros(until),
        **values,
    )
    found = {row["captured_by"]: int(row["events"]) for row in rows}
    return CaptureCounts(by_method={method: found.get(method, 0) for method in CaptureMethod})
