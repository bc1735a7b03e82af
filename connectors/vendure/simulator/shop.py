"""What a Vendure server keeps: variants on shelves, orders, fulfillments, refunds.

As with the real one the time of change of an order stands still when it is placed, shipped or
refunded, and moves when it is cancelled; times have whole seconds, as on its SQLite.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.testing.simulator import Simulator


class SimulatorError(Exception):
    """A refusal that stands in the place of a mutation's result."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Variant:
    """One article and its shelf."""

    id: str
    sku: str
    on_hand: int
    allocated: int = 0
    tracked: str = "INHERIT"


@dataclass(slots=True)
class Line:
    """Units of one article on an order. `quantity` falls when some are cancelled."""

    id: str
    variant: Variant
    placed: int
    quantity: int
    price: int = 0  # with tax, in the smallest unit; as the discount and the tax of the line
    discount: int = 0
    tax: int = 0

    @property
    def cost(self) -> int:
        """Return what the line costs after its discount."""
        return self.price * self.quantity - self.discount


@dataclass(slots=True)
class Parcel:
    """One fulfillment."""

    id: str
    lines: dict[str, int]
    serials: list[str]
    updated_at: datetime
    state: str = "Pending"


@dataclass(slots=True)
class PaidBack:
    """One refund."""

    id: str
    lines: dict[str, int]
    reason: str
    at: datetime
    state: str = "Settled"
    total: int = 0  # in the smallest unit


@dataclass(slots=True)
class Sale:
    """One order."""

    id: str
    lines: list[Line]
    placed_at: datetime
    updated_at: datetime
    state: str = "PaymentSettled"
    parcels: list[Parcel] = field(default_factory=list)
    refunds: list[PaidBack] = field(default_factory=list)
    currency: str = "EUR"
    total: int | None = None  # None: what its lines cost
    buyer: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(
            ("firstName", "lastName", "phoneNumber", "emailAddress"), ""
        )
    )
    customer: str | None = "7"

    @property
    def paid(self) -> int:
        """Return what the order costs, which was paid at once."""
        return sum(line.cost for line in self.lines) if self.total is None else self.total

    def sent(self, line_id: str) -> int:
        """Return how many units of a line are in parcels."""
        live = (parcel for parcel in self.parcels if parcel.state != "Cancelled")
        return sum(parcel.lines.get(line_id, 0) for parcel in live)


class VendureShop(Simulator):
    """The state of one server with one stock location, and what people do there."""

    location_id = "1"
    tracks = True  # whether variants are counted that do not say so themselves
    refund_state = "Settled"  # Pending: its payment method pays nothing back by itself
    precision = 2  # decimals of every amount, whatever its currency

    def open(self) -> None:
        """Begin without anything."""
        self.variants: dict[str, Variant] = {}
        self.sales: dict[str, Sale] = {}

    def second(self) -> datetime:
        """Return the time as the server keeps it."""
        return self.now().astimezone(UTC).replace(microsecond=0)

    def add_variant(self, sku: str, on_hand: int) -> Variant:
        """Put an article on sale."""
        variant = Variant(str(self.next_id()), sku, on_hand)
        self.variants[variant.id] = variant
        return variant

    def variant(self, sku: str) -> Variant:
        """Return an article."""
        return next(each for each in self.variants.values() if each.sku == sku)

    def place_order(self, sku: str, quantity: int, more: Sequence[tuple[str, int]] = ()) -> Sale:
        """Sell an article, and more of them; all is paid, and the units are allocated."""
        lines = [
            Line(str(self.next_id()), self.variant(each), pieces, pieces)
            for each, pieces in ((sku, quantity), *more)
        ]
        for line in lines:
            line.variant.allocated += line.quantity
        now = self.second()
        sale = Sale(str(self.next_id()), lines, now, now)
        self.sales[sale.id] = sale
        return sale

    def fulfil(self, wanted: dict[str, int], serials: list[str]) -> Parcel:
        """Put units of one order into a parcel; more than is left is refused."""
        lines = {line.id: (sale, line) for sale in self.sales.values() for line in sale.lines}
        if not wanted or not all(wanted.values()):
            raise SimulatorError(
                "EMPTY_ORDER_LINE_SELECTION_ERROR", "At least one OrderLine is needed"
            )
        sale = next(lines[line_id][0] for line_id in wanted)
        for line_id, quantity in wanted.items():
            line = lines[line_id][1]
            if quantity > line.quantity - sale.sent(line_id):
                raise SimulatorError("ITEMS_ALREADY_FULFILLED_ERROR", "Items are already fulfilled")
            if quantity > line.variant.on_hand:
                raise SimulatorError("INSUFFICIENT_STOCK_ON_HAND_ERROR", "Not enough stock on hand")
        for line_id, quantity in wanted.items():
            variant = lines[line_id][1].variant
            variant.on_hand -= quantity
            variant.allocated -= quantity
        parcel = Parcel(str(self.next_id()), dict(wanted), serials, self.second())
        sale.parcels.append(parcel)
        return parcel

    def move(self, parcel_id: str, state: str) -> Parcel:
        """Send a parcel off, or say that it arrived."""
        for sale in self.sales.values():
            for parcel in sale.parcels:
                if parcel.id == parcel_id:
                    allowed = {"Pending": {"Shipped"}, "Shipped": {"Delivered"}}
                    if state not in allowed.get(parcel.state, set()):
                        said = f"Cannot transition Fulfillment from {parcel.state} to {state}"
                        raise SimulatorError("FULFILLMENT_STATE_TRANSITION_ERROR", said)
                    parcel.state, parcel.updated_at = state, self.second()
                    self._follow(sale)
                    return parcel
        raise LookupError(parcel_id)

    def set_state(self, order_id: str, state: str) -> None:
        """Move an order, as an administrator does who edits it."""
        sale = self.sales[order_id]
        sale.state, sale.updated_at = state, self.second()

    def cancel(self, order_id: str, wanted: dict[str, int] | None = None) -> Sale:
        """Take units off an order, all of them unless named; what was in a parcel is back."""
        sale = self.sales[order_id]
        lines = {line.id: line for line in sale.lines}
        taken = {each.id: each.quantity for each in sale.lines} if wanted is None else wanted
        if not any(taken.values()):
            raise SimulatorError(
                "EMPTY_ORDER_LINE_SELECTION_ERROR", "At least one OrderLine is needed"
            )
        if any(quantity > lines[line_id].quantity for line_id, quantity in taken.items()):
            raise SimulatorError("QUANTITY_TOO_GREAT_ERROR", "More than the line has")
        for line_id, quantity in taken.items():
            line = lines[line_id]
            waiting = max(0, min(quantity, line.quantity - sale.sent(line_id)))
            line.variant.allocated -= waiting
            line.variant.on_hand += quantity - waiting
            line.quantity -= quantity
        if not any(line.quantity for line in sale.lines):
            sale.state = "Cancelled"
        sale.updated_at = self.second()
        return sale

    def refund(
        self, order_id: str, lines: dict[str, int], reason: str = "", total: int = 0
    ) -> PaidBack:
        """Give money back for units of an order, which stay on it."""
        paid = PaidBack(str(self.next_id()), dict(lines), reason, self.second(), total=total)
        paid.state = self.refund_state
        self.sales[order_id].refunds.append(paid)
        return paid

    def pay_back(
        self, payment_id: str, amount: int, lines: dict[str, int], reason: str
    ) -> PaidBack:
        """Refund an amount of the payment of an order; more than is left is refused."""
        sale = next((s for s in self.sales.values() if f"p{s.id}" == payment_id), None)
        if sale is None:
            raise LookupError(payment_id)
        if sale.state in ("AddingItems", "ArrangingPayment", "PaymentAuthorized"):
            raise SimulatorError("REFUND_ORDER_STATE_ERROR", "The order is not paid")
        left = sale.paid - sum(each.total for each in sale.refunds if each.state != "Failed")
        if amount > left:
            raise SimulatorError("REFUND_AMOUNT_ERROR", "More than the payment has left")
        return self.refund(sale.id, lines, reason, amount)

    def _follow(self, sale: Sale) -> None:
        left = {"Shipped", "Delivered"}
        gone = sum(sum(parcel.lines.values()) for parcel in sale.parcels if parcel.state in left)
        whole = gone >= sum(line.quantity for line in sale.lines)
        sale.state = "Shipped" if whole else "PartiallyShipped"
