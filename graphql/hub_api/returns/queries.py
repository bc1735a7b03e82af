"""Queries for returns."""

import strawberry

from hub.access.keys import Scope
from hub.decision_rules import ReturnDecision
from hub.ledger import units
from hub.storage import paging
from hub.storage.paging import Filter
from hub.storage.sql import Row, Transaction
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.returns.types import RETURNS, ReturnCase, show


@strawberry.type
class ReturnQuery:
    """Reading returns."""

    @strawberry.field(description="Answers at the counter, the newest first.")
    async def returns(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        unit: str | None = None,
        decision: ReturnDecision | None = None,
        state: str | None = None,
    ) -> Connection[ReturnCase]:
        """List returns; `unit` is any identifier of a unit."""
        info.context.require(Scope.POS, Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            wanted = Filter()
            wanted.add("return_case.id < :before", before=position(after))
            wanted.add("return_case.unit_id = :unit", unit=unit and units.find(tx, unit)["id"])
            wanted.add("return_case.decision = :decision", decision=decision and str(decision))
            wanted.add("return_case.state = :state", state=state)
            return tx.rows(
                f"{RETURNS}{wanted.where()}ORDER BY return_case.id DESC LIMIT :limit",
                limit=paging.page_size(first) + 1,
                **wanted.values,
            )

        return page(await info.context.read(read), first, after, ReturnCase.of)

    @strawberry.field(description="One answer at the counter.")
    async def return_case(self, info: Info, id: strawberry.ID) -> ReturnCase:
        info.context.require(Scope.POS, Scope.OPS)
        return await show(info, id)
