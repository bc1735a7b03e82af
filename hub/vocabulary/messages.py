"""Messages to people, how to reach them, and what became of a message."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How to reach a person. It is handed to the connector that sends, and shows in no log."""

    name: str = field(default="", repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)  # E.164
    language: str = "en"  # BCP 47


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to one person."""

    reference: str  # ours; the same for every repeat
    contact: Contact
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerMessage:
    """One message to the buyer of an order, which the channel carries that sold it."""

    reference: str  # ours; the same for every repeat
    order_ref: str
    subject: str
    text: str


class NoticeOutcome(StrEnum):
    """What became of a message after it was sent."""

    DELIVERED = "delivered"
    FAILED = "failed"
    ANSWERED = "answered"  # the person read it and confirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReceipt:
    """What a channel says about a message that it was given."""

    message: str  # the channel's own id of the message
    outcome: NoticeOutcome
    at: datetime
    detail: str = ""
