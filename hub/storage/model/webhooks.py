"""The tables of outgoing webhooks: who is told, what is to be told, and each try."""

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import instant, integer, own_id, to, where, words


class WebhookEndpoint(SQLModel, table=True):
    """An address of a partner that is told of events, and how far it was told.

    Its cursor is a position in the feed of events: what is behind it has messages, what is before
    it is in the ledger and nowhere else.
    """

    __tablename__ = "webhook_endpoint"

    id: str = own_id()
    url: str = words(nullable=False)
    description: str = Field(default="", max_length=200)
    topics: str = words(nullable=False, default="[]")  # JSON list; empty: all
    product_id: str | None = to("product", nullable=True)  # None: of all products
    site_ids: str | None = words()  # JSON list; None: at all sites
    client_id: str | None = to("client", nullable=True)  # told of this client's goods only
    secrets: str = words(nullable=False)  # sealed
    state: str = Field(default="active", max_length=20)  # active, disabled, deleted
    disabled_reason: str | None = words()
    disabled_at: int | None = instant(nullable=True)
    failures: int = integer()  # in a row
    failing_since: int | None = instant(nullable=True)
    rests_until: int = integer()  # it asked for a pause, or is given one
    last_success_at: int | None = instant(nullable=True)
    cursor_transaction: int = integer()
    cursor_seq: int = integer()
    lease_until: int = integer()
    fence: int = integer()
    created_by: str = Field(max_length=100)
    created_at: int = instant()
    changed_at: int = instant()


class WebhookMessage(SQLModel, table=True):
    """One message for one endpoint. The `webhook-id` of every try is the id of its event."""

    __tablename__ = "webhook_message"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_id"),
        Index("webhook_message_due", "endpoint_id", "due_at", **where("state = 'waiting'")),
        Index("webhook_message_recent", "endpoint_id", "id"),
        Index("webhook_message_old", "settled_at", **where("state <> 'waiting'")),
    )

    id: str = own_id()
    endpoint_id: str = to("webhook_endpoint")
    event_id: str | None = Field(default=None, max_length=36)  # None: a test
    subject: str = Field(max_length=36)  # the unit
    topic: str = Field(max_length=60)
    body: str = words(nullable=False)  # the very text that is signed and sent
    state: str = Field(default="waiting", max_length=20)  # waiting, delivered, given_up
    due_at: int = integer()
    attempts: int = integer()
    last_error: str | None = words()
    created_at: int = instant()
    settled_at: int | None = instant(nullable=True)


class WebhookAttempt(SQLModel, table=True):
    """One try to deliver a message: when, how long it took, and what was answered."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (
        Index("webhook_attempt_message", "message_id", "id"),
        Index("webhook_attempt_old", "at"),
    )

    id: str = own_id()
    message_id: str = to("webhook_message")
    number: int = integer()
    status: int | None = Field(default=None)  # of HTTP; None: there was no answer
    answer: str = words(nullable=False)  # its beginning, or what went wrong
    duration_ms: int = integer()
    at: int = instant()
