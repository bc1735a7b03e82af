"""Mutations for further identifiers."""

from collections.abc import Callable
from typing import Annotated, Any, Union

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.unit_records import further_identifiers
from hub_api.common.command_inputs import CommandContextInput, command_context_of
from hub_api.common.commands import Call, command
from hub_api.common.problems import AnyProblem, DuplicateSerial
from hub_api.unit_records.identifier_types import NameChanged

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
    """Linking and retiring names."""

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
