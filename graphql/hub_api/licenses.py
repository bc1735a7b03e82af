"""Licenses: software and digital rights that are bound to one unit at a time."""

from datetime import date, datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.commands.work import Work
from hub.ledger import units
from hub.ledger.event_writer import Verdict
from hub.storage.sql import Row, Transaction
from hub.unit_records import licenses as licenses
from hub.unit_records.licenses import License
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
from hub_api.units import Unit

Info = strawberry.Info[Context, None]


@strawberry.type(description="A license that a unit has or had.")
class UnitLicense:
    """A license of a unit."""

    reference: str
    provider: str
    starts_on: date | None
    ends_on: date | None
    linked_at: datetime
    ended_at: datetime | None = strawberry.field(description="Null: it runs on the unit.")

    @classmethod
    def of(cls, row: Row) -> "UnitLicense":
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
class LicenseQuery:
    """Reading licenses."""

    @strawberry.field(
        description="Every license that a unit has or had, the newest first.",
        metadata={"size": 3, "cost": 3},
    )
    async def licenses(
        self, info: Info, identifier: str, sku: str | None = None
    ) -> list[UnitLicense]:
        """List the licenses of one unit."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            return licenses.of_unit(tx, units.find(tx, identifier, sku)["id"])

        return [UnitLicense.of(row) for row in await info.context.read(read)]

    @strawberry.field(description="The unit that a license runs on now.")
    async def license_holder(self, info: Info, reference: str, provider: str) -> Unit | None:
        """Find the unit."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)
        held = await info.context.read(lambda tx: licenses.holder_of(tx, reference, provider))
        row = await info.context.units(held["unit_id"]) if held else None
        return Unit.of(row) if row else None


@strawberry.type
class LicenseMutation:
    """Binding licenses."""

    @strawberry.mutation(
        description="Bind a license to a unit; it runs on one unit at a time.",
        graphql_type=CommandOutcome,
    )
    async def link_license(
        self,
        info: Info,
        idempotency_key: str,
        unit: UnitInput,
        reference: str,
        provider: str,
        starts_on: date | None = None,
        ends_on: date | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Bind a license."""
        info.context.require(Scope.POS, Scope.OPS)
        binding = License(
            reference=reference, provider=provider, starts_on=starts_on, ends_on=ends_on
        )
        (scan,) = scans_of([unit])

        def do(work: Work) -> list[Verdict]:
            return licenses.link(work, scan, binding)

        given = given_by([unit], context, license=[reference, provider, starts_on, ends_on])
        return await command(info, idempotency_key, "link_license", given, context, do)

    @strawberry.mutation(
        description="Take a license from the unit that it runs on.", graphql_type=CommandOutcome
    )
    async def unlink_license(
        self,
        info: Info,
        idempotency_key: str,
        reference: str,
        provider: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Take a license away."""
        info.context.require(Scope.POS, Scope.OPS)

        def do(work: Work) -> list[Verdict]:
            return licenses.unlink(work, reference, provider)

        given = given_by([], context, license=[reference, provider])
        return await command(info, idempotency_key, "unlink_license", given, context, do)
