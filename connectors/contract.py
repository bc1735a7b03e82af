"""The connector contract: what a channel must be to join the hub.

A connector translates between the words of `hub.vocabulary` and one remote API. It keeps no state,
opens no database, sets no timers and never retries: the jobs do all that, and ask one thing of a
failed call: which of the six errors was it?

Capabilities are not declared, they are inherited: what a class inherits is what it can do. Reading
is liberal: an unknown field or enum value of the remote never stops an import.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel

from connectors.errors import ConnectorError
from connectors.remote import Remote, RemoteApi
from hub.vocabulary import (
    Cancellation,
    Device,
    DeviceQuestion,
    Fulfillment,
    LedgerEvent,
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

Item = TypeVar("Item")
Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, and the cursor to ask for what comes after them.

    A cursor is an opaque string that only its connector reads. Items may repeat across pages (the
    inbox drops doubles); they may never be skipped. `more` asks for the next page at once.
    """

    items: tuple[Item, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """One verified webhook call: the remote's own id for it, and its topic."""

    id: str
    topic: str


@dataclass(frozen=True, slots=True)
class OrderRef:
    """What a stored delivery is about. The jobs re-read the order; they never trust the payload."""

    order_ref: str


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message that a queue holds for us, as it came, and the receipt that deletes it."""

    delivery: WebhookCall
    body: bytes
    receipt: str


@dataclass(frozen=True, slots=True)
class PushedLevel:
    """What became of one level: the quantity that the channel now shows, or why not."""

    listing: str
    quantity: int | None = None
    error: ConnectorError | None = None


@dataclass(frozen=True, slots=True)
class PushedEvent:
    """What became of one event: taken, refused (`error`), or being worked off (`job`).

    `job` is the remote's reference, under which the outcome is asked for later.
    """

    event: str
    job: str | None = None
    error: ConnectorError | None = None
    answer: str = ""


class Connector(ABC, Generic[Settings]):
    """One kind of channel. Subclass it, add capabilities, register it as an entry point."""

    key: ClassVar[str]
    """Stable name, as in ``shopify``: stored with every channel and seen in webhook URLs."""

    settings_model: ClassVar[type[BaseModel]]
    """What one account needs; secrets are ``SecretStr``."""

    def __init__(self, settings: Settings, api: RemoteApi) -> None:
        self.settings = settings
        self.api = api

    @classmethod
    @abstractmethod
    def remote(cls, settings: Settings) -> Remote:
        """Describe the other side: base URL, credentials, pace. No call is made."""

    @abstractmethod
    async def check(self) -> None:
        """Make the cheapest call that proves that the credentials and the permissions work."""


class PullOrders(ABC):
    """The channel sells: it can list orders by time of change, and read one."""

    orders_name_serials: ClassVar[bool] = False
    """Whether its order lines can name serials that the channel itself sold, as a till does."""

    @abstractmethod
    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders changed after `cursor` ("" is the beginning)."""

    @abstractmethod
    async def read_order(self, ref: str) -> Order:
        """Read one order as it is now, or raise NotFound."""


class PullReturns(ABC):
    """The channel knows of returns and refunds: it can list them by time of change."""

    returns_name_serials: ClassVar[bool] = False
    """Whether its return lines can name the serials that come back."""

    @abstractmethod
    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the next returns and refunds changed after `cursor` ("" is the beginning)."""

    @abstractmethod
    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the returns and refunds of one order as they are now, or raise NotFound."""


class CancelOrders(ABC):
    """The channel can be told that an order can not be served."""

    @abstractmethod
    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel an order; return a link or reference that a person can follow.

        Safe to repeat: an order that is cancelled already is an answer, not an error.
        """


class PushStock(ABC):
    """The channel shows quantities."""

    levels_max: ClassVar[int] = 50
    """How many levels one call may carry."""

    compares_stock: ClassVar[bool] = True
    """Whether a level whose `expected` is no longer shown there is refused, not written over."""

    compares_in_one_step: ClassVar[bool] = False
    """Whether the channel itself compares, so that not even an edit within the call is undone."""

    @abstractmethod
    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Set, never add, the remote quantities; answer for each level by its listing.

        Safe to repeat with the same keys. A failure of the whole call is raised; a failure of one
        level is its `error`, so that one bad listing never blocks the others.
        """


class SnapshotStock(ABC):
    """The channel can be compared with the ledger."""

    @abstractmethod
    def snapshot_stock(self) -> AsyncIterator[ObservedLevel]:
        """Yield every quantity that the channel shows right now, page by page."""


class SnapshotOrders(ABC):
    """The orders of a window can be read again, whatever their time of change says."""

    @abstractmethod
    def snapshot_orders(self, since: datetime, until: datetime) -> AsyncIterator[Order]:
        """Yield every order placed in the window, both ends included."""


class PushFulfillment(ABC):
    """The channel wants to know what left, and under which serials."""

    stores_serials: ClassVar[bool] = True
    """Whether what it is told can be seen there: the serials of each order line."""

    @abstractmethod
    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Report a shipment; return a link or reference that a person can follow.

        Safe to repeat: where the channel has no idempotency key, look before creating.
        """


class ReceiveWebhooks(ABC):
    """The channel calls us."""

    async def prepare(self, headers: Mapping[str, str]) -> None:
        """Fetch what `verify` needs and does not have, as a public key by its id.

        Anybody can make us do it: bound what it costs. Most channels need nothing.
        """
        return

    def challenge(self, query: Mapping[str, str]) -> Mapping[str, str] | None:
        """Answer the question by which a channel sees whose address this is; None: it asks none."""
        return None

    @abstractmethod
    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Check the signature over the raw bytes in constant time, or raise AuthFailed.

        `headers` has lower-case names. Nothing is parsed before the signature is right.
        """

    @abstractmethod
    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Say which orders a stored delivery is about; an unknown topic is an empty answer."""


class ReceiveQueue(ABC):
    """The channel puts what it has to tell into a queue, which we empty: nobody calls us."""

    @abstractmethod
    async def receive(self) -> Sequence[QueueMessage]:
        """Take some of what is waiting; nothing is the end for now.

        A message that is not acknowledged comes again, and any may come twice.
        """

    @abstractmethod
    async def acknowledge(self, receipts: Sequence[str]) -> None:
        """Delete messages, once they are stored. Safe to repeat."""

    @abstractmethod
    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Say which orders a stored message is about; an unknown topic is an empty answer."""


class LookupWarranty(ABC):
    """A manufacturer's database that knows serials."""

    questions_max: ClassVar[int] = 1
    """How many serials one call may ask about."""

    reports_start_date: ClassVar[bool] = True
    """Whether it says when a cover began."""

    @abstractmethod
    async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> Sequence[Warranty]:
        """Answer every question, in its order; a serial not known there is UNKNOWN."""


class BulkWarranty(ABC):
    """A manufacturer's database that works many questions off later.

    Nobody waits for it: the jobs begin, keep the reference, and come back for the answers.
    """

    job_questions_max: ClassVar[int] = 500
    """How many serials one job may ask about."""

    @abstractmethod
    async def begin_warranty_job(self, questions: Sequence[WarrantyQuestion]) -> str:
        """Begin a job and return its reference. A job that nobody comes back for harms nobody."""

    @abstractmethod
    async def read_warranty_job(
        self, job: str, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty] | None:
        """Answer every question of a job, in its order; None while it is being worked off."""


class RegisterWarranty(ABC):
    """The manufacturer wants to know which serial was sold, and when."""

    @abstractmethod
    async def register_warranty(self, registration: Registration) -> Warranty:
        """Register one sold unit and return what the manufacturer now says. Safe to repeat."""


class PushEvents(ABC):
    """The channel keeps histories of units: it is told what happened to ours, event by event."""

    events_max: ClassVar[int] = 50
    """How many events one call may carry."""

    def wants_event(self, event: LedgerEvent) -> bool:
        """Say whether an event is for it at all; what is not is never told."""
        return True

    @abstractmethod
    async def push_events(self, events: Sequence[LedgerEvent]) -> Sequence[PushedEvent]:
        """Tell events, each of another unit; answer for each by its id.

        Safe to repeat: look which of them are there before telling. A failure of the whole call is
        raised; a refusal of one event is its `error`, so that one never blocks the others.
        """

    @abstractmethod
    async def read_push(self, job: str, events: Sequence[LedgerEvent]) -> Sequence[PushedEvent]:
        """Say what became of events that were being worked off; `job` again while they are."""


class LookupDevice(ABC):
    """A registry of medical devices."""

    @abstractmethod
    async def lookup_device(self, question: DeviceQuestion) -> Device | None:
        """Return what is registered of a device; None: it is not registered there."""


class SendNotice(ABC):
    """The channel carries messages to people: mail, text messages, an app."""

    @abstractmethod
    async def send_notice(self, notice: Notice) -> str:
        """Send one message and return the remote's id of it. Safe to repeat by its reference."""

    @abstractmethod
    def receipts(self, topic: str, body: bytes) -> Sequence[NoticeReceipt]:
        """Say what a stored delivery tells of messages; an unknown topic is an empty answer."""


CAPABILITIES: tuple[type, ...] = (
    PullOrders,
    PullReturns,
    CancelOrders,
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
    SendNotice,
)


def capabilities(connector: type[Connector[BaseModel]]) -> tuple[str, ...]:
    """Name what a connector can do, in snake case: ``pull_orders``, ``push_stock`` ..."""
    inherited = (each.__name__ for each in CAPABILITIES if issubclass(connector, each))
    return tuple(
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
        for name in inherited
    )
