"""Values that connectors and jobs exchange: pages, webhook calls, queue messages, results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.errors import ConnectorError
from connectors.unreadable import UnreadableRecord

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items of one page, and the cursor of the page after it.

    A cursor is an opaque string that only its connector reads. Items may repeat across pages (the
    inbox drops duplicates) but are never skipped. `more` asks for the next page at once.
    `unreadable` are the records of the page that could not be read; the cursor is past them too.
    """

    items: tuple[Item, ...]
    cursor: str
    more: bool = False
    unreadable: tuple[UnreadableRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """A verified inbound webhook call: the id that the channel gives it, and its topic."""

    id: str
    topic: str


@dataclass(frozen=True, slots=True)
class OrderRef:
    """The order that a stored webhook call or queue message is about.

    The jobs read the order again; they never trust the payload. `deleted` means that the channel
    reports its end: if it can no longer be read, it is cancelled here.
    """

    order_ref: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message received from a queue, and the receipt that deletes it."""

    call: WebhookCall
    body: bytes
    receipt: str


@dataclass(frozen=True, slots=True)
class PushedLevel:
    """Result of pushing one level: the quantity that the channel now shows, or the error.

    `remote` is what the push learned of the listing, such as its new version: it is kept with the
    listing's references, and comes back in `StockLevel.remote` with the next push.
    """

    listing: str
    quantity: int | None = None
    error: ConnectorError | None = None
    remote: Mapping[str, str] | None = None
    job: str | None = None
    """The channel processes the level as this job: it is neither set nor refused yet."""


@dataclass(frozen=True, slots=True)
class PushedEvent:
    """Result of pushing one event: accepted, refused, or processing: `read_push` takes `job`."""

    event: str
    job: str | None = None
    error: ConnectorError | None = None
    answer: str = ""
