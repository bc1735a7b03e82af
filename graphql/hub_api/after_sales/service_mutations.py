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
from hub.storage.sql import Transaction
from hub_api.after_sales.service_types import CoverChanged, GrantedCover, WorkInput
from hub_api.common.command_inputs import CommandContextInput, UnitInput, given_by, scans_of
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.units.results import CommandOutcome, CommandResult, command, move

CoverResult = answer("CoverResult", CoverChanged)


@strawberry.type
class ServiceMutation:
    """Serving units that were sold."""

    @strawberry.mutation(
        description="Record that units were taken into use; their warranty may start with it.",
        graphql_type=CommandOutcome,
    )
    async def activate_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Activate."""
        info.context.require(Scope.POS, Scope.SCANNER)
        return await move(info, idempotency_key, Action.ACTIVATE, units, context)

    @strawberry.mutation(
        description="Register a sold unit for its customer; the manufacturer is told where a "
        "channel takes it.",
        graphql_type=CommandOutcome,
    )
    async def register_unit(
        self,
        info: Info,
        idempotency_key: str,
        unit: UnitInput,
        on: date,
        reference: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Register; whoever keeps the goods may do it for the customer."""
        info.context.require(Scope.POS, Scope.SCANNER)
        (scan,) = scans_of([unit])

        def do(work: Work) -> list[Verdict]:
            return [repairs.register(work, scan, on, reference)]

        given = given_by([unit], context, on=on, reference=reference)
        return await command(info, idempotency_key, "register_unit", given, context, do)

    @strawberry.mutation(
        description="Attach an extended warranty or a service agreement to a unit.",
        graphql_type=CoverResult,
    )
    async def grant_cover(
        self,
        info: Info,
        idempotency_key: str,
        unit: UnitInput,
        kind: GrantedCover,
        reference: str,
        provider: str | None = None,
        starts_on: date | None = None,
        ends_on: date | None = None,
    ) -> CoverChanged:
        """Grant; `reference` is the number of the contract."""
        info.context.require(Scope.POS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> Any:
            unit_id = units.find(tx, unit.identifier, unit.sku)["id"]
            grant = Grant(
                kind=CoverKind(kind.value),
                reference=reference,
                provider=provider,
                starts_on=starts_on,
                ends_on=ends_on,
            )
            return [cover.grant(tx, context, unit_id, grant), unit_id]

        given = [vars(unit), kind.value, reference, provider, starts_on, ends_on]
        done = await once(info.context, context, idempotency_key, "grant_cover", given, do)
        return CoverChanged(
            id=strawberry.ID(done.value[0]), replayed=done.replayed, unit_id=done.value[1]
        )

    @strawberry.mutation(
        description="End an extended warranty or a service agreement.", graphql_type=CoverResult
    )
    async def revoke_cover(
        self, info: Info, idempotency_key: str, id: strawberry.ID
    ) -> CoverChanged:
        """Revoke."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()
        done = await once(
            info.context,
            context,
            idempotency_key,
            "revoke_cover",
            [id],
            lambda tx, _: cover.revoke(tx, context, id),
        )
        return CoverChanged(id=id, replayed=done.replayed, unit_id=done.value)

    @strawberry.mutation(
        description="Take customers' own units in for service: nothing is returned or refunded.",
        graphql_type=CommandOutcome,
    )
    async def check_in_for_service(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        fault: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Take in."""
        info.context.require(Scope.POS, Scope.SCANNER)
        if not fault.strip():
            raise InvalidInput("say what is wrong with it", field="fault")
        taken = context or CommandContextInput()
        taken.reason = fault
        return await move(info, idempotency_key, Action.TAKE_IN, units, taken, location)

    @strawberry.mutation(
        description="Record a repair, a maintenance or a refurbishment with the parts replaced.",
        graphql_type=CommandOutcome,
    )
    async def record_service(
        self,
        info: Info,
        idempotency_key: str,
        unit: UnitInput,
        done: WorkInput,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Record what was done; parts that are units of ours are named, and not moved."""
        info.context.require(Scope.SCANNER)
        (scan,) = scans_of([unit])
        parts = tuple(Part(**vars(part)) for part in done.parts)
        finished = WorkDone(**vars(done) | {"parts": parts})

        def do(work: Work) -> list[Verdict]:
            return [repairs.record_work(work, scan, finished)]

        given = given_by([unit], context, work=repr(finished))
        return await command(info, idempotency_key, "record_service", given, context, do)

    @strawberry.mutation(
        description="Hand customers' own units back after their service.",
        graphql_type=CommandOutcome,
    )
    async def return_to_customer(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Hand back."""
        info.context.require(Scope.POS, Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            return repairs.hand_back(work, scans_of(units))

        given = given_by(units, context)
        return await command(info, idempotency_key, "hand_back", given, context, do)
