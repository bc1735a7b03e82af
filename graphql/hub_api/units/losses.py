"""Losses: units that are missing or stolen, and units that turn up again."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.counts import losses
from hub.counts.losses import Loss
from hub.errors import InvalidInput
from hub.ledger.event_writer import Verdict
from hub_api.common.command_inputs import CommandContextInput, UnitInput, given_by, scans_of
from hub_api.common.context import Info
from hub_api.units.results import CommandOutcome, CommandResult, command


@strawberry.type
class LossMutation:
    """Reporting losses and what is found again."""

    @strawberry.mutation(
        description="Report units missing or stolen: they keep their last place, their promises "
        "end, and a case says who saw them last.",
        graphql_type=CommandOutcome,
    )
    async def report_losses(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        loss: Loss,
        reason: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Report losses, with what is known of them."""
        info.context.require(Scope.OPS)
        lost = context or CommandContextInput()
        lost.reason = reason

        def do(work: Work) -> list[Verdict]:
            return losses.report(work, loss, scans_of(units))

        given = given_by(units, lost, loss=loss)
        return await command(info, idempotency_key, "report_losses", given, lost, do)

    @strawberry.mutation(
        description="Report that lost units turned up; they are inspected before they are sold.",
        graphql_type=CommandOutcome,
    )
    async def report_found(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Report what was found."""
        info.context.require(Scope.SCANNER)
        if not location.strip():
            raise InvalidInput("say where it was found", field="location")

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return losses.find(work, place, scans_of(units))

        given = given_by(units, context, location=location)
        return await command(info, idempotency_key, "report_found", given, context, do)
