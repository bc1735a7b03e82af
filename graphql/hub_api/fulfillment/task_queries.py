"""Queries for fulfillment tasks."""

from collections.abc import Sequence

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.fulfillment import picking, tasks
from hub.fulfillment.tasks import TaskKind
from hub.fulfillment.transfers import OVERDUE_HOURS, under_way
from hub.orders import order_lookup
from hub.storage.sql import Row, Transaction
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each
from hub_api.fulfillment.task_types import Pick, Task, Transfer


@strawberry.type
class WorkQuery:
    """What is to be done."""

    @strawberry.field(
        description="Pick list for an order or for the site of a location: serials and bins in "
        "walking order; the most urgent where there are more than `first`.",
        metadata={"size": 50},
    )
    async def pick_list(
        self,
        info: Info,
        order_id: strawberry.ID | None = None,
        location: str | None = None,
        first: int = 50,
    ) -> list[Pick]:
        info.context.require(Scope.SCANNER)
        now = info.context.clock()

        def read(tx: Transaction) -> Sequence[Row]:
            site = catalogue.location(tx, location)["site_id"] if location is not None else None
            if order_id is not None:
                order_lookup.order_of(tx, order_id)
            return picking.pick_list(tx, now, order_id=order_id, site_id=site, first=first)

        return each(Pick.of, await info.context.read(read))

    @strawberry.field(
        description="Open tasks at the site of a location, the most urgent first.",
        metadata={"size": 50},
    )
    async def tasks(
        self, info: Info, location: str, first: int = 50, kind: TaskKind | None = None
    ) -> list[Task]:
        info.context.require(Scope.SCANNER)
        now = info.context.clock()

        def read(tx: Transaction) -> Sequence[Row]:
            return tasks.tasks(tx, now, catalogue.location(tx, location), first=first, kind=kind)

        return each(Task.of, await info.context.read(read))

    @strawberry.field(
        description="Units under way between our sites: from where, to where, since when.",
    )
    async def transfers(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        origin: str | None = None,
        destination: str | None = None,
        overdue: bool | None = None,
        overdue_hours: int = OVERDUE_HOURS,
    ) -> Connection[Transfer]:
        """List transfers; `overdue` are those under way for longer than `overdueHours`."""
        info.context.require(Scope.SCANNER, Scope.OPS)
        context = info.context.command_context()
        rows = await info.context.read(
            lambda tx: under_way(
                tx,
                context,
                first=first,
                after=position(after),
                origin=origin,
                destination=destination,
                overdue=overdue,
                overdue_hours=overdue_hours,
            )
        )
        return page(rows, first, after, Transfer.of)
