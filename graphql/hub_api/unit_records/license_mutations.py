"""Mutations for licenses."""

from datetime import date

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.unit_records import licenses as licenses
from hub.unit_records.licenses import License
from hub_api.common.command_inputs import CommandContextInput, UnitInput, given_by, scans_of
from hub_api.common.context import Info
from hub_api.units.results import CommandOutcome, CommandResult, command


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
