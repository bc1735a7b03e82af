"""How the conformance rows move a twin: one small protocol, the same for every channel.

A driver owns one fresh twin and says in its words what a story needs: an article is listed, an
order is placed, somebody edits the stock, access is revoked. Subclass it and define the methods
that the capabilities of your connector call for; a row that misses one fails and names it.
Register the class beside the connector, as an entry point of the group ``serial_hub.drivers``
under the same key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from connectors.testing.simulator import Fault, Simulator, Webhook

NOTIFICATION_URL = "http://hub.test/hook"
INT32_MAX = 2**31 - 1


class DriverIncomplete(NotImplementedError):
    """A row needs something of the twin that its driver does not define."""


@dataclass(frozen=True, slots=True)
class OfficialContract:
    """One official contract, by its place in the folder of contracts.

    `file` is an OpenAPI 3 document in JSON, or the schema of a GraphQL API (``.graphql``). It is
    held against the requests whose path begins with `base` and then with `within`, if that is
    given; the paths in an OpenAPI document begin after `base`. Of a `trimmed` document a path that
    it lacks is nothing that the contract speaks of; of a whole one, it breaks it.
    """

    file: str
    base: str = ""
    within: str = ""
    trimmed: bool = False
    declared: Mapping[str, str] = field(default_factory=dict)
    """GraphQL: types whose `customFields` a server declares itself, and how ours must."""


class SimulatorDriver:
    """One twin and what can happen to it. References are the channel's own, as strings."""

    key: ClassVar[str]
    """The key of the connector whose other side this is."""

    orders_for_pages: ClassVar[int] = 130
    """So many orders fill more than two pages of the connector."""
    articles_for_pages: ClassVar[int] = 220
    """So many articles fill more than one page of its snapshot."""
    time_resolution: ClassVar[timedelta] = timedelta(seconds=1)
    """How finely the channel writes times."""
    quantity_max: ClassVar[int] = INT32_MAX
    """The largest quantity that the channel can show."""
    enum_fields: ClassVar[frozenset[str]] = frozenset()
    """The JSON fields of an order, a return or a warranty that hold one of a list of words."""
    official: ClassVar[Sequence[OfficialContract]] = ()
    """The contracts that its requests are held against, the first that fits."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.simulator: Simulator = self.build()

    # Every connector.

    def build(self) -> Simulator:
        """Make the twin; its clock is `self.clock`."""
        raise self._missing("build")

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings with which the connector reaches the twin at `url`."""
        raise self._missing("settings")

    def revoke(self) -> None:
        """Refuse the credentials of the settings from now on."""
        raise self._missing("revoke")

    def throttle(self) -> None:
        """Refuse the next call in the channel's own way of saying: too fast."""
        self.simulator.fail_next(Fault.RATE_LIMITED)

    # A connector whose tokens run out by themselves.

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        """Return settings whose access tokens are fetched; None where there are none such."""
        return None

    def expire_tokens(self) -> None:
        """Let every token that was given run out before its time."""
        raise self._missing("expire_tokens")

    def tokens_issued(self) -> int:
        """Say how often a token was fetched."""
        raise self._missing("tokens_given")

    # PushStock, SnapshotStock.

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        """Put an article on sale; returns its references as `snapshot_stock` names them."""
        raise self._missing("list_article")

    def missing_article(self) -> Mapping[str, str]:
        """Return the references of a listing that is gone there."""
        raise self._missing("missing_article")

    def quantity_shown(self, sku: str) -> int:
        """Say what the channel shows."""
        raise self._missing("quantity_shown")

    def foreign_edit(self, sku: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        raise self._missing("foreign_edit")

    # PullOrders, SnapshotOrders, PushFulfillment.

    def place_order(self, sku: str, quantity: int) -> str:
        """Sell an article, paid and to be shipped; returns the order's reference."""
        raise self._missing("place_order")

    def cancel_order(self, ref: str) -> None:
        """Let somebody cancel an order there, which moves its time of change."""
        raise self._missing("cancel_order")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        """Sell units whose serials the channel knows; returns the order's reference."""
        raise self._missing("sell_with_serials")

    def missing_order(self) -> str:
        """Return a reference of no order, in the shape that the channel's references have."""
        return "9999999"

    def shipments(self, ref: str) -> int:
        """Say how many shipments of an order the channel has been told of."""
        raise self._missing("shipments")

    def serials_shown(self, ref: str) -> Sequence[str]:
        """Return the serials that a person sees at an order."""
        raise self._missing("serials_shown")

    # PullReturns.

    def create_return(self, ref: str, quantity: int, serials: Sequence[str]) -> str:
        """Take units of an order's only line back, and pay for them.

        Returns the return's reference, as the connector will name it. `serials` are empty where
        the channel can not name them.
        """
        raise self._missing("take_back")

    # ReceiveWebhooks.

    def webhook(self, ref: str) -> Webhook:
        """Return the signed delivery, to `NOTIFICATION_URL`, of one more event about an order.

        For a connector that sends notices, `ref` is a message.
        """
        self.simulator.subscribers[:] = [NOTIFICATION_URL]
        self.simulator.take_pending_webhooks()
        self.trigger_webhook(ref)
        self.simulator.subscribers.clear()
        return self.simulator.take_pending_webhooks()[0]

    def trigger_webhook(self, ref: str) -> None:
        """Let an event about an order happen, of which subscribers are told."""
        raise self._missing("trigger_webhook")

    # ReceiveQueue. An order that is placed puts a notice into the queue.

    def write_to_queue(self, body: str) -> None:
        """Let somebody write something into the queue."""
        raise self._missing("put_into_queue")

    def expire_visibility(self) -> None:
        """Let so much time pass that what was taken and not acknowledged shows again."""
        raise self._missing("let_hidden_come_again")

    def queued_messages(self) -> int:
        """Say how many messages the queue holds, shown or hidden."""
        raise self._missing("notices_held")

    # LookupWarranty, RegisterWarranty.

    def add_unit(self, serial: str, product: str, starts_on: date, ends_on: date) -> None:
        """Make a unit and its warranty known."""
        raise self._missing("add_unit")

    def sold_on(self, serial: str) -> date | None:
        """Return the day of sale that was registered for a serial."""
        raise self._missing("sold_on")

    # PushEvents.

    def events(self) -> Sequence[str]:
        """Work off what is under way, and return the ids of all events that are there.

        An id of ours is the end of each.
        """
        raise self._missing("events")

    # LookupDevice.

    def register_device(self, identifier: str, brand: str) -> None:
        """Register a medical device."""
        raise self._missing("register_device")

    # SendNotice.

    def messages(self) -> int:
        """Say how many messages went out to people."""
        raise self._missing("messages")

    def _missing(self, name: str) -> DriverIncomplete:
        return DriverIncomplete(f"{type(self).__name__} has to define {name}")
