"""Mutations for kits."""

from typing import Annotated, Any, Union

import strawberry

from hub import catalogue, kits
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.kits import Part, kit_returns
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub_api.common.command_inputs import (
    CommandContextInput,
    UnitInput,
    command_context_of,
    scans_of,
)
from hub_api.common.commands import Call, command
from hub_api.common.problems import AnyProblem, UnitBlocked, UnitPromised
from hub_api.kits.types import KitCheck, KitReturn, PartInput, bounded, plain
from hub_api.units.results import CommandOutcome, CommandResult, UnitResult, record_units

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

    @command(
        Scope.SCANNER,
        description="Make units part of another unit, at its place; with a customer's kit they "
        "may come from any site. Each part gets its verdict.",
        result=CommandOutcome,
    )
    async def assemble_kit(
        self,
        call: Call,
        kit: UnitInput,
        parts: list[PartInput],
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        given_parts = [Part(_scan(part.unit), part.role) for part in parts]

        def do(work: Work) -> list[Verdict]:
            return kits.assemble(work, _scan(kit), given_parts)

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        description="Take one part out of a kit and put another in: both, or neither. The first "
        "verdict is that of the old part, which waits for inspection at `location`.",
        result=ReplaceKitMemberResult,
    )
    async def replace_kit_member(
        self,
        call: Call,
        kit: UnitInput,
        old: UnitInput,
        new: UnitInput,
        location: str,
        role: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Replace; without `role` the new part has that of the old one."""

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return kits.replace_part(work, _scan(kit), _scan(old), _scan(new), place, role)

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        description="Take parts out of a kit, or all of them: they wait for inspection at "
        "`location`. `restock` makes those that are not blocked sellable at once.",
        result=CommandOutcome,
    )
    async def disassemble_kit(
        self,
        call: Call,
        kit: UnitInput,
        location: str,
        parts: list[UnitInput] | None = None,
        restock: bool = False,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        named = None if parts is None else scans_of(parts)

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return kits.disassemble(work, _scan(kit), place, named, restock=restock)

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        Scope.POS,
        description="Take a kit back after every part was scanned. One that does not agree is "
        "refused; with `acceptIncomplete` the parts that did not come are recorded as missing "
        "and a case names them.",
        result=KitReturnResult,
    )
    async def return_kit(
        self,
        call: Call,
        kit: UnitInput,
        scanned: list[str],
        location: str,
        accept_incomplete: bool = False,
        context: CommandContextInput | None = None,
    ) -> KitReturn:
        command_context = command_context_of(call.context, context)
        scans = bounded(scanned)

        def do(work: Work) -> Any:
            found, results = kit_returns.give_back(
                work,
                _scan(kit),
                scans,
                catalogue.location(work.tx, location),
                accept_incomplete=accept_incomplete,
            )
            return [plain(found), results[0].as_json()]

        done = await call.once(command_context, do)
        check, verdict = done.value
        return KitReturn(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            check=KitCheck.of(check),
            result=UnitResult.of(verdict),
        )
