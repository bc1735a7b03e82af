"""Queries for imports."""

import strawberry

from hub import imports
from hub.access.keys import Scope
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.imports.types import ImportRun


@strawberry.type
class ImportQuery:
    """Reading imports."""

    @strawberry.field(description="Files of units that were read in, the newest first.")
    async def imports(
        self, info: Info, first: int = 50, after: str | None = None, state: str | None = None
    ) -> Connection[ImportRun]:
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: imports.listed(tx, first=first, before=position(after), state=state)
        )
        return page(rows, first, after, ImportRun.of)

    @strawberry.field(name="import", description="One import.")
    async def import_run(self, info: Info, id: strawberry.ID) -> ImportRun:
        info.context.require(Scope.OPS)
        return ImportRun.of(await info.context.read(lambda tx: imports.by_id(tx, id)))
