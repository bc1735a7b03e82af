"""Sensor readings of units in transit (EPCIS 2.0 sensor reports).

The readings have a table of their own; one event in the history of each unit summarizes them with
minimum, maximum and mean, so that a change of the readings is detectable.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from hub import ledger
from hub.clock import micros, moment, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.paging import page_size
from hub.storage.sql import Row, Transaction

READINGS_MAX = 10_000  # in one command
ROWS_MAX = 100_000  # readings times units
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
MEASURE = re.compile(r"[A-Z0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement: ``Temperature``, 4.5, ``CEL`` (UN/CEFACT Recommendation 20)."""

    type: str
    value: float
    unit_of_measure: str
    measured_at: datetime
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a type of reading; None: no limit on that side."""

    type: str
    low: float | None = None
    high: float | None = None

    def leaves(self, value: float) -> bool:
        """Return whether a value is outside the limits."""
        too_low = self.low is not None and value < self.low
        return too_low or (self.high is not None and value > self.high)


def record(
    work: Work,
    scans: Sequence[Scan],
    readings: Sequence[Reading],
    *,
    limits: Sequence[Limits] = (),
    hold: bool = False,
) -> list[Verdict]:
    """Store readings of units that travelled together; with `hold`, block them outside limits.

    Raises InvalidInput for invalid or too many readings.
    """
    bounded(scans)
    _check(work.context, scans, readings)
    outside = {each.type: each for each in limits}
    left = [
        each for each in readings if each.type in outside and outside[each.type].leaves(each.value)
    ]
    details: dict[str, Any] = {"readings": _summaries(readings)}
    if left:
        details["left_limits"] = _summaries(left)
    sensed = UnitCommand(action=Action.SENSE, details=details)
    verdicts = ledger.record(work, sensed, scans)
    measured = [each.unit_id for each in verdicts if each.accepted and each.unit_id]
    names = (
        "id", "unit_id", "type", "value", "unit_of_measure", "device", "measured_at", "recorded_at",
    )  # fmt: skip
    now = micros(work.context.now)
    work.tx.insert(
        "sensor_reading",
        names,
        [
            (new_id(), unit_id, each.type, each.value, each.unit_of_measure, each.device,
             micros(each.measured_at), now)
            for unit_id in measured
            for each in readings
        ],
    )  # fmt: skip
    if left and hold:
        blocked = UnitCommand(action=Action.HOLD, hold_kind="quality", hold_reference="sensor")
        # A unit with a quality block already keeps it; the result of this command is ignored.
        ledger.record(work, blocked, [Scan(each) for each in measured])
    return verdicts


def _check(context: CommandContext, scans: Sequence[Scan], readings: Sequence[Reading]) -> None:
    if not 0 < len(readings) <= READINGS_MAX or len(readings) * len(scans) > ROWS_MAX:
        raise InvalidInput(
            f"a command takes 1 to {READINGS_MAX} readings, and {ROWS_MAX} times units",
            field="readings",
        )
    for each in readings:
        if not WORD.fullmatch(each.type) or not MEASURE.fullmatch(each.unit_of_measure):
            raise InvalidInput("a reading names its type and its unit of measure", field="readings")
        if not math.isfinite(each.value):
            raise InvalidInput("a reading is a number", field="readings")
        if each.measured_at > context.now:
            raise InvalidInput("a reading is from the future", field="readings")


def _summaries(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    by_type: dict[tuple[str, str], list[Reading]] = {}
    for each in readings:
        by_type.setdefault((each.type, each.unit_of_measure), []).append(each)
    return [
        {
            "type": kind,
            "unit_of_measure": measure,
            "count": len(some),
            "min": min(each.value for each in some),
            "max": max(each.value for each in some),
            "mean": round(sum(each.value for each in some) / len(some), 6),
            "since": min(each.measured_at for each in some).isoformat(),
            "until": max(each.measured_at for each in some).isoformat(),
        }
        for (kind, measure), some in sorted(by_type.items())
    ]


class _ExposureRow(TypedDict):
    type: str
    unit_of_measure: str
    count: int
    lowest: float
    highest: float
    mean: float
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """Summary of a unit's readings of one type and unit of measure, in a time window."""

    type: str
    unit_of_measure: str
    count: int
    lowest: float
    highest: float
    mean: float
    since: datetime
    until: datetime


def exposure(tx: Transaction, unit_id: str, since: datetime, until: datetime) -> list[Exposure]:
    """Summarize all readings of a unit in a time window, both ends included."""
    return [
        Exposure(
            type=row["type"],
            unit_of_measure=row["unit_of_measure"],
            count=row["count"],
            lowest=row["lowest"],
            highest=row["highest"],
            mean=row["mean"],
            since=moment(row["since"]),
            until=moment(row["until"]),
        )
        for row in tx.rows_as(
            _ExposureRow,
            "SELECT type, unit_of_measure, COUNT(*) AS count, MIN(value) AS lowest, "
            "MAX(value) AS highest, AVG(value) AS mean, MIN(measured_at) AS since, "
            "MAX(measured_at) AS until FROM sensor_reading WHERE unit_id = :unit "
            "AND measured_at BETWEEN :since AND :until "
            "GROUP BY type, unit_of_measure ORDER BY type, unit_of_measure",
            unit=unit_id,
            since=micros(since),
            until=micros(until),
        )
    ]


def readings(
    tx: Transaction, unit_id: str, *, first: int, after: str | None, type_: str | None
) -> list[Row]:
    """Return readings of a unit in the order of recording, one more than `first`."""
    return tx.rows(
        "SELECT * FROM sensor_reading WHERE unit_id = :unit AND id > :after "
        f"{'' if type_ is None else 'AND type = :type '}ORDER BY id LIMIT :limit",
        unit=unit_id,
        after=after or "",
        limit=page_size(first) + 1,
        **({} if type_ is None else {"type": type_}),
    )
