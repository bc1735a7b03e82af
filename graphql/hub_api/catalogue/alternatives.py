"""Which products may be sent in the place of another, when a channel sold too many."""

import strawberry

from hub.access.keys import Scope
from hub.catalogue import alternatives as named_alternatives
from hub.storage.sql import Transaction
from hub_api.common.commands import Call, command
from hub_api.common.context import Info
from hub_api.common.problems import answer


@strawberry.type(description="A product and those that may be sent in its place, best first.")
class Alternatives:
    sku: str
    alternatives: list[str] = strawberry.field(description="SKUs, the first one first.")


@strawberry.type
class AlternativeQuery:
    """Reading alternatives."""

    @strawberry.field(description="Products that may replace another product, best first.")
    async def alternatives(self, info: Info, sku: str) -> Alternatives:
        """Name the alternatives of a product."""
        info.context.require(Scope.OPS)
        found = await info.context.read(lambda tx: named_alternatives.of(tx, sku))
        return Alternatives(sku=sku, alternatives=found)


@strawberry.type
class AlternativeMutation:
    """Naming alternatives."""

    @command(
        Scope.ADMIN,
        description="Say which products may be sent in the place of one, best first; they replace "
        "those that were named before.",
        result=answer("PutAlternativesResult", Alternatives),
    )
    async def put_alternatives(self, call: Call, sku: str, alternatives: list[str]) -> Alternatives:
        """Name the alternatives of a product."""
        done = await call.once(
            call.context.command_context(), lambda work: _put(work.tx, sku, alternatives)
        )
        return Alternatives(sku=sku, alternatives=done.value)


def _put(tx: Transaction, sku: str, named: list[str]) -> list[str]:
    named_alternatives.put(tx, sku, named)
    return named_alternatives.of(tx, sku)
