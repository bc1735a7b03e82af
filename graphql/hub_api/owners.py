"""Whose a unit was, and what was measured at it on its way."""

from datetime import UTC, datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.ledger import units
from hub.ledger.event_writer import Verdict
from hub.storage.sql import Row, Transaction
from hub.unit_records import ownership, sensors
from hub.unit_records.ownership import OwnerKind, Period
from hub.unit_records.sensors import Limits, Reading
from hub_api.command import (
    CommandContextInput,
    CommandOutcome,
    CommandResult,
    UnitInput,
    command,
    given_by,
    scans_of,
)
from hub_api.context import Context
from hub_api.paging import Connection, page, position

Info = strawberry.Info[Context, None]

strawberry.enum(OwnerKind, description="Who owns a unit.")
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@strawberry.type(description="Somebody owned a unit from a time to a time; null: still.")
class OwnerPeriod:
    """One owner."""

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


@strawberry.type(description="What a unit went through, of one type of measurement.")
class Exposure:
    """What a unit went through."""

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
    """One measurement."""

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
    """One measurement."""

    type: str = strawberry.field(description="Temperature, RelativeHumidity, Acceleration …")
    value: float
    unit_of_measure: str = strawberry.field(description="UN/CEFACT: CEL, FAH, P1 …")
    measured_at: datetime
    device: str | None = None


@strawberry.input(description="What readings of a type must not leave.")
class LimitsInput:
    """Limits of a type."""

    type: str
    low: float | None = None
    high: float | None = None


@strawberry.type
class OwnerQuery:
    """Reading owners and measurements."""

    @strawberry.field(
        description="Whose a unit was, the first owner first.", metadata={"size": 3, "cost": 5}
    )
    async def owner_periods(
        self, info: Info, identifier: str, sku: str | None = None
    ) -> list[OwnerPeriod]:
        """Tell the owners of one unit."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)

        def read(tx: Transaction) -> list[Period]:
            unit_id = units.find(tx, identifier, sku)["id"]
            return ownership.periods(tx, [unit_id])[unit_id]

        return [OwnerPeriod.of(each) for each in await info.context.read(read)]

    @strawberry.field(
        description="What a unit went through in a window of time.", metadata={"size": 3, "cost": 5}
    )
    async def exposure(
        self,
        info: Info,
        identifier: str,
        since: datetime | None = None,
        until: datetime | None = None,
        sku: str | None = None,
    ) -> list[Exposure]:
        """Sum up the readings of one unit."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)
        window = (since or LONG_AGO, until or info.context.clock())
        if any(each.tzinfo is None for each in window):
            raise InvalidInput("a time comes with its zone", field="since")

        def read(tx: Transaction) -> list[sensors.Exposure]:
            return sensors.exposure(tx, units.find(tx, identifier, sku)["id"], *window)

        return [
            Exposure(
                type=each.type,
                unit_of_measure=each.unit_of_measure,
                count=each.count,
                lowest=each.lowest,
                highest=each.highest,
                mean=each.mean,
                since=each.since,
                until=each.until,
            )
            for each in await info.context.read(read)
        ]

    @strawberry.field(description="Every measurement at a unit, as it was recorded.")
    async def sensor_readings(
        self,
        info: Info,
        identifier: str,
        type: str | None = None,
        first: int = 100,
        after: str | None = None,
        sku: str | None = None,
    ) -> Connection[SensorReading]:
        """List the readings of one unit."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            unit_id = units.find(tx, identifier, sku)["id"]
            return sensors.readings(tx, unit_id, first=first, after=position(after), type_=type)

        return page(await info.context.read(read), first, after, SensorReading.of)


@strawberry.type
class OwnerMutation:
    """Recording owners and measurements."""

    @strawberry.mutation(
        description="Record that sold units belong to another customer now.",
        graphql_type=CommandOutcome,
    )
    async def change_owner(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        owner: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Change the owner; `owner` is a pseudonym."""
        info.context.require(Scope.POS, Scope.OPS)

        def do(work: Work) -> list[Verdict]:
            return ownership.change(work, owner, scans_of(units))

        given = given_by(units, context, owner=owner)
        return await command(info, idempotency_key, "change_owner", given, context, do)

    @strawberry.mutation(
        description="Keep what was measured at units that travelled together; with `hold` they "
        "are blocked for their quality where a limit was left.",
        graphql_type=CommandOutcome,
    )
    async def record_readings(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        readings: list[ReadingInput],
        limits: list[LimitsInput] | None = None,
        hold: bool = False,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Record readings."""
        info.context.require(Scope.SCANNER)
        measured = [Reading(**vars(each)) for each in readings]
        if any(each.measured_at.tzinfo is None for each in measured):
            raise InvalidInput("a time comes with its zone", field="readings")
        bounds = [Limits(**vars(each)) for each in limits or []]

        def do(work: Work) -> list[Verdict]:
            return sensors.record(work, scans_of(units), measured, limits=bounds, hold=hold)

        given = given_by(
            units,
            context,
            readings=[vars(each) for each in readings],
            limits=[vars(each) for each in limits or []],
            hold=hold,
        )
        return await command(info, idempotency_key, "record_readings", given, context, do)
