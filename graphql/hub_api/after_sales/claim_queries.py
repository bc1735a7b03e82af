"""Queries for warranty claims."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.after_sales import claims
from hub.errors import InvalidInput
from hub.ledger import units
from hub.storage import paging
from hub.storage.paging import Filter
from hub.storage.sql import Row, Transaction
from hub_api.after_sales.claim_types import ClaimStatistics, RuleCount, WarrantyClaim, show
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position


@strawberry.type
class ClaimQuery:
    """Reading claims."""

    @strawberry.field(description="Claims, the newest first.")
    async def claims(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        unit: str | None = None,
        state: str | None = None,
    ) -> Connection[WarrantyClaim]:
        """List claims; `unit` is any identifier of a unit."""
        info.context.require(Scope.POS, Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            wanted = Filter()
            wanted.add("id < :before", before=position(after))
            wanted.add("unit_id = :unit", unit=unit and units.find(tx, unit)["id"])
            wanted.add("state = :state", state=state)
            return tx.rows(
                f"SELECT * FROM warranty_claim {wanted.where()}ORDER BY id DESC LIMIT :limit",
                limit=paging.page_size(first) + 1,
                **wanted.values,
            )

        return page(await info.context.read(read), first, after, WarrantyClaim.of)

    @strawberry.field(description="One claim.")
    async def claim(self, info: Info, id: strawberry.ID) -> WarrantyClaim:
        info.context.require(Scope.POS, Scope.OPS)
        return await show(info, id)

    @strawberry.field(
        description="How the claims went that were opened from `since` on and before `until`.",
        metadata={"cost": 100},
    )
    async def claim_statistics(
        self, info: Info, since: datetime, until: datetime
    ) -> ClaimStatistics:
        info.context.require(Scope.OPS)
        if since.tzinfo is None or until.tzinfo is None:
            raise InvalidInput("say the time zone of since and until", field="since")
        found = await info.context.database.report(lambda tx: claims.statistics(tx, since, until))
        return ClaimStatistics(
            claims=found.claims,
            decided=found.decided,
            at_once=found.at_once,
            disputes=found.disputes,
            disputed=found.disputed,
            median_seconds=found.median_seconds,
            slowest_seconds=found.slowest_seconds,
            by_rule=[RuleCount(rule=rule, claims=count) for rule, count in found.by_rule],
        )
