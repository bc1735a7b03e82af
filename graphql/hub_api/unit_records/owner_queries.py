"""Queries for owners and sensors."""

from datetime import UTC, datetime

import strawberry

from hub.access.keys import Scope
from hub.errors import InvalidInput
from hub.ledger import units
from hub.storage.sql import Row, Transaction
from hub.unit_records import ownership, sensors
from hub.unit_records.ownership import Period
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each
from hub_api.unit_records.owner_types import Exposure, OwnerPeriod, SensorReading

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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

        return each(OwnerPeriod.of, await info.context.read(read))

    @strawberry.field(
        description="Summary of the sensor readings of a unit in a period.",
        metadata={"size": 3, "cost": 5},
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
