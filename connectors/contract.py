"""Connector contract: the capabilities that a channel can have, and the values they exchange.

A connector translates between `hub.vocabulary` and one remote API. It keeps no state, opens no
database, sets no timers and never retries. The jobs do all that, and decide by the error class of
a failed call what happens next (see `connectors.errors`).

A class has the capabilities that it inherits; nothing is declared twice. Parsing is lenient: an
unknown field or enum value of the remote never stops an import.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel

from connectors.exchanged import OrderRef as OrderRef
from connectors.exchanged import Page as Page
from connectors.exchanged import PushedEvent as PushedEvent
from connectors.exchanged import PushedLevel as PushedLevel
from connectors.exchanged import QueueMessage as QueueMessage
from connectors.exchanged import WebhookCall as WebhookCall
from connectors.refunds import RefundOrders
from connectors.remote import Remote, RemoteApi
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import (
    BuyerMessage,
    Cancellation,
    Contact,
    Device,
    DeviceQuestion,
    Fulfillment,
    HoldReason,
    LedgerEvent,
    LineKind,
    Notice,
    NoticeReceipt,
    ObservedLevel,
    Order,
    Registration,
    Return,
    StockLevel,
    Warranty,
    WarrantyQuestion,
)

Settings = TypeVar("Settings", bound=BaseModel)


class Connector(ABC, Generic[Settings]):
    """One kind of channel. Subclass it, inherit capabilities, register it as an entry point."""

    key: ClassVar[str]
    """Stable name, as in ``shopify``: stored with every channel and part of webhook URLs."""

    settings_model: ClassVar[type[BaseModel]]
    """Settings of one account; secrets are ``SecretStr``."""

    def __init__(self, settings: Settings, api: RemoteApi) -> None:
        self.settings = settings
        self.api = api

    @classmethod
    @abstractmethod
    def remote(cls, settings: Settings) -> Remote:
        """Return base URL, credentials and rate limits of the remote. Makes no call."""

    @classmethod
    def account(cls, settings: Settings) -> Sequence[str]:  # noqa: ARG003 # a hook
        """Return which parts of which remote account the channel serves; none: not known.

        Name each marketplace, outlet or location whose orders it reads by
        `toolkit.accounts.account_part`, without a secret. A second channel of a part is refused,
        unless a person states that the two share it. Makes no call.
        """
        return ()

    @abstractmethod
    async def check(self) -> None:
        """Make the cheapest call that proves credentials and permissions.

        Raises AuthFailed for refused credentials or a missing permission, NotFound for a wrong
        location, shop or account in the settings.
        """


class PullOrders(ABC):
    """The channel sells: it lists orders by time of change, and reads one."""

    orders_name_serials: ClassVar[bool] = False
    """Whether its order lines can name serials that the channel itself sold, as a POS does."""

    pages_shrink: ClassVar[bool] = False
    """Whether its pages of orders follow `toolkit.page_size`, which shrinks where they time out."""

    states_holds: ClassVar[frozenset[HoldReason]] = frozenset()
    """The reasons that it states why nothing of an order may leave; it hides the others."""

    states_staff: ClassVar[bool] = False
    """Whether its orders can name who sold them at the counter (`staff_ref`)."""

    states_drafts: ClassVar[bool] = False
    """Whether it lists orders that are not placed, such as abandoned checkouts."""

    states_money: ClassVar[bool] = False
    """Whether its orders state what they cost; a channel that hides it leaves all amounts None."""

    states_line_kinds: ClassVar[frozenset[LineKind]] = frozenset()
    """The kinds of lines, beside goods, by which it marks what takes no units."""

    unpaid_promise_hours: ClassVar[int | None] = 72
    """Hours for which an unpaid order keeps its units; None: the channel itself ends it."""

    @abstractmethod
    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders changed after `cursor`, which any page gave; "": from the start.

        Every order changed since is returned at least once, in any order.
        """

    @abstractmethod
    async def read_order(self, ref: str) -> Order:
        """Return one order in its present state.

        Raises NotFound for an unknown order, NotOurs for one of another channel, Unreadable.
        """


class PullReturns(ABC):
    """The channel records returns and refunds: it lists them by time of change."""

    returns_name_serials: ClassVar[bool] = False
    """Whether its return lines can name the returned serials."""

    returns_state_arrival: ClassVar[bool] = True
    """Whether its returns say how many units are back; of a refund alone nobody knows."""

    @abstractmethod
    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the returns and refunds changed after `cursor`; "" starts at the beginning."""

    @abstractmethod
    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Return the returns and refunds of one order; raise NotFound for an unknown one."""


class CancelOrders(ABC):
    """The channel accepts the cancellation of an order that cannot be fulfilled."""

    restocks_cancelled: ClassVar[bool] = True
    """Whether the channel itself adds the cancelled units to what it shows."""

    pays_back_cancelled: ClassVar[bool] = False
    """Whether the channel pays back what was paid for an order that it cancels."""

    @abstractmethod
    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel an order; return a link or reference that a person can follow.

        Safe to repeat: also of a cancelled order. Raises Rejected, as for a shipped order.
        """


class PushStock(ABC):
    """The channel shows available quantities."""

    levels_max: ClassVar[int] = 50
    """Most levels in one call."""

    compares_stock: ClassVar[bool] = True
    """Whether a level whose `expected` is no longer shown is refused, not overwritten."""

    compares_in_one_step: ClassVar[bool] = False
    """Whether the channel itself compares, so that even an edit during the call is kept."""

    settles_seconds: ClassVar[float] = 0
    """Seconds until a quantity that was set shows in `snapshot_stock`: reconciliation finds no
    difference in one that was set since."""

    @abstractmethod
    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Set, never add, the quantities shown; return one result for each level.

        `levels` has at most `levels_max` items. Results name the listing and may come in any order.
        Safe to repeat with the same keys. A failure of one level is its `error` (NotFound,
        Rejected, or Conflict with the quantity that is shown instead), so that one bad listing
        never blocks the others; a failure of the whole call is raised. A level that the channel
        processes later is answered with a `job`.
        """

    async def read_stock_push(
        self, job: str, levels: Sequence[StockLevel]
    ) -> Sequence[PushedLevel]:
        """Return the results of levels that were processing; `job` is set while they still are.

        Raises NotFound for a job that the channel does not know: its levels are pushed again.
        """
        raise NotImplementedError(f"{type(self).__name__} pushes no levels as jobs")


class SnapshotStock(ABC):
    """The channel lists its quantities, so that reconciliation can compare them."""

    @abstractmethod
    def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield every quantity that the channel shows now, page by page, each listing once.

        A listing that cannot be read is yielded as such, and the walk goes on.
        """


class SnapshotOrders(ABC):
    """The channel lists orders by the time they were placed."""

    shows_serials: ClassVar[bool] = False
    """Whether its orders show the serials of their shipments (`shown_serials`)."""

    @abstractmethod
    def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed from `since` to `until`, both included.

        One that cannot be read is yielded as such, and the walk goes on.
        """


class PushFulfillment(ABC):
    """The channel accepts shipments, with the serials of each order line."""

    stores_serials: ClassVar[bool] = True
    """Whether the channel shows the serials of each order line of a shipment."""

    reports_whole_orders: ClassVar[bool] = False
    """Whether it wants `other_parcels`: the channel takes all parcels of an order at once."""

    ships_without_serials: ClassVar[bool] = True
    """Whether it takes lines that name a quantity only; one that recognizes a shipment by its
    serials refuses them (`shipments.require_serials`)."""

    @abstractmethod
    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Report a shipment; return a link or reference that a person can follow.

        Safe to repeat: where the channel has no idempotency key, look before creating. Raises
        NotFound for an unknown order, Rejected where the channel refuses the shipment.
        """


class ReceiveWebhooks(ABC):
    """The channel calls the hub."""

    async def prepare(self, headers: Mapping[str, str]) -> None:
        """Fetch what `verify` needs and does not have, such as a public key by its id.

        Anybody can trigger it with an unsigned call: limit its cost. Most channels need nothing.
        """
        return

    def challenge(self, query: Mapping[str, str]) -> Mapping[str, str] | None:
        """Answer a channel's proof-of-ownership request; None where it makes none.

        `query` holds the query parameters of a GET request. Returns the JSON object of the
        response.
        """
        return None

    @abstractmethod
    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify the signature over the raw bytes in constant time.

        `headers` has lower-case names. Nothing is parsed before the signature is verified. Raises
        AuthFailed for a missing or wrong signature, and for a call that is too old.
        """

    @abstractmethod
    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Return the orders that a stored call is about; none for an unknown topic."""


class ReceiveQueue(ABC):
    """The channel writes messages to a queue, which the hub empties."""

    @abstractmethod
    async def receive(self) -> Sequence[QueueMessage]:
        """Receive some of the waiting messages; an empty result means none for now.

        A message that is not acknowledged is delivered again, and any message may arrive twice.
        """

    @abstractmethod
    async def acknowledge(self, receipts: Sequence[str]) -> None:
        """Delete messages after they are stored. Safe to repeat."""

    @abstractmethod
    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Return the orders that a stored message is about; none for an unknown topic."""


class LookupWarranty(ABC):
    """A manufacturer's warranty database."""

    questions_max: ClassVar[int] = 1
    """Most questions in one call."""

    reports_start_date: ClassVar[bool] = True
    """Whether it reports the first day of a coverage."""

    @abstractmethod
    async def lookup_warranty(
        self, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord]:
        """Return one warranty for each question, in the order of the questions.

        `questions` has at most `questions_max` items. A serial that the database does not know is
        UNKNOWN, never NOT_COVERED. An answer that cannot be read stands in its place as such.
        """


class BulkWarranty(ABC):
    """A manufacturer's database that processes many questions as a job, asked for later."""

    job_questions_max: ClassVar[int] = 500
    """Most questions in one job."""

    @abstractmethod
    async def begin_warranty_job(self, questions: Sequence[WarrantyQuestion]) -> str:
        """Start a job and return its reference. An abandoned job does no harm."""

    @abstractmethod
    async def read_warranty_job(
        self, job: str, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord] | None:
        """Return the warranties of a job in the order of its questions; None while it runs.

        Raises NotFound or Rejected for a job that is gone or failed.
        """


class RegisterWarranty(ABC):
    """The manufacturer registers sold serials with the date of sale."""

    @abstractmethod
    async def register_warranty(self, registration: Registration) -> Warranty:
        """Register one sold unit and return its warranty. Safe to repeat."""


class PushEvents(ABC):
    """The channel keeps histories of units: it accepts ledger events."""

    events_max: ClassVar[int] = 50
    """Most events in one call."""

    def wants_event(self, event: LedgerEvent) -> bool:
        """Return whether the channel wants an event at all; others are never sent."""
        return True

    @abstractmethod
    async def push_events(self, events: Sequence[LedgerEvent]) -> Sequence[PushedEvent]:
        """Send events, each of another unit; return one result for each event id.

        `events` has at most `events_max` items. Safe to repeat: look up which of them exist before
        sending. A refusal of one event is its `error`, so that one never blocks the others; a
        failure of the whole call is raised.
        """

    @abstractmethod
    async def read_push(self, job: str, events: Sequence[LedgerEvent]) -> Sequence[PushedEvent]:
        """Return the results of events that were processing; `job` is set while they still are."""


class LookupDevice(ABC):
    """A registry of medical devices."""

    @abstractmethod
    async def lookup_device(self, question: DeviceQuestion) -> Device | None:
        """Return the registered record of a device; None where it is not registered."""


class ReadContacts(ABC):
    """The channel shows how to reach the buyer of an order; asked only when a recall needs it."""

    @abstractmethod
    async def read_contact(self, order_ref: str) -> Contact | None:
        """Return how to reach the buyer of an order; None where the order shows no address.

        Raises NotFound for an unknown order. Errors name no part of a contact.
        """


class MessageBuyers(ABC):
    """The channel hides how to reach its buyers, and carries messages to them itself."""

    message_chars_max: ClassVar[int] = 2_000
    """Most characters of one message; the connector shortens a longer one."""

    @abstractmethod
    async def message_buyer(self, message: BuyerMessage) -> str:
        """Send one message to the buyer of an order, and return a reference of it.

        Safe to repeat where the channel lets that be seen. Raises NotFound for an unknown order,
        Rejected where the channel does not carry messages about it.
        """


class SendNotice(ABC):
    """The channel carries messages to people: mail, text messages, an app."""

    @abstractmethod
    async def send_notice(self, notice: Notice) -> str:
        """Send one message and return the remote's id of it. Safe to repeat by its reference."""

    @abstractmethod
    def receipts(self, topic: str, body: bytes) -> Sequence[NoticeReceipt]:
        """Return the message statuses that a stored call reports; none for an unknown topic."""


CAPABILITIES: tuple[type, ...] = (
    PullOrders,
    PullReturns,
    CancelOrders,
    RefundOrders,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveWebhooks,
    ReceiveQueue,
    LookupWarranty,
    BulkWarranty,
    RegisterWarranty,
    PushEvents,
    LookupDevice,
    ReadContacts,
    MessageBuyers,
    SendNotice,
)


def capabilities(connector: type[Connector[BaseModel]]) -> tuple[str, ...]:
    """Return the capabilities of a connector in snake case: ``pull_orders``, ``push_stock`` ..."""
    inherited = (each.__name__ for each in CAPABILITIES if issubclass(connector, each))
    return tuple(
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
        for name in inherited
    )
