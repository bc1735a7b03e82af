"""Returns and refunds as channels tell of them, beside the answers at our own counters."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.returns import views
from hub.storage.sql import Row
from hub.vocabulary import ReturnState
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each


@strawberry.type(description="Returned and refunded pieces of one order line.")
class ChannelReturnLine:
    """What of one order line comes back."""

    order_line_ref: str
    order_line_id: strawberry.ID | None = strawberry.field(
        description="Null: the order has no such line."
    )
    sku: str | None
    quantity: int
    comes_back: bool = strawberry.field(description="False: the customer keeps it.")
    arrived: int = strawberry.field(description="So many are back, the channel believes.")
    came_back: int = strawberry.field(
        description="Units of the order line that were read here when they came back."
    )
    refunded: int
    restock: bool = strawberry.field(description="The channel counts it as its stock again.")
    reason: str
    serials: list[str] = strawberry.field(description="Named by the channel.")

    @classmethod
    def of(cls, row: Row) -> "ChannelReturnLine":
        """Show a row."""
        line_id = row["order_line_id"]
        return cls(
            order_line_ref=row["order_line_ref"],
            order_line_id=strawberry.ID(line_id) if line_id else None,
            sku=row["sku"],
            quantity=row["quantity"],
            comes_back=bool(row["comes_back"]),
            arrived=row["arrived"],
            came_back=row["came_back"] or 0,
            refunded=row["refunded"],
            restock=bool(row["restock"]),
            reason=row["reason"],
            serials=row["serials"],
        )


@strawberry.type(description="A return or a refund, as its channel states it now.")
class ChannelReturn:
    id: strawberry.ID
    channel: str
    ref: str = strawberry.field(description="The channel's own reference.")
    order_ref: str
    order_id: strawberry.ID | None = strawberry.field(description="Null: nobody knows the order.")
    order: str | None = strawberry.field(description="Its number.")
    state: ReturnState
    remote_state: str = strawberry.field(description="In the channel's own word.")
    refund_reference: str | None
    refunded_at: datetime | None
    exchange_line_refs: list[str] = strawberry.field(
        description="The lines of the same order that the customer gets instead."
    )
    exchange_order_ref: str | None
    exchange_order_id: strawberry.ID | None = strawberry.field(
        description="The order that the customer gets instead."
    )
    lines: list[ChannelReturnLine] = strawberry.field(metadata={"size": 3})
    recorded_at: datetime

    @classmethod
    def of(cls, row: Row) -> "ChannelReturn":
        """Show a row with its lines."""
        return cls(
            id=strawberry.ID(row["id"]),
            channel=row["channel_code"],
            ref=row["ref"],
            order_ref=row["order_ref"],
            order_id=_id(row["order_id"]),
            order=row["order_number"],
            state=ReturnState(row["state"]),
            remote_state=row["remote_state"],
            refund_reference=row["refund_ref"],
            refunded_at=moment(row["refunded_at"]) if row["refunded_at"] else None,
            exchange_line_refs=row["exchange_line_refs"],
            exchange_order_ref=row["exchange_order_ref"],
            exchange_order_id=_id(row["exchange_order_id"]),
            lines=each(ChannelReturnLine.of, row["lines"]),
            recorded_at=moment(row["recorded_at"]),
        )


def _id(value: str | None) -> strawberry.ID | None:
    return strawberry.ID(value) if value else None


@strawberry.type
class ChannelReturnQuery:
    """Reading the returns of channels."""

    @strawberry.field(
        description="Returns and refunds that channels report, the newest first; awaited: only "
        "those with units still on their way."
    )
    async def channel_returns(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        channel: str | None = None,
        state: ReturnState | None = None,
        awaited: bool = False,
    ) -> Connection[ChannelReturn]:
        info.context.require(Scope.POS, Scope.OPS)
        rows = await info.context.read(
            lambda tx: views.page(
                tx,
                first=first,
                before=position(after),
                channel=channel,
                state=str(state) if state else None,
                awaited=awaited,
            )
        )
        return page(rows, first, after, ChannelReturn.of)
