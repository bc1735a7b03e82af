"""Hostile channels: what they remember, and what happens at them, whatever the hub does.

A shop sells what it shows, lets orders be changed, forgets to say so, and is edited by others. It
keeps the rules of its kind: compare-and-set, idempotency keys, or neither.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connectors import Conflict, NotFound, Rejected
from hub.vocabulary import Fulfillment, HoldReason, Order, OrderLine, OrderState, StockLevel

SKUS = ("CAM", "SAW")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a kind of channel can do."""

    name: str
    compares: bool = False  # sets a quantity only if it shows what we expect
    keys: bool = False  # knows a request again by its key
    webhooks: bool = False
    by_time: bool = False  # lists orders by their time of change, else by its own log
    restocks: bool = False  # shows a unit again when an order is cancelled
    counter: bool = False  # hands units over when they are sold
    seconds: bool = False  # its times have whole seconds


KINDS = (
    Kind(name="market", compares=True, keys=True, webhooks=True, restocks=True),
    Kind(name="plain", keys=True, webhooks=True, by_time=True, seconds=True),
    Kind(name="bare"),
    Kind(name="till", keys=True, webhooks=True, counter=True),
)


ONE_ACCOUNT = ("market", "plain")  # two channels that share one account there


@dataclass(frozen=True, slots=True)
class Parcel:
    """A shipment that the channel was told of."""

    reference: str
    order_ref: str
    line_ref: str
    serials: tuple[str, ...]


class Shop:
    """The far side of one channel."""

    def __init__(self, kind: Kind, present: Callable[[], datetime], skew: timedelta) -> None:
        self.kind = kind
        self.shown: dict[str, int] = dict.fromkeys(SKUS, 0)
        self.orders: dict[str, Order] = {}
        self.visible_at: dict[str, datetime] = {}
        self.log: list[str] = []  # the order that changed, change by change
        self.parcels: list[Parcel] = []
        self.credentials_good = True
        self.throttled_until = 0.0
        self.drifted: set[str] = set()  # orders whose whole page nobody can read at present
        self.odd: set[str] = set()  # orders that nobody can read at present, beside readable ones
        self.deleted: dict[str, Order] = {}
        self.others: list[Shop] = []  # the other channels of the account
        self.on_change: Callable[[str], None] = lambda _: None
        self.on_push: Callable[[str, int], None] = lambda _, __: None
        self._answers: dict[str, int | str] = {}
        self._requests: dict[str, tuple[object, ...]] = {}
        self._present = present
        self._skew = skew

    def now(self) -> datetime:
        """Return what the channel takes for the present."""
        now = self._present() + self._skew
        return now.replace(microsecond=0) if self.kind.seconds else now

    # What happens there

    def place(
        self,
        ref: str,
        lines: Sequence[OrderLine],
        *,
        lag_seconds: float = 0,
        state: OrderState = OrderState.OPEN,
    ) -> Order:
        """Sell: an order comes to be, and what is shown shrinks; so does a draft's."""
        for line in lines:
            self.shown[line.sku] = max(0, self.shown.get(line.sku, 0) - line.quantity)
        counter = self.kind.counter
        state = OrderState.FULFILLED if counter else state
        order = Order(
            ref=ref,
            number=f"#{ref}",
            state=state,
            remote_state=str(state),
            lines=tuple(lines),
            placed_at=self.now(),
            updated_at=self.now(),
            at_counter=counter,
        )
        self.visible_at[ref] = self._present() + timedelta(seconds=lag_seconds)
        self._keep(order)
        return order

    def edit(self, ref: str, quantities: dict[str, int]) -> None:
        """Change the quantities of lines; a line that is not named goes."""
        order = self.orders[ref]
        lines = tuple(
            replace(line, quantity=quantities[line.ref])
            for line in order.lines
            if line.ref in quantities
        )
        self._keep(replace(order, lines=lines))

    def cancel(self, ref: str) -> None:
        """Cancel an order; some kinds show its units again."""
        order = self.orders[ref]
        if self.kind.restocks:
            for line in order.lines:
                self.shown[line.sku] = self.shown.get(line.sku, 0) + line.quantity - line.fulfilled
        cancelled = OrderState.CANCELLED
        self._keep(replace(order, state=cancelled, remote_state=str(cancelled)))

    def hold(self, ref: str, reason: HoldReason | None) -> None:
        """Stop an order, let it go on, or place a draft."""
        state = OrderState.OPEN if reason is None else OrderState.PENDING
        word = str(reason or state)
        self._keep(replace(self.orders[ref], state=state, remote_state=word, hold=reason))

    def delete(self, ref: str) -> None:
        """Delete an order for good; some kinds show its units again."""
        order = self.orders.pop(ref)
        if self.kind.restocks:
            for line in order.lines:
                self.shown[line.sku] = self.shown.get(line.sku, 0) + line.quantity - line.fulfilled
        self.deleted[ref] = order
        self.on_change(ref)

    def _keep(self, order: Order) -> None:
        self.orders[order.ref] = replace(order, updated_at=self.now())
        self.log.append(order.ref)
        self.on_change(order.ref)

    # What the hub asks for

    def set_level(self, level: StockLevel) -> int:
        """Show a quantity; return what is shown."""
        sku = level.remote["sku"]
        if self.kind.keys and (known := self._known(level.key, (sku, level.available))) is not None:
            return int(known)
        present = self.shown.get(sku)
        if self.kind.compares and level.expected is not None and present != level.expected:
            raise Conflict(f"{present} is shown, not {level.expected}", observed=present)
        self.on_push(sku, level.available)
        self.shown[sku] = level.available
        self._answers[level.key] = level.available
        return level.available

    def ship(self, told: Fulfillment) -> str:
        """Take note of a shipment; what the order does not ask for is refused."""
        content = (
            told.order_ref,
            tuple((each.order_line_ref, each.serials) for each in told.lines),
        )
        if self.kind.keys and (known := self._known(told.reference, content)) is not None:
            return str(known)
        order = self.orders.get(told.order_ref)
        if order is None:
            raise NotFound(told.order_ref)
        if order.state is OrderState.CANCELLED:
            raise Rejected("the order is cancelled")
        sent = {line.order_line_ref: line.serials for line in told.lines}
        known_refs = {line.ref for line in order.lines}
        lines = [self._shipped(line, sent.get(line.ref, ())) for line in order.lines]
        if not sent.keys() <= known_refs:
            raise Rejected("the order has no such line")
        self.parcels += [Parcel(told.reference, order.ref, ref, sent[ref]) for ref in sent]
        done = all(line.fulfilled >= line.quantity for line in lines)
        state = OrderState.FULFILLED if done else order.state
        self._keep(replace(order, lines=tuple(lines), state=state, remote_state=str(state)))
        self._answers[told.reference] = f"parcel {told.reference}"
        return f"parcel {told.reference}"

    def _shipped(self, line: OrderLine, serials: Sequence[str]) -> OrderLine:
        fulfilled = line.fulfilled + len(serials)
        if serials and fulfilled > line.quantity:
            raise Rejected(f"{fulfilled} of {line.quantity} can not be fulfilled")
        return replace(line, fulfilled=fulfilled)

    def has_parcel(self, told: Fulfillment) -> bool:
        """Say whether the serials of a shipment are known there: one looks before one creates."""
        there = {serial for each in self.parcels_of(told.order_ref) for serial in each.serials}
        return bool(there) and all(there.issuperset(line.serials) for line in told.lines)

    def parcels_of(self, ref: str) -> list[Parcel]:
        """Return the shipments of an order."""
        return [each for each in self.parcels if each.order_ref == ref]

    def _known(self, key: str, content: tuple[object, ...]) -> int | str | None:
        if self._requests.setdefault(key, content) != content:
            raise Rejected(f"the key {key} was used for something else")
        return self._answers.get(key)

    def listed(self) -> list[Order]:
        """Return the orders that can be seen by now."""
        now = self._present()
        return [order for ref, order in self.orders.items() if self.visible_at[ref] <= now]


@dataclass
class Maker:
    """The far side of a manufacturer."""

    serials: set[str] = field(default_factory=set)
    registered: dict[str, str] = field(default_factory=dict)  # serial by our reference
    credentials_good: bool = True
    throttled_until: float = 0.0
