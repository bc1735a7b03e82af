"""Queries for costs."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.errors import InvalidInput
from hub.history.as_of import FOREVER
from hub.ledger import units
from hub.storage import paging
from hub.storage.sql import Row, Transaction
from hub.unit_records import costs as ledger_costs
from hub.unit_records.costs import By
from hub_api.common.context import Info
from hub_api.engine.stored import each
from hub_api.unit_records.cost_types import FinancialEvent, UnitCost, UnitCosts, Valuation, sums


def _position(cursor: str | None) -> tuple[int, int]:
    try:
        transaction_id, seq = (int(each) for each in (cursor or "0.0").split("."))
    except ValueError as error:
        raise InvalidInput("this is no cursor of this feed", field="after") from error
    return transaction_id, seq


@strawberry.type
class CostQuery:
    """Reading costs."""

    @strawberry.field(
        description="Cost lines of a unit, and their totals. Of a record that was merged into it "
        "count the kinds of which the unit has none in force itself."
    )
    async def unit_costs(self, info: Info, identifier: str, sku: str | None = None) -> UnitCosts:
        """Read the costs of one unit."""
        info.context.require(Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            unit_id = units.find(tx, identifier, sku)["id"]
            return ledger_costs.borne(tx, [unit_id], FOREVER)[unit_id]

        lines = await info.context.read(read)
        return UnitCosts(lines=each(UnitCost.of, lines), totals=sums(ledger_costs.totals(lines)))

    @strawberry.field(
        description="Value of the stock at an instant: units and costs.", metadata={"cost": 100}
    )
    async def valuation(self, info: Info, at: datetime, by: By = By.PRODUCT) -> Valuation:
        info.context.require(Scope.OPS)
        if at.tzinfo is None:
            raise InvalidInput("a time comes with its zone", field="at")
        found = await info.context.database.report(lambda tx: ledger_costs.valuation(tx, at, by))
        return Valuation.of(found)

    @strawberry.field(
        description="Receipts, sales, returns, losses, write-offs and corrections for the books, "
        "in the order of their commits; give the last `cursor` as `after` to go on.",
    )
    async def financial_events(
        self, info: Info, first: int = 100, after: str | None = None
    ) -> list[FinancialEvent]:
        info.context.require(Scope.OPS)
        here, limit = _position(after), paging.page_size(first)
        rows = await info.context.read(lambda tx: ledger_costs.booked_after(tx, *here, limit=limit))
        return each(FinancialEvent.of, rows)
