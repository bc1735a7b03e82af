"""Queries for advance ship notices."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.errors import InvalidInput
from hub.inbound import ship_notices
from hub.inbound.ship_notices import DeliveryState
from hub.storage.sql import Row, Transaction
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.inbound.ship_notice_types import AdvanceShipNotice


@strawberry.type
class ShipNoticeQuery:
    """Reading ship_notices."""

    @strawberry.field(
        description="One advance ship notice, by its id, or by its supplier and reference."
    )
    async def advance_ship_notice(
        self,
        info: Info,
        id: strawberry.ID | None = None,
        supplier: str | None = None,
        ref: str | None = None,
    ) -> AdvanceShipNotice:
        info.context.require(Scope.SCANNER, Scope.OPS)

        def read(tx: Transaction) -> Row:
            if id is not None:
                return catalogue.reference(tx, "delivery", "id", id)
            if supplier is None or ref is None:
                raise InvalidInput("name the notice by id, or by supplier and ref", field="ref")
            return ship_notices.find(tx, supplier, ref)

        return AdvanceShipNotice.of(await info.context.read(read))

    @strawberry.field(
        description="Advance ship notices, in the order in which they were announced."
    )
    async def advance_ship_notices(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        state: DeliveryState | None = None,
        supplier: str | None = None,
        purchase_order: str | None = None,
    ) -> Connection[AdvanceShipNotice]:
        info.context.require(Scope.SCANNER, Scope.OPS)
        rows = await info.context.read(
            lambda tx: ship_notices.listed(
                tx,
                first=first,
                after=position(after),
                state=str(state) if state else None,
                supplier=supplier,
                purchase_order=purchase_order,
            )
        )
        return page(rows, first, after, AdvanceShipNotice.of)
