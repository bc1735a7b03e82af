"""Queries for licenses."""

import strawberry

from hub.access.keys import Scope
from hub.ledger import units
from hub.storage.sql import Row, Transaction
from hub.unit_records import licenses as licenses
from hub_api.common.context import Info
from hub_api.engine.stored import each
from hub_api.unit_records.license_types import UnitLicense
from hub_api.units.types import Unit


@strawberry.type
class LicenseQuery:
    """Reading licenses."""

    @strawberry.field(
        description="Every license that a unit has or had, the newest first.",
        metadata={"size": 3, "cost": 3},
    )
    async def licenses(
        self, info: Info, identifier: str, sku: str | None = None
    ) -> list[UnitLicense]:
        """List the licenses of one unit."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            return licenses.of_unit(tx, units.find(tx, identifier, sku)["id"])

        return each(UnitLicense.of, await info.context.read(read))

    @strawberry.field(description="The unit that a license runs on now.")
    async def license_holder(self, info: Info, reference: str, provider: str) -> Unit | None:
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)
        held = await info.context.read(lambda tx: licenses.holder_of(tx, reference, provider))
        row = await info.context.units(held["unit_id"]) if held else None
        return Unit.of(row) if row else None
