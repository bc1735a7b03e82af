"""Queries for counts."""

from datetime import datetime

import strawberry

from hub import counts
from hub.access.keys import Scope
from hub.errors import InvalidInput
from hub.storage import paging
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.counts.mutations import COUNTERS, shown
from hub_api.counts.types import (
    CountAccuracy,
    StockCount,
)


@strawberry.type
class CountQuery:
    """Reading counts."""

    @strawberry.field(description="One count by its reference.")
    async def stock_count(self, info: Info, ref: str) -> StockCount:
        info.context.require(*COUNTERS)
        return await shown(info, ref)

    @strawberry.field(description="Counts, the newest first.")
    async def stock_counts(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        location: str | None = None,
        state: str | None = None,
    ) -> Connection[StockCount]:
        info.context.require(*COUNTERS)
        wanted = paging.Filter()
        wanted.add("stock_count.id < :before", before=position(after))
        wanted.add("location.code = :location", location=location)
        wanted.add("stock_count.state = :state", state=state)
        limit = paging.page_size(first) + 1
        rows = await info.context.read(lambda tx: counts.listed(tx, wanted, limit))
        return page(rows, first, after, StockCount.of)

    @strawberry.field(
        description="How well the last closed counts of a site, or of a bin, agreed.",
    )
    async def count_accuracy(
        self, info: Info, location: str, since: datetime | None = None, last: int = 10
    ) -> CountAccuracy:
        """Measure the accuracy of a place."""
        info.context.require(Scope.OPS)
        if since is not None and since.tzinfo is None:
            raise InvalidInput("say the time zone of since", field="since")
        found = await info.context.read(
            lambda tx: counts.accuracy(tx, location, since=since, last=last)
        )
        return CountAccuracy(
            drift=found.drift, counts=[StockCount.of(row) for row, _ in found.counts]
        )
