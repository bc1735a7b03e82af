"""Simulator driver: the protocol by which conformance cases change a simulator.

A driver owns one fresh simulator and offers what a case needs: list an article, place an order,
edit the stock, revoke access. Subclass it and define the methods that the capabilities of your
connector require; a case that misses one fails and names it. Register the class beside the
connector, as an entry point of the group ``serial_hub.drivers`` under the same key.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, ClassVar

from connectors.privacy import PrivacyKind
from connectors.testing.simulator import Fault, Simulator, Webhook
from hub.vocabulary import HoldReason, LineKind

NOTIFICATION_URL = "http://hub.test/hook"
INT32_MAX = 2**31 - 1


class DriverIncomplete(NotImplementedError):
    """A case needs a method that the driver does not define."""


@dataclass(frozen=True, slots=True)
class PricedOrder:
    """What an order of one line costs: exact decimals as text, in a currency of ISO 4217.

    `discount` and `tax` are of the whole line, and of the whole order; `total` is what is paid.
    """

    currency: str
    unit_price: str
    discount: str
    tax: str
    total: str
    quantity: int = 3


@dataclass(frozen=True, slots=True)
class Buyer:
    """A person who buys, as a channel knows one. `number` identifies an account; 0: a guest."""

    number: int
    name: str
    email: str
    phone: str
    street: str


@dataclass(frozen=True, slots=True)
class OfficialContract:
    """One official contract of the channel, by its path in the folder of contracts.

    `file` is an OpenAPI 3 document in JSON, or a GraphQL schema (``.graphql``). Requests are
    validated against it whose path begins with `base` and then with `within`, if that is given;
    paths in an OpenAPI document begin after `base`. A path that a `trimmed` document lacks is not
    covered by the contract; one that a complete document lacks violates it.
    """

    file: str
    base: str = ""
    within: str = ""
    trimmed: bool = False
    declared: Mapping[str, str] = field(default_factory=dict)
    """GraphQL: types whose `customFields` a server declares itself, and how ours must."""

    document: str = ""
    """A JSON Schema of what is sent, where the OpenAPI document says it in choices only."""

    when_query: str = ""
    """Only requests with this query parameter: one that another edition of the contract names."""

    newer_queries: frozenset[str] = frozenset()
    """Query parameters that only a newer edition names, each as ``/path?name``: seen in a server
    of that edition, and left out before a request is validated."""

    looser: frozenset[str] = frozenset()
    """Parts of answers, as paths without indices, that the contract describes otherwise than the
    real server answers: what the simulator says there is not held against it."""


class SimulatorDriver:
    """One simulator and what can happen to it. References are the channel's own, as strings."""

    key: ClassVar[str]
    """The key of the connector whose other side this is."""

    privacy_calls: ClassVar[Sequence[tuple[str, bytes, PrivacyKind]]] = ()
    """Topic, body and kind of each privacy webhook that the channel documents."""
    orders_for_pages: ClassVar[int] = 130
    """So many orders fill more than two pages of the connector."""
    articles_for_pages: ClassVar[int] = 220
    """So many articles fill more than one page of its snapshot."""
    time_resolution: ClassVar[timedelta] = timedelta(seconds=1)
    """How finely the channel writes times."""
    returns_resolution: ClassVar[timedelta | None] = None
    """How finely it writes the times of returns, where that is coarser: a report names days."""
    quantity_max: ClassVar[int] = INT32_MAX
    """The largest quantity that the channel can show."""
    enum_fields: ClassVar[frozenset[str]] = frozenset()
    """The JSON fields of an order, a return or a warranty that hold one of a list of words."""
    returns_name_their_channel: ClassVar[bool] = True
    """Whether a list of returns says by which marketplace or location each was sold."""
    returns_are_json: ClassVar[bool] = True
    """Whether returns come as JSON; a report in another form is broken by the connector's tests."""
    optional_fields: ClassVar[frozenset[str]] = frozenset()
    """The lists of an order that the channel leaves out where they are empty."""
    official: ClassVar[Sequence[OfficialContract]] = ()
    """The contracts that its requests are validated against, the first that fits."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.simulator: Simulator = self.build()

    # Every connector.

    def build(self) -> Simulator:
        """Return the simulator; its clock is `self.clock`."""
        raise self._missing("build")

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings with which the connector reaches the simulator at `url`."""
        raise self._missing("settings")

    def revoke(self) -> None:
        """Refuse the credentials of the settings from now on."""
        raise self._missing("revoke")

    def throttle(self) -> None:
        """Refuse the next call as too fast, in the channel's own way."""
        self.simulator.fail_next(Fault.RATE_LIMITED)

    # A connector whose tokens run out by themselves.

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        """Return settings whose access tokens are fetched; None where there are none such."""
        return None

    def expire_tokens(self) -> None:
        """Expire every issued token before its time."""
        raise self._missing("expire_tokens")

    def tokens_issued(self) -> int:
        """Return how many tokens were issued."""
        raise self._missing("tokens_given")

    # PushStock, SnapshotStock.

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        """Put an article on sale; return its references as `snapshot_stock` names them."""
        raise self._missing("list_article")

    def missing_article(self) -> Mapping[str, str]:
        """Return the references of a listing that does not exist there."""
        raise self._missing("missing_article")

    def list_untracked(self, sku: str) -> Mapping[str, str] | None:
        """Put an article on sale whose quantity the channel does not keep; return its references.

        None where the channel keeps one of every listing.
        """
        return None

    def is_tracked(self, sku: str) -> bool:
        """Return whether the channel keeps a quantity of an article."""
        raise self._missing("is_tracked")

    def quantity_shown(self, sku: str) -> int:
        """Return the quantity that the channel shows."""
        raise self._missing("quantity_shown")

    def foreign_edit(self, sku: str, quantity: int) -> None:
        """Change the stock outside the hub."""
        raise self._missing("foreign_edit")

    def work_off_jobs(self) -> None:
        """Let the channel get on with the levels that it processes as jobs."""

    # PullOrders, SnapshotOrders, PushFulfillment.

    def place_order(self, sku: str, quantity: int) -> str:
        """Sell an article, paid and to be shipped; return the order's reference."""
        raise self._missing("place_order")

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        """Sell several articles, as SKU and quantity, in one order; return its reference."""
        raise self._missing("place_order_of")

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        """Write a buyer into an order as the channel does: account, name, mail, phone, address.

        Returns the channel's id of the account, as the connector names it; None for a guest, and
        where the channel hides who bought.
        """
        return None

    def shop_in(self, zone: tzinfo) -> None:
        """Let the shop keep local time: what the channel writes and reads in it is of `zone`.

        Most channels write UTC or an offset, and need nothing.
        """

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        """Sell an article by another channel of the account, as another marketplace or location.

        Returns the order's reference; None where an account has one channel only.
        """
        return None

    def pack_order(self, ref: str) -> bool:
        """Pack all of an order, without sending it; False where the channel has no such step."""
        return False

    def cancel_order(self, ref: str) -> None:
        """Cancel an order there, which moves its time of change."""
        raise self._missing("cancel_order")

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        """Stop an order for one of the connector's `states_holds`; moves its time of change."""
        raise self._missing("hold_order")

    def free_order(self, ref: str) -> None:
        """Let a held order go on; moves its time of change."""
        raise self._missing("free_order")

    def draft_order(self, sku: str, quantity: int) -> str:
        """Begin an order that is not placed, such as a checkout; return its reference."""
        raise self._missing("draft_order")

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        """Sell an article at a price, with a discount and a tax; return the order's reference.

        None where the channel does not sell in that currency.
        """
        raise self._missing("place_priced_order")

    def place_order_beside(self, sku: str, kind: LineKind) -> str:
        """Sell one article and, beside it, one line of another kind; return the reference."""
        raise self._missing("place_order_beside")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        """Sell units whose serials the channel knows; return the order's reference."""
        raise self._missing("sell_with_serials")

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        """Name the buyer of an order: an address, a number (E.164), or "" for none."""
        raise self._missing("set_buyer")

    def buyer_messages(self) -> int:
        """Return how many messages the channel carried to buyers."""
        raise self._missing("buyer_messages")

    def sell_by(self, sku: str, staff: str) -> str:
        """Sell one article at the counter by someone of the staff; return the order."""
        raise self._missing("sell_by")

    def missing_order(self) -> str:
        """Return a reference of no order, in the shape of the channel's references."""
        return "9999999"

    def shipments(self, ref: str) -> int:
        """Return how many shipments of an order the channel has recorded."""
        raise self._missing("shipments")

    def serials_shown(self, ref: str) -> Sequence[str]:
        """Return the serials that a person sees at an order."""
        raise self._missing("serials_shown")

    def serials_by_line(self, ref: str) -> Mapping[str, Sequence[str]] | None:
        """Return those serials by order line; None where the channel does not say of which."""
        return None

    # PullReturns.

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        """Return units of one line of an order (its index) to the seller, and refund them.

        Returns the return's reference, as the connector names it. `serials` are empty where the
        channel cannot name them.
        """
        raise self._missing("take_back")

    def refund_kept(self, ref: str, quantity: int, line: int = 0) -> str | None:
        """Refund shipped units of one line of an order (its index), which the customer keeps.

        Returns the return's reference; None where the channel does not say what is kept.
        """
        return None

    def refund_unsent(self, ref: str, quantity: int, line: int = 0) -> bool:
        """Refund units of one line of an order (its index) that have not left.

        The order stays, and its time of change moves. False where the channel refunds no such part.
        """
        return False

    # RefundOrders.

    def paid_back(self, ref: str) -> Decimal:
        """Return what the channel has paid back of an order, as its own books have it."""
        raise self._missing("paid_back")

    # ReceiveWebhooks.

    def webhook(self, ref: str) -> Webhook:
        """Return the signed call, to `NOTIFICATION_URL`, of one more event about an order.

        For a connector that sends notices, `ref` is a message.
        """
        self.simulator.subscribers[:] = [NOTIFICATION_URL]
        self.simulator.take_pending_webhooks()
        self.trigger_webhook(ref)
        self.simulator.subscribers.clear()
        return self.simulator.take_pending_webhooks()[0]

    def trigger_webhook(self, ref: str) -> None:
        """Make an event about an order happen that is sent to subscribers."""
        raise self._missing("trigger_webhook")

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        """Return the further topics about an order, each with the JSON that the channel sends."""
        return ()

    def other_webhooks(self, ref: str) -> Sequence[Webhook]:
        """Return a signed call for each further topic, and for each other scheme of signature."""
        return self.signed(self.other_payloads(ref))

    def signed(self, payloads: Sequence[tuple[str, Any]]) -> Sequence[Webhook]:
        """Return the calls of topics with their JSON, as the simulator signs them."""
        self.simulator.subscribers[:] = [NOTIFICATION_URL]
        self.simulator.take_pending_webhooks()
        for number, (topic, payload) in enumerate(payloads):
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            self.simulator.send_webhook(topic, f"other-{number}", body)
        self.simulator.subscribers.clear()
        return self.simulator.take_pending_webhooks()

    # ReceiveQueue. An order that is placed puts a notice into the queue.

    def write_to_queue(self, body: str) -> None:
        """Write a foreign message into the queue."""
        raise self._missing("put_into_queue")

    def expire_visibility(self) -> None:
        """Let messages that were received and not acknowledged become visible again."""
        raise self._missing("let_hidden_come_again")

    def queued_messages(self) -> int:
        """Return how many messages the queue holds, visible or hidden."""
        raise self._missing("notices_held")

    # LookupWarranty, RegisterWarranty.

    def add_unit(self, serial: str, product: str, starts_on: date, ends_on: date) -> None:
        """Add a unit and its warranty."""
        raise self._missing("add_unit")

    def sold_on(self, serial: str) -> date | None:
        """Return the day of sale that was registered for a serial."""
        raise self._missing("sold_on")

    # PushEvents.

    def events(self) -> Sequence[str]:
        """Process what is pending, and return the ids of all recorded events.

        Each ends with an id of ours.
        """
        raise self._missing("events")

    def refuse_events_of(self, serial: str) -> bool:
        """Refuse every event about a serial from now on; False where the channel never does."""
        return False

    # LookupDevice.

    def register_device(self, identifier: str, brand: str) -> None:
        """Register a medical device."""
        raise self._missing("register_device")

    # SendNotice.

    def messages(self) -> int:
        """Return how many messages were sent to people."""
        raise self._missing("messages")

    def _missing(self, name: str) -> DriverIncomplete:
        return DriverIncomplete(f"{type(self).__name__} has to define {name}")


class SkuSimulatorDriver(SimulatorDriver):
    """A driver whose simulator counts stock and takes orders by SKU.

    The simulator has the methods ``settings(url)``, ``quantity(sku)``,
    ``set_quantity(sku, quantity)`` and ``place_order({sku: quantity})``.
    """

    simulator: Any

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings with which the connector reaches the simulator at `url`."""
        given: Mapping[str, Any] = self.simulator.settings(url)
        return given

    def quantity_shown(self, sku: str) -> int:
        """Return the quantity that the channel shows; 0 where it shows none."""
        return int(self.simulator.quantity(sku) or 0)

    def foreign_edit(self, sku: str, quantity: int) -> None:
        """Change the stock outside the hub."""
        self.simulator.set_quantity(sku, quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        """Sell an article, paid and to be shipped; return the order's reference."""
        return self.place_order_of([(sku, quantity)])

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        """Sell several articles in one order; return its reference."""
        return str(self.simulator.place_order(dict(lines)))
