"""Mutations for further identifiers."""

from collections.abc import Callable
from typing import Annotated, Any, Union

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.unit_records import further_identifiers, identity
from hub_api.common.command_inputs import (
    CommandContextInput,
    UnitInput,
    command_context_of,
    scans_of,
)
from hub_api.common.commands import Call, command
from hub_api.common.problems import AnyProblem, DuplicateSerial
from hub_api.unit_records.identifier_types import NameChanged
from hub_api.units.results import CommandOutcome, CommandResult, record_units

NameResult = Annotated[
    Union[NameChanged, AnyProblem, DuplicateSerial],  # noqa: UP007 # of a computed union
    strawberry.union("NameResult"),
]


Change = Callable[[Work, Scan, str, str], Verdict]


async def _change(
    call: Call,
    change: Change,
    scan: Scan,
    scheme: str,
    value: str,
    context: CommandContextInput | None,
) -> NameChanged:
    def do(work: Work) -> Any:
        verdict = change(work, scan, scheme, value)
        return [verdict.unit_id, verdict.version]

    done = await call.once(command_context_of(call.context, context), do)
    unit_id, version = done.value
    return NameChanged(
        command_id=strawberry.ID(done.command_id),
        replayed=done.replayed,
        version=version,
        unit_id=unit_id,
    )


@strawberry.type
class NamingMutation:
    """Linking and retiring names, and putting a unit's own right."""

    @command(
        Scope.OPS,
        description="Give a unit its right serial or product, where it was recorded under a wrong "
        "one; the record goes on, and its history states what it was called before.",
        result=CommandOutcome,
    )
    async def correct_identity(
        self,
        call: Call,
        unit: UnitInput,
        reason: str,
        serial: Annotated[
            str | None, strawberry.argument(description="As it stands on the unit's label.")
        ] = None,
        product: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Correct; the unit must not be promised to anybody."""
        given = context or CommandContextInput()
        given.reason = reason
        (scan,) = scans_of([unit])
        return await record_units(
            call,
            given,
            lambda work: identity.correct(work, scan, serial=serial, product=product),
        )

    @command(
        Scope.SCANNER,
        description="Give a unit a further name: its number in another system, an asset tag.",
        result=NameResult,
    )
    async def link_identifier(
        self,
        call: Call,
        identifier: str,
        scheme: str,
        value: str,
        sku: str | None = None,
        context: CommandContextInput | None = None,
    ) -> NameChanged:
        """Link a name; the unit's history tells of it."""
        scan = Scan(identifier, sku)
        return await _change(call, further_identifiers.link, scan, scheme, value, context)

    @command(
        Scope.SCANNER,
        description="Take a further name from a unit; its history keeps it.",
        result=NameResult,
    )
    async def retire_identifier(
        self,
        call: Call,
        identifier: str,
        scheme: str,
        value: str,
        sku: str | None = None,
        context: CommandContextInput | None = None,
    ) -> NameChanged:
        scan = Scan(identifier, sku)
        return await _change(call, further_identifiers.retire, scan, scheme, value, context)
