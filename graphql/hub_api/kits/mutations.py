"""Mutations for kits."""

from typing import Annotated, Any, Union

import strawberry

from hub import catalogue, kits
from hub.access.keys import Scope
from hub.commands import idempotency
from hub.commands.work import Work
from hub.kits import Part, kit_returns
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.storage.sql import Transaction
from hub_api.common.command_inputs import (
    CommandContextInput,
    UnitInput,
    command_context_of,
    given_by,
    scans_of,
)
from hub_api.common.context import Info
from hub_api.common.problems import AnyProblem, UnitBlocked, UnitPromised
from hub_api.kits.types import KitCheck, KitReturn, PartInput, bounded, plain
from hub_api.units.results import CommandOutcome, CommandResult, UnitResult, command

KitReturnResult = Annotated[
    Union[KitReturn, AnyProblem],  # noqa: UP007 # of a computed union
    strawberry.union("KitReturnResult"),
]


ReplaceKitMemberResult = Annotated[
    Union[CommandResult, AnyProblem, UnitPromised, UnitBlocked],  # noqa: UP007 # of a computed union
    strawberry.union("ReplaceKitMemberResult"),
]


def _scan(unit: UnitInput) -> Scan:
    return scans_of([unit])[0]


@strawberry.type
class KitMutation:
    """Commands to kits."""

    @strawberry.mutation(
        description="Make units part of another unit, at its place; with a customer's kit they "
        "may come from any site. Each part gets its verdict.",
        graphql_type=CommandOutcome,
    )
    async def assemble_kit(
        self,
        info: Info,
        idempotency_key: str,
        kit: UnitInput,
        parts: list[PartInput],
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Assemble."""
        info.context.require(Scope.SCANNER)
        given_parts = [Part(_scan(part.unit), part.role) for part in parts]

        def do(work: Work) -> list[Verdict]:
            return kits.assemble(work, _scan(kit), given_parts)

        given = given_by(
            [kit, *(part.unit for part in parts)], context, roles=[part.role for part in parts]
        )
        return await command(info, idempotency_key, "assemble_kit", given, context, do)

    @strawberry.mutation(
        description="Take one part out of a kit and put another in: both, or neither. The first "
        "verdict is that of the old part, which waits for inspection at `location`.",
        graphql_type=ReplaceKitMemberResult,
    )
    async def replace_kit_member(
        self,
        info: Info,
        idempotency_key: str,
        kit: UnitInput,
        old: UnitInput,
        new: UnitInput,
        location: str,
        role: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Replace; without `role` the new part has that of the old one."""
        info.context.require(Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return kits.replace_part(work, _scan(kit), _scan(old), _scan(new), place, role)

        given = given_by([kit, old, new], context, location=location, role=role)
        return await command(info, idempotency_key, "replace_kit_member", given, context, do)

    @strawberry.mutation(
        description="Take parts out of a kit, or all of them: they wait for inspection at "
        "`location`. `restock` makes those that are not blocked sellable at once.",
        graphql_type=CommandOutcome,
    )
    async def disassemble_kit(
        self,
        info: Info,
        idempotency_key: str,
        kit: UnitInput,
        location: str,
        parts: list[UnitInput] | None = None,
        restock: bool = False,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Take apart."""
        info.context.require(Scope.SCANNER)
        named = None if parts is None else scans_of(parts)

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return kits.disassemble(work, _scan(kit), place, named, restock=restock)

        given = given_by(
            [kit, *(parts or [])],
            context,
            location=location,
            restock=restock,
            all=parts is None,
        )
        return await command(info, idempotency_key, "disassemble_kit", given, context, do)

    @strawberry.mutation(
        description="Take a kit back after every part was scanned. One that does not agree is "
        "refused; with `acceptIncomplete` the parts that did not come are recorded as missing "
        "and a case names them.",
        graphql_type=KitReturnResult,
    )
    async def return_kit(
        self,
        info: Info,
        idempotency_key: str,
        kit: UnitInput,
        scanned: list[str],
        location: str,
        accept_incomplete: bool = False,
        context: CommandContextInput | None = None,
    ) -> KitReturn:
        """Take back."""
        info.context.require(Scope.SCANNER, Scope.POS)
        command_context = command_context_of(info.context, context)
        scans = bounded(scanned)

        def do(tx: Transaction, command_id: str) -> Any:
            found, verdicts = kit_returns.give_back(
                Work(tx, command_context, command_id),
                _scan(kit),
                scans,
                catalogue.location(tx, location),
                accept_incomplete=accept_incomplete,
            )
            return [plain(found), verdicts[0].as_json()]

        done = await info.context.write(
            lambda tx: idempotency.once(
                tx,
                command_context,
                key=idempotency_key,
                name="return_kit",
                given=given_by(
                    [kit],
                    context,
                    scanned=scanned,
                    location=location,
                    accept_incomplete=accept_incomplete,
                ),
                work=lambda command_id: do(tx, command_id),
            )
        )
        check, verdict = done.value
        return KitReturn(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            check=KitCheck.of(check),
            verdict=UnitResult.of(verdict),
        )
