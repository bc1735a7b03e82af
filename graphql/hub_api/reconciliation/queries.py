"""Queries for reconciliation."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.errors import UnknownReference
from hub.reconciliation import plans, run_views
from hub.reconciliation.kinds import Kind, State
from hub.reconciliation.plans import PLANNED_MAX
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each
from hub_api.reconciliation.types import Difference, DifferenceGroup, PlannedFix, ReconciliationRun


@strawberry.type
class ReconciliationQuery:
    """Reading reconciliation."""

    @strawberry.field(description="Runs, the newest first.")
    async def reconciliation_runs(
        self, info: Info, first: int = 50, after: str | None = None, channel: str | None = None
    ) -> Connection[ReconciliationRun]:
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: run_views.runs(tx, first=first, before=position(after), channel=channel)
        )
        return page(rows, first, after, ReconciliationRun.of)

    @strawberry.field(description="One run.")
    async def reconciliation_run(
        self,
        info: Info,
        id: strawberry.ID,
    ) -> ReconciliationRun:
        info.context.require(Scope.OPS)
        row = await info.context.read(lambda tx: run_views.run(tx, id))
        if row is None:
            raise UnknownReference(f"there is no run {id}", field="id")
        return ReconciliationRun.of(row)

    @strawberry.field(description="Differences of all runs: open, healing, healed, …")
    async def differences(
        self,
        info: Info,
        first: int = 100,
        after: str | None = None,
        state: State | None = State.OPEN,
        kind: Kind | None = None,
        channel: str | None = None,
    ) -> Connection[Difference]:
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: run_views.differences(
                tx, first=first, after=position(after), state=state, kind=kind, channel=channel
            )
        )
        return page(rows, first, after, Difference.of)

    @strawberry.field(description="One difference.")
    async def difference(self, info: Info, id: strawberry.ID) -> Difference:
        info.context.require(Scope.OPS)
        row = await info.context.read(lambda tx: run_views.difference(tx, id))
        if row is None:
            raise UnknownReference(f"there is no difference {id}", field="id")
        return Difference.of(row)

    @strawberry.field(
        description="How many differences there are of each kind, cause and fix, the most first."
    )
    async def difference_groups(
        self, info: Info, state: State = State.OPEN, channel: str | None = None
    ) -> list[DifferenceGroup]:
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: run_views.groups(tx, state=state, channel=channel)
        )
        return each(DifferenceGroup.of, rows)

    @strawberry.field(
        description="Fixes that the policy would apply to the open differences of a channel; "
        "nothing is changed by it.",
        metadata={"size": PLANNED_MAX},
    )
    async def fix_plan(self, info: Info, channel: str) -> list[PlannedFix]:
        info.context.require(Scope.OPS)
        now = info.context.clock()
        found = await info.context.read(lambda tx: plans.plan(tx, channel, now))
        return each(PlannedFix.of, found)

    @strawberry.field(description="Since when the oldest open difference is known.")
    async def oldest_open_difference_at(self, info: Info) -> datetime | None:
        info.context.require(Scope.OPS)
        value = await info.context.read(run_views.oldest_open)
        return None if value is None else moment(value)
