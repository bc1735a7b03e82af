"""Corrections, and the state of things at a past instant."""

from datetime import datetime

import strawberry

from hub.clock import moment
from hub.history.as_of import Stood
from hub.lifecycle import Status
from hub.proof.conservation import Balance, Law
from hub.storage.sql import Row
from hub.vocabulary import Disposition
from hub_api.catalogue.types import Location
from hub_api.common.context import Info
from hub_api.units.types import Unit


@strawberry.input(
    description="Corrected data of an event; fields that are left out stay as recorded."
)
class EventChanges:
    occurred_at: datetime | None = None
    document_type: str | None = strawberry.field(
        description="With `documentRef`; other, if it is left out.", default=None
    )
    document_ref: str | None = None
    reason: str | None = None
    location: str | None = strawberry.field(
        description="The code of the place, for an event that puts the unit somewhere.",
        default=None,
    )


@strawberry.type(description="A correction that was recorded.")
class Correction:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    event_id: strawberry.ID = strawberry.field(description="The correction's own event.")
    version: int = strawberry.field(description="The unit's version with it.")
    status: Status = strawberry.field(description="Where it left the unit.")
    unit_id: strawberry.Private[str]

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit:
        row = await info.context.units(self.unit_id)
        assert row is not None  # it was corrected, and units are never deleted
        return Unit.of(row)


@strawberry.type(description="Where a unit stood at an instant.")
class UnitStanding:
    version: int = strawberry.field(description="Of the newest event that had occurred by then.")
    status: Status
    disposition: Disposition
    location: Location
    is_promised: bool
    is_blocked: bool
    grade: str | None
    unit_id: strawberry.Private[str]

    @classmethod
    def of(cls, unit_id: str, stood: Stood) -> "UnitStanding":
        """Show where a unit stood."""
        standing, place = stood.standing, stood.place
        return cls(
            version=stood.version,
            status=standing.status,
            disposition=Disposition(standing.disposition),
            location=Location(
                id=strawberry.ID(place["id"]),
                code=place["code"],
                name=place["name"],
                kind=place["kind"],
            ),
            is_promised=standing.promised,
            is_blocked=bool(standing.blocks),
            grade=standing.grade,
            unit_id=unit_id,
        )

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit:
        row = await info.context.units(self.unit_id)
        assert row is not None  # it was found, and units are never deleted
        return Unit.of(row)


@strawberry.type(description="A unit that was at a place at an instant.")
class StockedUnit:
    unit_id: strawberry.ID = strawberry.field(description="Our id of the unit.")
    serial: str
    sku: str
    status: Status
    version: int
    since: datetime = strawberry.field(description="When the event occurred that left it so.")

    @classmethod
    def of(cls, row: Row) -> "StockedUnit":
        """Show a row."""
        return cls(
            unit_id=strawberry.ID(row["id"]),
            serial=row["serial"],
            sku=row["sku"],
            status=Status(row["status"]),
            version=row["version"],
            since=moment(row["since"]),
        )


@strawberry.type(description="How many units of a product stood at a place in a status.")
class TrialLine:
    """One line of a trial balance."""

    sku: str
    location: str
    location_name: str
    status: Status
    units: int


@strawberry.type(description="How many units stood where at an instant.")
class TrialBalance:
    existed: int = strawberry.field(description="Units that existed, counted by themselves.")
    adds_up: bool = strawberry.field(description="Whether the lines add up to them.")
    lines: list[TrialLine]


@strawberry.type(description="A figure or a unit for which a law does not hold.")
class ConservationBreach:
    law: Law
    subject: str = strawberry.field(description="A unit's id, or a product and a place.")
    message: str


@strawberry.type(description="Whether every unit counts once, in one place, right now.")
class Conservation:
    holds: bool
    units: int
    available: int
    promised: int
    blocked: int
    elsewhere: int = strawberry.field(description="Sold, on its way, returned, written off, …")
    breaches: list[ConservationBreach]

    @classmethod
    def of(cls, balance: Balance) -> "Conservation":
        """Show a balance."""
        return cls(
            holds=balance.holds,
            units=balance.units,
            available=balance.available,
            promised=balance.promised,
            blocked=balance.blocked,
            elsewhere=balance.elsewhere,
            breaches=[
                ConservationBreach(law=each.law, subject=each.subject, message=each.message)
                for each in balance.breaches
            ],
        )
