"""Whose a unit was, and what was measured at it on its way."""

from datetime import datetime

import strawberry

from hub.clock import moment
from hub.storage.sql import Row
from hub.unit_records.ownership import OwnerKind, Period


@strawberry.type(description="Somebody owned a unit from a time to a time; null: still.")
class OwnerPeriod:
    kind: OwnerKind
    owner: str | None = strawberry.field(
        description="A client's code or a customer's pseudonym; null where nobody was named."
    )
    since: datetime
    until: datetime | None
    document_type: str | None
    document_ref: str | None

    @classmethod
    def of(cls, period: Period) -> "OwnerPeriod":
        """Show a period."""
        return cls(
            kind=period.kind,
            owner=period.owner,
            since=moment(period.since),
            until=moment(period.until) if period.until is not None else None,
            document_type=period.document_type,
            document_ref=period.document_ref,
        )


@strawberry.type(description="Summary of the readings of one type of measurement.")
class Exposure:
    type: str
    unit_of_measure: str
    count: int
    lowest: float
    highest: float
    mean: float
    since: datetime
    until: datetime


@strawberry.type(description="One measurement at a unit.")
class SensorReading:
    type: str
    value: float
    unit_of_measure: str
    device: str | None
    measured_at: datetime

    @classmethod
    def of(cls, row: Row) -> "SensorReading":
        """Show a row."""
        return cls(
            type=row["type"],
            value=row["value"],
            unit_of_measure=row["unit_of_measure"],
            device=row["device"],
            measured_at=moment(row["measured_at"]),
        )


@strawberry.input(description="One measurement.")
class ReadingInput:
    type: str = strawberry.field(description="Temperature, RelativeHumidity, Acceleration …")
    value: float
    unit_of_measure: str = strawberry.field(description="UN/CEFACT: CEL, FAH, P1 …")
    measured_at: datetime
    device: str | None = None


@strawberry.input(description="Limits of one type of measurement.")
class LimitsInput:
    type: str
    low: float | None = None
    high: float | None = None
