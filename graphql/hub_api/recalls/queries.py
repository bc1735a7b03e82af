"""Queries for recalls."""

import strawberry

from hub import recalls
from hub.access.keys import Scope
from hub.ledger import units
from hub.recalls.containment import listed, of_unit, shown
from hub.recalls.opening import affected_units, edges
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each
from hub_api.recalls.types import (
    Recall,
    RecallEdges,
    RecalledUnit,
    RecallPredicateInput,
    RecallScope,
)
from hub_api.units.types import STAFF, Unit


@strawberry.type
class RecallQuery:
    """Reading recalls."""

    @strawberry.field(
        description="Counts of the units, customers and places that a recall would affect.",
        metadata={"cost": 100},
    )
    async def preview_recall(self, info: Info, predicate: RecallPredicateInput) -> RecallScope:
        info.context.require(Scope.OPS)
        plain = predicate.plain()
        scope, _ = await info.context.database.report(lambda tx: recalls.preview(tx, plain))
        return RecallScope.of(scope)

    @strawberry.field(
        description="The units that a recall would catch, one by one.", metadata={"cost": 100}
    )
    async def preview_recall_units(
        self, info: Info, predicate: RecallPredicateInput, first: int = 50, after: str | None = None
    ) -> Connection[Unit]:
        info.context.require(Scope.OPS)
        plain = predicate.plain()
        rows = await info.context.database.report(
            lambda tx: affected_units(tx, plain, first, position(after))
        )
        return page(rows, first, after, Unit.of)

    @strawberry.field(
        description="The first and last unit that a recall would catch, and the nearest that it "
        "would not: to be compared with what the maker printed.",
        metadata={"cost": 100},
    )
    async def preview_recall_edges(
        self, info: Info, predicate: RecallPredicateInput
    ) -> RecallEdges:
        info.context.require(Scope.OPS)
        plain = predicate.plain()
        found = await info.context.database.report(lambda tx: edges(tx, plain))
        shown = [next(iter(each(Unit.of, [row] if row else ())), None) for row in found]
        return RecallEdges(
            first=shown[0], last=shown[1], nearest_before=shown[2], nearest_after=shown[3]
        )

    @strawberry.field(description="One recall by its reference; null if there is none.")
    async def recall(self, info: Info, ref: str) -> Recall | None:
        info.context.require(*STAFF)
        row = await info.context.read(lambda tx: shown(tx, ref))
        return Recall.of(row) if row else None

    @strawberry.field(description="Recalls, the newest first.")
    async def recalls(
        self, info: Info, first: int = 50, after: str | None = None, state: str | None = None
    ) -> Connection[Recall]:
        info.context.require(*STAFF)
        rows = await info.context.read(
            lambda tx: listed(tx, first=first, after=position(after), state=state)
        )
        return page(rows, first, after, Recall.of)

    @strawberry.field(description="The recalls that a unit is or was under.", metadata={"size": 2})
    async def unit_recalls(
        self, info: Info, identifier: str, sku: str | None = None
    ) -> list[RecalledUnit]:
        """Find the recalls of a unit."""
        info.context.require(*STAFF)
        rows = await info.context.read(
            lambda tx: of_unit(tx, units.find(tx, identifier, sku)["id"])
        )
        return each(RecalledUnit.of, rows)
