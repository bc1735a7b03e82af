"""Mutations for licenses."""

from datetime import date

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.unit_records import licenses as licenses
from hub.unit_records.licenses import License
from hub_api.common.command_inputs import CommandContextInput, UnitInput, scans_of
from hub_api.common.commands import Call, command
from hub_api.units.results import CommandOutcome, CommandResult, record_units


@strawberry.type
class LicenseMutation:
    """Binding licenses."""

    @command(
        Scope.POS,
        Scope.OPS,
        description="Bind a license to a unit; it runs on one unit at a time.",
        result=CommandOutcome,
    )
    async def link_license(
        self,
        call: Call,
        unit: UnitInput,
        reference: str,
        provider: str,
        starts_on: date | None = None,
        ends_on: date | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        binding = License(
            reference=reference, provider=provider, starts_on=starts_on, ends_on=ends_on
        )
        (scan,) = scans_of([unit])

        def do(work: Work) -> list[Verdict]:
            return licenses.link(work, scan, binding)

        return await record_units(call, context, do)

    @command(
        Scope.POS,
        Scope.OPS,
        description="Take a license from the unit that it runs on.",
        result=CommandOutcome,
    )
    async def unlink_license(
        self,
        call: Call,
        reference: str,
        provider: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        def do(work: Work) -> list[Verdict]:
            return licenses.unlink(work, reference, provider)

        return await record_units(call, context, do)
