"""Orders as channels state them, and their cancellation."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class OrderState(StrEnum):
    """Where an order stands, in the few words that every channel can be read into."""

    DRAFT = "draft"  # not placed, or its payment failed: no unit is promised
    PENDING = "pending"  # placed, not yet payable or paid: units are promised, nothing leaves
    OPEN = "open"  # to be fulfilled
    FULFILLED = "fulfilled"  # everything left, or was handed over at the counter
    CANCELLED = "cancelled"


class HoldReason(StrEnum):
    """Why nothing of an order may leave now, in the few words that every channel can be read into.

    A pending order always has one. A free order (nothing to pay) is not held for its payment.
    """

    PAYMENT_PENDING = "payment_pending"  # not paid, not authorized, or the payment was voided
    ON_HOLD = "on_hold"  # the seller or the channel stopped it
    FRAUD_REVIEW = "fraud_review"
    CANCELLATION_REQUESTED = "cancellation_requested"  # by the buyer; the seller has not decided
    REFUNDED = "refunded"  # paid back in full before it left


class LineKind(StrEnum):
    """What an order line sells. Only goods take units; the other lines never keep an order open."""

    GOODS = "goods"
    GIFT_CARD = "gift_card"
    SERVICE = "service"
    DIGITAL = "digital"
    TIP = "tip"
    FEE = "fee"  # shipping protection, a deposit, a surcharge
    CUSTOM = "custom"  # typed in at the channel: no SKU, no product


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order, in the channel's own references."""

    ref: str
    sku: str
    quantity: int  # ordered, less what was cancelled or refunded before it left
    fulfilled: int = 0  # what the channel believes has left
    serials: tuple[str, ...] = ()  # named by the channel: a POS that sold a known unit
    # What the channel shows as shipped, whoever wrote it; None: it does not show serials by line.
    shown_serials: tuple[str, ...] | None = None
    title: str = ""
    kind: LineKind = LineKind.GOODS
    unit_price: Decimal | None = None  # of one unit before discounts, in the order's currency
    discount: Decimal | None = None  # of the whole line, its share of the order's included
    tax: Decimal | None = None  # of the whole line


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the channel states it now. Personal data stays in the channel.

    `remote_state`, `payment_state` and `shipment_state` are the channel's own words for people and
    mappings; `state` is what we make of them, `hold` why nothing may leave. `at_counter` means that
    the goods were handed over when the order was made. Amounts are exact decimals in `currency`
    (ISO 4217); None where the channel hides them.
    """

    ref: str
    number: str  # what people call it
    state: OrderState
    remote_state: str
    lines: tuple[OrderLine, ...]
    placed_at: datetime
    updated_at: datetime
    at_counter: bool = False
    customer_ref: str | None = None  # the channel's id of the customer, a pseudonym
    staff_ref: str | None = None  # the channel's id of who sold it at the counter, a pseudonym
    origin_ref: str | None = None  # imported from another channel: that channel's reference
    hold: HoldReason | None = None
    test: bool = False  # made to try the shop: nobody bought anything
    currency: str | None = None
    total: Decimal | None = None  # what the buyer pays, taxes and shipping included
    discount: Decimal | None = None
    tax: Decimal | None = None
    shipping: Decimal | None = None
    refunded: Decimal | None = None  # paid back so far
    tax_included: bool | None = None  # whether prices of lines contain their tax
    ship_by: datetime | None = None  # promised by the channel to the buyer
    deliver_by: datetime | None = None
    is_gift: bool = False
    has_note: bool = False  # the buyer wrote something: read it in the channel
    location_ref: str | None = None  # where the channel wants it fulfilled, in its own reference
    payment_state: str = ""
    shipment_state: str = ""
    # What the channel shows as shipped of the whole order, where it does not show it by line.
    shown_serials: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """An order that can not be served: its channel is asked to cancel it."""

    reference: str  # ours; the same for every repeat
    order_ref: str
    reason: str
