"""Losses: units that are missing or stolen, and units that turn up again."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.counts import losses
from hub.counts.losses import Loss
from hub.errors import InvalidInput
from hub.ledger.event_writer import Verdict
from hub_api.common.command_inputs import CommandContextInput, UnitInput, scans_of
from hub_api.common.commands import Call, command
from hub_api.units.results import CommandOutcome, CommandResult, record_units


@strawberry.type
class LossMutation:
    """Reporting losses and what is found again."""

    @command(
        Scope.OPS,
        description="Report units missing or stolen: they keep their last place, their promises "
        "end, and a case says who saw them last.",
        result=CommandOutcome,
    )
    async def report_losses(
        self,
        call: Call,
        units: list[UnitInput],
        loss: Loss,
        reason: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Report losses, with what is known of them."""
        lost = context or CommandContextInput()
        lost.reason = reason

        def do(work: Work) -> list[Verdict]:
            return losses.report(work, loss, scans_of(units))

        return await record_units(call, lost, do)

    @command(
        Scope.SCANNER,
        description="Report that lost units turned up; they are inspected before they are sold.",
        result=CommandOutcome,
    )
    async def report_found(
        self,
        call: Call,
        units: list[UnitInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        if not location.strip():
            raise InvalidInput("say where it was found", field="location")

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return losses.find(work, place, scans_of(units))

        return await record_units(call, context, do)
