"""Returns and refunds as channels state them."""

from dataclasses import dataclass
from datetime import datetime
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
