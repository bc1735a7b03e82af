"""Returns and refunds as channels state them, and refunds that channels are asked for."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class ReturnState(StrEnum):
    """Where a return stands, in the few words that every channel can be read into."""

    REQUESTED = "requested"  # the customer asked; nobody has agreed yet
    OPEN = "open"  # agreed: what is to come back is on its way
    CLOSED = "closed"  # the channel has nothing left to do about it
    CANCELLED = "cancelled"  # declined or withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLine:
    """What of one order line comes back, or is refunded, or both; quantities are of units."""

    order_line_ref: str
    quantity: int
    comes_back: bool = True  # False: the customer keeps it
    arrived: int = 0  # so many are back, the channel believes
    refunded: int = 0
    taken_off: int = 0  # by so many the channel has lowered the order line's quantity
    restock: bool = False  # the channel counts it as its stock again
    reason: str = ""  # in the channel's own words
    serials: tuple[str, ...] = ()  # named by the channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A return, or a refund without one, as the channel states it now.

    A refund that is about no goods has no lines. An exchange names the new lines of the same
    order, or the new order, that the customer gets instead.
    """

    ref: str
    order_ref: str
    state: ReturnState
    remote_state: str
    lines: tuple[ReturnLine, ...]
    updated_at: datetime
    refund_ref: str | None = None
    refunded_at: datetime | None = None
    exchange_line_refs: tuple[str, ...] = ()
    exchange_order_ref: str | None = None

    @property
    def refunded(self) -> bool:
        """Say whether the customer got money back."""
        return self.refunded_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """Units of one order line that are paid back; `amount` is of all of them, tax included."""

    order_line_ref: str
    quantity: int
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that the channel of an order is to pay back to the buyer.

    `amount` is an exact decimal in `currency` (ISO 4217): that of its lines, and what belongs to no
    line, such as shipping.
    """

    reference: str  # ours; the same for every repeat
    order_ref: str
    amount: Decimal
    currency: str
    refunded_before: Decimal  # what the order had paid back when this was decided
    lines: tuple[RefundLine, ...] = ()
    reason: str = ""

    @property
    def of_no_line(self) -> Decimal:
        """Return what of the amount belongs to no line."""
        return self.amount - sum((line.amount for line in self.lines), Decimal())
