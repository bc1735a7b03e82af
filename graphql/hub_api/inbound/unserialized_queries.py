"""Queries for unserialized stock."""

import strawberry

from hub.access.keys import Scope
from hub.inbound import unserialized_stock as unserialized_stock
from hub.inbound.unserialized_stock import SerializationOrder
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each
from hub_api.inbound.unserialized_types import SerializationPriority, UnserializedStock


@strawberry.type
class SerializationQuery:
    """Queries about unserialized stock."""

    @strawberry.field(
        description="Unserialized stock, by product and place: units without a serial."
    )
    async def unserialized_stock(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        sku: str | None = None,
        location: str | None = None,
    ) -> Connection[UnserializedStock]:
        info.context.require(Scope.SCANNER, Scope.OPS)
        rows = await info.context.read(
            lambda tx: unserialized_stock.listed(
                tx, first=first, after=position(after), sku=sku, location=location
            )
        )
        return page(rows, first, after, UnserializedStock.of)

    @strawberry.field(
        description="Products whose serials are still to be read, the most urgent first."
    )
    async def serialization_priorities(
        self,
        info: Info,
        by: SerializationOrder = SerializationOrder.RISK,
        first: int = 50,
        skip: int = 0,
    ) -> list[SerializationPriority]:
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: unserialized_stock.priorities(tx, by, first=first, skip=skip)
        )
        return each(SerializationPriority.of, rows)
