"""Licences: software and digital rights that are bound to one unit at a time."""

from datetime import date, datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.commands.work import Work
from hub.ledger import units
from hub.ledger.event_writer import Verdict
from hub.storage.sql import Row, Transaction
from hub.unit_records import licenses as licences
from hub.unit_records.licenses import Licence
from hub_api.command import (
    Movement,
    MovementResult,
    OccasionInput,
    UnitInput,
    command,
    given_by,
    scans_of,
)
from hub_api.context import Context
from hub_api.units import Unit

Info = strawberry.Info[Context, None]


@strawberry.type(description="A licence that a unit has or had.")
class UnitLicence:
    """A licence of a unit."""

    reference: str
    provider: str
    starts_on: date | None
    ends_on: date | None
    linked_at: datetime
    ended_at: datetime | None = strawberry.field(description="Null: it runs on the unit.")

    @classmethod
    def of(cls, row: Row) -> "UnitLicence":
        """Show a row."""
        return cls(
            reference=row["reference"],
            provider=row["provider"],
            starts_on=date.fromisoformat(row["starts_on"]) if row["starts_on"] else None,
            ends_on=date.fromisoformat(row["ends_on"]) if row["ends_on"] else None,
            linked_at=moment(row["granted_at"]),
            ended_at=moment(row["revoked_at"]) if row["revoked_at"] else None,
        )


@strawberry.type
class LicenceQuery:
    """Reading licences."""

    @strawberry.field(
        description="Every licence that a unit has or had, the newest first.",
        metadata={"size": 3, "cost": 3},
    )
    async def licences(
        self, info: Info, identifier: str, sku: str | None = None
    ) -> list[UnitLicence]:
        """List the licences of one unit."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            return licences.of_unit(tx, units.find(tx, identifier, sku)["id"])

        return [UnitLicence.of(row) for row in await info.context.read(read)]

    @strawberry.field(description="The unit that a licence runs on now.")
    async def licence_holder(self, info: Info, reference: str, provider: str) -> Unit | None:
        """Find the unit."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)
        held = await info.context.read(lambda tx: licences.holder_of(tx, reference, provider))
        row = await info.context.units(held["unit_id"]) if held else None
        return Unit.of(row) if row else None


@strawberry.type
class LicenceMutation:
    """Binding licences."""

    @strawberry.mutation(
        description="Bind a licence to a unit; it runs on one unit at a time.",
        graphql_type=MovementResult,
    )
    async def link_licence(
        self,
        info: Info,
        idempotency_key: str,
        unit: UnitInput,
        reference: str,
        provider: str,
        starts_on: date | None = None,
        ends_on: date | None = None,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Bind a licence."""
        info.context.require(Scope.POS, Scope.OPS)
        licence = Licence(
            reference=reference, provider=provider, starts_on=starts_on, ends_on=ends_on
        )
        (scan,) = scans_of([unit])

        def do(work: Work) -> list[Verdict]:
            return licences.link(work, scan, licence)

        given = given_by([unit], occasion, licence=[reference, provider, starts_on, ends_on])
        return await command(info, idempotency_key, "link_licence", given, occasion, do)

    @strawberry.mutation(
        description="Take a licence from the unit that it runs on.", graphql_type=MovementResult
    )
    async def unlink_licence(
        self,
        info: Info,
        idempotency_key: str,
        reference: str,
        provider: str,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Take a licence away."""
        info.context.require(Scope.POS, Scope.OPS)

        def do(work: Work) -> list[Verdict]:
            return licences.unlink(work, reference, provider)

        given = given_by([], occasion, licence=[reference, provider])
        return await command(info, idempotency_key, "unlink_licence", given, occasion, do)
