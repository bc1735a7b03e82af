"""Mutations for owners and sensors."""

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.ledger.event_writer import Verdict
from hub.unit_records import ownership, sensors
from hub.unit_records.sensors import Limits, Reading
from hub_api.common.command_inputs import CommandContextInput, UnitInput, given_by, scans_of
from hub_api.common.context import Info
from hub_api.unit_records.owner_types import LimitsInput, ReadingInput
from hub_api.units.results import CommandOutcome, CommandResult, command


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
