"""Mutations for cover and repairs."""

from datetime import date
from typing import Any

import strawberry

from hub.access.keys import Scope
from hub.after_sales import cover, repairs
from hub.after_sales.cover import CoverKind, Grant
from hub.after_sales.repairs import Part, WorkDone
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.ledger import units
from hub.ledger.event_writer import Verdict
from hub.lifecycle import Action
from hub_api.after_sales.service_types import CoverChanged, GrantedCover, WorkInput
from hub_api.common.command_inputs import CommandContextInput, UnitInput, scans_of
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.units.results import CommandOutcome, CommandResult, move, record_units

CoverResult = answer("CoverResult", CoverChanged)


@strawberry.type
class ServiceMutation:
    """Serving units that were sold."""

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Record that units were taken into use; their warranty may start with it.",
        result=CommandOutcome,
    )
    async def activate_units(
        self,
        call: Call,
        units: list[UnitInput],
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        return await move(call, Action.ACTIVATE, units, context)

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Register a sold unit for its customer; the manufacturer is notified where a "
        "channel supports it.",
        result=CommandOutcome,
    )
    async def register_unit(
        self,
        call: Call,
        unit: UnitInput,
        on: date,
        reference: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Register; whoever keeps the goods may do it for the customer."""
        (scan,) = scans_of([unit])

        def do(work: Work) -> list[Verdict]:
            return [repairs.register(work, scan, on, reference)]

        return await record_units(call, context, do)

    @command(
        Scope.POS,
        description="Attach an extended warranty or a service agreement to a unit.",
        result=CoverResult,
    )
    async def grant_cover(
        self,
        call: Call,
        unit: UnitInput,
        kind: GrantedCover,
        reference: str,
        provider: str | None = None,
        starts_on: date | None = None,
        ends_on: date | None = None,
    ) -> CoverChanged:
        """Grant; `reference` is the number of the contract."""
        context = call.context.command_context()

        def do(work: Work) -> Any:
            unit_id = units.find(work.tx, unit.identifier, unit.sku)["id"]
            grant = Grant(
                kind=CoverKind(kind.value),
                reference=reference,
                provider=provider,
                starts_on=starts_on,
                ends_on=ends_on,
            )
            return [cover.grant(work.tx, context, unit_id, grant), unit_id]

        done = await call.once(context, do)
        return CoverChanged(
            cover_id=strawberry.ID(done.value[0]), replayed=done.replayed, unit_id=done.value[1]
        )

    @command(
        Scope.OPS,
        description="End an extended warranty or a service agreement.",
        result=CoverResult,
    )
    async def revoke_cover(self, call: Call, id: strawberry.ID) -> CoverChanged:
        context = call.context.command_context()
        done = await call.once(context, lambda work: cover.revoke(work.tx, context, id))
        return CoverChanged(cover_id=id, replayed=done.replayed, unit_id=done.value)

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Take customers' own units in for service: nothing is returned or refunded.",
        result=CommandOutcome,
    )
    async def check_in_for_service(
        self,
        call: Call,
        units: list[UnitInput],
        location: str,
        fault: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        if not fault.strip():
            raise InvalidInput("say what is wrong with it", field="fault")
        taken = context or CommandContextInput()
        taken.reason = fault
        return await move(call, Action.TAKE_IN, units, taken, location)

    @command(
        Scope.SCANNER,
        description="Record a repair, a maintenance or a refurbishment with the parts replaced.",
        result=CommandOutcome,
    )
    async def record_service(
        self,
        call: Call,
        unit: UnitInput,
        done: WorkInput,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Record what was done; parts that are units of ours are named, and not moved."""
        (scan,) = scans_of([unit])
        parts = tuple(Part(**vars(part)) for part in done.parts)
        finished = WorkDone(**vars(done) | {"parts": parts})

        def do(work: Work) -> list[Verdict]:
            return [repairs.record_work(work, scan, finished)]

        return await record_units(call, context, do)

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Hand customers' own units back after their service.",
        result=CommandOutcome,
    )
    async def return_to_customer(
        self,
        call: Call,
        units: list[UnitInput],
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        def do(work: Work) -> list[Verdict]:
            return repairs.hand_back(work, scans_of(units))

        return await record_units(call, context, do)
