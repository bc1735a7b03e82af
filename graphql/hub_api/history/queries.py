"""Queries for history, trial balance and corrections."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.history import as_of
from hub.ledger import units
from hub.lifecycle import Status
from hub.proof import conservation
from hub.storage.sql import Row, Transaction
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each
from hub_api.history.types import (
    Conservation,
    StockedUnit,
    TrialBalance,
    TrialLine,
    UnitStanding,
)
from hub_api.units.types import STAFF


def _line(line: Row) -> TrialLine:
    return TrialLine(**{**line, "status": Status(line["status"])})


@strawberry.type
class HistoryQuery:
    """Reading what was."""

    @strawberry.field(
        description="Where a unit stood at an instant, by what had occurred by then: as it is "
        "known now, or as it was known at `recordedBy`. Null if it did not exist yet."
    )
    async def unit_as_of(
        self,
        info: Info,
        identifier: str,
        at: datetime,
        recorded_by: datetime | None = None,
        sku: str | None = None,
    ) -> UnitStanding | None:
        info.context.require(*STAFF)

        def read(tx: Transaction) -> UnitStanding | None:
            unit_id = units.find(tx, identifier, sku)["id"]
            stood = as_of.unit_as_of(tx, unit_id, at, recorded_by=recorded_by)
            return UnitStanding.of(unit_id, stood) if stood else None

        return await info.context.read(read)

    @strawberry.field(
        description="The units that were at a place at an instant; see `unitAsOf`.",
        metadata={"cost": 100},
    )
    async def stock_as_of(
        self,
        info: Info,
        location: str,
        at: datetime,
        recorded_by: datetime | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> Connection[StockedUnit]:
        """List the units that were at a place."""
        info.context.require(*STAFF)
        rows = await info.context.database.report(
            lambda tx: as_of.stock_as_of(
                tx, location, at, first=first, after=position(after), recorded_by=recorded_by
            )
        )
        return page(rows, first, after, StockedUnit.of)

    @strawberry.field(
        description="How many units of each product stood at each place in each status at an "
        "instant; see `unitAsOf`.",
        metadata={"cost": 100},
    )
    async def trial_balance(
        self,
        info: Info,
        at: datetime,
        sku: str | None = None,
        recorded_by: datetime | None = None,
    ) -> TrialBalance:
        info.context.require(Scope.OPS)
        found = await info.context.database.report(
            lambda tx: as_of.trial_balance(tx, at, sku=sku, recorded_by=recorded_by)
        )
        return TrialBalance(
            existed=found.existed,
            adds_up=found.adds_up,
            lines=each(_line, found.lines),
        )

    @strawberry.field(
        description="Proves that every unit counts once, in one place, right now.",
        metadata={"cost": 100},
    )
    async def conservation(self, info: Info) -> Conservation:
        info.context.require(Scope.OPS)
        return Conservation.of(await info.context.database.report(conservation.check))
