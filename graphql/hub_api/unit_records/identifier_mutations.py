"""Mutations for further identifiers."""

from collections.abc import Callable
from typing import Annotated, Any, Union

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.storage.sql import Transaction
from hub.unit_records import further_identifiers
from hub_api.common.command_inputs import CommandContextInput, command_context_of
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import AnyProblem, DuplicateSerial
from hub_api.unit_records.identifier_types import NameChanged

NameResult = Annotated[
    Union[NameChanged, AnyProblem, DuplicateSerial],  # noqa: UP007 # of a computed union
    strawberry.union("NameResult"),
]


Change = Callable[[Work, Scan, str, str], Verdict]


async def _change(
    info: Info,
    key: str,
    change: Change,
    scan: Scan,
    scheme: str,
    value: str,
    context: CommandContextInput | None,
) -> NameChanged:
    command_context = command_context_of(info.context, context)

    def do(tx: Transaction, command_id: str) -> Any:
        verdict = change(Work(tx, command_context, command_id), scan, scheme, value)
        return [verdict.unit_id, verdict.version]

    told = vars(context) if context else None
    given = [scan.identifier, scan.sku, scheme, value, told]
    done = await once(info.context, command_context, key, f"{change.__name__}_name", given, do)
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

    @strawberry.mutation(
        description="Give a unit a further name: its number in another system, an asset tag.",
        graphql_type=NameResult,
    )
    async def link_identifier(
        self,
        info: Info,
        idempotency_key: str,
        identifier: str,
        scheme: str,
        value: str,
        sku: str | None = None,
        context: CommandContextInput | None = None,
    ) -> NameChanged:
        """Link a name; the unit's history tells of it."""
        info.context.require(Scope.SCANNER)
        scan = Scan(identifier, sku)
        return await _change(
            info, idempotency_key, further_identifiers.link, scan, scheme, value, context
        )

    @strawberry.mutation(
        description="Take a further name from a unit; its history keeps it.",
        graphql_type=NameResult,
    )
    async def retire_identifier(
        self,
        info: Info,
        idempotency_key: str,
        identifier: str,
        scheme: str,
        value: str,
        sku: str | None = None,
        context: CommandContextInput | None = None,
    ) -> NameChanged:
        """Retire a name."""
        info.context.require(Scope.SCANNER)
        scan = Scan(identifier, sku)
        return await _change(
            info, idempotency_key, further_identifiers.retire, scan, scheme, value, context
        )
