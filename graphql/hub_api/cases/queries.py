"""Queries for cases."""

import strawberry

from hub.access.keys import Scope
from hub.cases import CaseKind, case_views
from hub.catalogue import reference
from hub.storage.sql import Transaction
from hub_api.cases.types import Case, case_by_id
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position


@strawberry.type
class CaseQuery:
    """Reading cases."""

    @strawberry.field(description="Cases, the newest first; state: live (not resolved), open, …")
    async def cases(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        state: str | None = "live",
        kind: CaseKind | None = None,
    ) -> Connection[Case]:
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: case_views.cases(
                tx,
                first=first,
                before=position(after),
                state=state,
                kind=str(kind) if kind else None,
            )
        )
        now = info.context.clock()
        return page(rows, first, after, lambda row: Case.of(row, now))

    @strawberry.field(description="One case.")
    async def case(self, info: Info, id: strawberry.ID) -> Case:
        info.context.require(Scope.OPS)

        def read(tx: Transaction) -> Case:
            reference(tx, "exception_case", "id", id)
            return case_by_id(tx, id, now)

        now = info.context.clock()
        return await info.context.read(read)
