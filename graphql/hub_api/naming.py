"""Further names of units, linked and retired; advice which products to follow by serial."""

from collections.abc import Callable
from typing import Annotated, Any, Union

import strawberry

from hub.access.keys import Scope
from hub.catalogue import tracking_advice as advice
from hub.catalogue.tracking_advice import Advice, Criterion
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.storage.sql import Transaction
from hub.unit_records import further_identifiers
from hub_api.catalogue import Product
from hub_api.command import CommandContextInput, command_context_of
from hub_api.context import Context
from hub_api.once import once
from hub_api.problems import AnyProblem, DuplicateSerial
from hub_api.units import Unit

Info = strawberry.Info[Context, None]

strawberry.enum(Criterion, name="TrackingCriterion", description="Why to follow a product.")


@strawberry.type(description="A further name of a unit was linked or retired.")
class NameChanged:
    """A further name was linked or retired."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    version: int = strawberry.field(description="The unit's, with the event that tells of it.")
    unit_id: strawberry.Private[str]

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit:
        """Load the unit."""
        row = await info.context.units(self.unit_id)
        assert row is not None  # it was found, and units are never deleted
        return Unit.of(row)


NameResult = Annotated[
    Union[NameChanged, AnyProblem, DuplicateSerial],  # noqa: UP007 # of a computed union
    strawberry.union("NameResult"),
]


@strawberry.type(description="Whether a product should be followed by serial.")
class TrackingAdvice:
    """Whether a product should be followed by serial."""

    product: Product
    recommended: bool
    criteria: list[Criterion] = strawberry.field(
        description="What recommends it.", metadata={"size": 7}
    )
    followed: bool = strawberry.field(description="Whether its tracking does what is advised.")

    @classmethod
    def of(cls, advised: Advice) -> "TrackingAdvice":
        """Show advice."""
        return cls(
            product=Product.of(advised.product),
            recommended=advised.recommended,
            criteria=list(advised.criteria),
            followed=advised.followed,
        )


@strawberry.type
class AdviceQuery:
    """Reading advice."""

    @strawberry.field(
        description="Which products should be followed by serial, by value, warranty, law, theft, "
        "counterfeit, service and recall; and whether they are."
    )
    async def tracking_advice(
        self,
        info: Info,
        skus: list[str],
        value_above: int = advice.VALUE_ABOVE,
        currency: str | None = None,
    ) -> list[TrackingAdvice]:
        """Advise; `valueAbove` is in the smallest part of the currency, else of each own's."""
        info.context.require(Scope.OPS)
        found = await info.context.read(
            lambda tx: advice.advise(tx, skus, value_above=value_above, currency=currency)
        )
        return [TrackingAdvice.of(each) for each in found]


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
