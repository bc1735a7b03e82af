"""Refunds that channels are asked for."""

from datetime import datetime
from decimal import Decimal

import strawberry

from hub.clock import moment
from hub.errors import UnknownReference
from hub.returns import views
from hub.returns.refund_lines import RequestedLine, lines_of
from hub.returns.refund_requests import RefundState, WantedLine
from hub.returns.views import RefundView
from hub_api.common.context import Info
from hub_api.engine.stored import each


@strawberry.input(description="Units of an order line to pay back.")
class RefundLineInput:
    line_id: strawberry.ID = strawberry.field(description="Order line.")
    quantity: int = strawberry.field(description="Number of units, at least 1.")
    amount: Decimal | None = strawberry.field(
        description="Amount for all of them, tax included; null: what was paid for them.",
        default=None,
    )

    def plain(self) -> WantedLine:
        """Return the line for the hub."""
        return WantedLine(line_id=self.line_id, quantity=self.quantity, amount=self.amount)


@strawberry.type(description="Units of an order line that are paid back.")
class RefundLine:
    order_line_id: strawberry.ID = strawberry.field(description="Our id of the line.")
    order_line_ref: str = strawberry.field(description="The channel's own reference.")
    quantity: int
    amount: Decimal = strawberry.field(description="For all of the units, tax included.")

    @classmethod
    def of(cls, line: RequestedLine) -> "RefundLine":
        """Show a line of a request."""
        return cls(
            order_line_id=strawberry.ID(line["line_id"]),
            order_line_ref=line["ref"],
            quantity=line["quantity"],
            amount=Decimal(line["amount"]),
        )


@strawberry.type(description="Money that a channel was asked to pay back, and its outcome.")
class Refund:
    id: strawberry.ID
    order_id: strawberry.ID
    order: str = strawberry.field(description="Number of the order.")
    channel: str = strawberry.field(description="Code of the channel that pays.")
    return_id: strawberry.ID | None = strawberry.field(description="Return that it is for.")
    state: RefundState
    amount: Decimal = strawberry.field(description="Amount in the currency.")
    currency: str = strawberry.field(description="ISO 4217 code.")
    lines: list[RefundLine] = strawberry.field(metadata={"size": 3})
    reason: str
    refund_reference: str | None = strawberry.field(description="The channel's own reference.")
    error: str | None = strawberry.field(description="Why the channel did not pay.")
    requested_by: str = strawberry.field(description="Name of the key that asked for it.")
    requested_at: datetime = strawberry.field(description="Instant of the request.")
    settled_at: datetime | None = strawberry.field(
        description="Instant at which the channel paid or refused."
    )

    @classmethod
    def of(cls, row: RefundView) -> "Refund":
        """Show a row."""
        return_id, settled = row["return_id"], row["settled_at"]
        return cls(
            id=strawberry.ID(row["id"]),
            order_id=strawberry.ID(row["order_id"]),
            order=row["order_number"],
            channel=row["channel_code"],
            return_id=strawberry.ID(return_id) if return_id else None,
            state=RefundState(row["state"]),
            amount=Decimal(row["amount"]),
            currency=row["currency"],
            lines=each(RefundLine.of, lines_of(row["lines"])),
            reason=row["reason"],
            refund_reference=row["refund_ref"],
            error=row["error"],
            requested_by=row["requested_by"],
            requested_at=moment(row["requested_at"]),
            settled_at=None if settled is None else moment(settled),
        )


async def show_refund(info: Info, refund_id: str) -> Refund:
    """Return a refund by its id; raise UnknownReference."""
    row = await info.context.read(lambda tx: views.refund(tx, refund_id))
    if row is None:
        raise UnknownReference(f"there is no refund {refund_id!r}", field="id")
    return Refund.of(row)
