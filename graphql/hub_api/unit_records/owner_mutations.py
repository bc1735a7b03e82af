"""Mutations for owners and sensors."""

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.ledger.event_writer import Verdict
from hub.unit_records import ownership, sensors
from hub.unit_records.sensors import Limits, Reading
from hub_api.common.command_inputs import CommandContextInput, UnitInput, scans_of
from hub_api.common.commands import Call, command
from hub_api.unit_records.owner_types import LimitsInput, ReadingInput
from hub_api.units.results import CommandOutcome, CommandResult, record_units


@strawberry.type
class OwnerMutation:
    """Recording owners and measurements."""

    @command(
        Scope.POS,
        Scope.OPS,
        description="Record that sold units belong to another customer now.",
        result=CommandOutcome,
    )
    async def change_owner(
        self,
        call: Call,
        units: list[UnitInput],
        owner: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Change the owner; `owner` is a pseudonym."""

        def do(work: Work) -> list[Verdict]:
            return ownership.change(work, owner, scans_of(units))

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        description="Keep what was measured at units that travelled together; with `hold` they "
        "are blocked for their quality where a limit was left.",
        result=CommandOutcome,
    )
    async def record_readings(
        self,
        call: Call,
        units: list[UnitInput],
        readings: list[ReadingInput],
        limits: list[LimitsInput] | None = None,
        hold: bool = False,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        measured = [Reading(**vars(each)) for each in readings]
        if any(each.measured_at.tzinfo is None for each in measured):
            raise InvalidInput("a time comes with its zone", field="readings")
        bounds = [Limits(**vars(each)) for each in limits or []]

        def do(work: Work) -> list[Verdict]:
            return sensors.record(work, scans_of(units), measured, limits=bounds, hold=hold)

        return await record_units(call, context, do)
