"""Queries for kits."""

import strawberry

from hub.kits import kit_reports, kit_returns
from hub.kits.kit_reports import Level
from hub.kits.kit_returns import Check
from hub.ledger import units
from hub.storage.sql import Transaction
from hub_api.common.command_inputs import UnitInput
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.kits.types import KitCheck, KitStock, bounded, plain
from hub_api.units.types import STAFF


@strawberry.type
class KitQuery:
    """Reading kits."""

    @strawberry.field(
        description="Compares what was scanned with the parts of a kit, however deep they stand."
    )
    async def check_kit(self, info: Info, kit: UnitInput, scanned: list[str]) -> KitCheck:
        info.context.require(*STAFF)
        scans = bounded(scanned)

        def read(tx: Transaction) -> Check:
            found = units.find(tx, kit.identifier, kit.sku)
            return kit_returns.check(tx, found["id"], scans)

        return KitCheck.of(plain(await info.context.read(read)))

    @strawberry.field(description="Kits, or their components, counted by product.")
    async def kit_report(
        self,
        info: Info,
        level: Level,
        first: int = 50,
        after: str | None = None,
        location: str | None = None,
        sku: str | None = None,
    ) -> Connection[KitStock]:
        """Count kits or components; `location` is a site or a bin."""
        info.context.require(*STAFF)
        rows = await info.context.read(
            lambda tx: kit_reports.report(
                tx, level, first=first, after=position(after), location=location, sku=sku
            )
        )
        return page(rows, first, after, KitStock.of)
