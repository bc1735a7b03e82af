"""The tables of what runs by itself: outbox, inbox, cursors, job runs."""

from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import Sequence, instant, integer, own_id, to, where, words


def of_channel() -> Any:
    """Return the primary key of what each channel has one of."""
    return Field(sa_column=Column(String(36), ForeignKey("channel.id"), primary_key=True))


class Outbox(SQLModel, table=True):
    """A fact that a channel must be told, in order per subject, at least once."""

    __table_args__ = (
        UniqueConstraint("channel_id", "key"),
        Index(
            "outbox_due",
            "channel_id",
            "due_at",
            **where("state IN ('waiting', 'leased')"),
        ),
        Index(
            "outbox_order",
            "channel_id",
            "subject",
            "seq",
            **where("state IN ('waiting', 'leased')"),
        ),
        # Reconciliation walks the registrations of units, and reads the shipments of orders.
        Index(
            "outbox_of_subject",
            "channel_id",
            "topic",
            "subject",
            **where("topic IN ('registration', 'fulfillment')"),
        ),
        Index("outbox_told", "settled_at", **where("state = 'sent' AND topic = 'event'")),
    )

    seq: int | None = Field(
        default=None, sa_column=Column(Sequence, primary_key=True, autoincrement=True)
    )
    id: str = Field(max_length=36, unique=True)
    channel_id: str = to("channel")
    topic: str = Field(max_length=40)
    subject: str = Field(max_length=200)
    key: str = Field(max_length=128)
    payload: str = words(nullable=False)
    state: str = Field(default="waiting", max_length=20)  # waiting, leased, sent, dead
    due_at: int = integer()
    lease_until: int = integer()
    fence: int = integer()
    attempts: int = integer()
    last_error: str | None = words()
    answer: str | None = words()
    job: str | None = Field(default=None, max_length=200)  # the channel's: it is worked off there
    created_at: int = instant()
    settled_at: int | None = instant(nullable=True)


class Inbox(SQLModel, table=True):
    """What a channel told us, stored before it is understood."""

    __table_args__ = (
        UniqueConstraint("channel_id", "delivery"),
        Index("inbox_due", "due_at", **where("state IN ('waiting', 'leased')")),
        Index("inbox_subject", "channel_id", "subject", **where("subject IS NOT NULL")),
        # The same content under another id: a channel repeats itself, or somebody replays.
        Index("inbox_content", "channel_id", "content", **where("content IS NOT NULL")),
        Index("inbox_unreadable", "received_at", **where("source = 'unreadable'")),
    )

    id: str = own_id()
    channel_id: str = to("channel")
    delivery: str = Field(max_length=300)
    source: str = Field(max_length=20)  # webhook, pull, queue, unreadable
    topic: str = Field(max_length=100)
    subject: str | None = Field(default=None, max_length=200)  # the order it was about
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    content: str | None = Field(default=None, max_length=64)  # digest of a webhook's topic and body
    state: str = Field(default="waiting", max_length=20)  # waiting, leased, done, dead
    due_at: int = integer()
    lease_until: int = integer()
    fence: int = integer()
    attempts: int = integer()
    last_error: str | None = words()
    received_at: int = instant()
    settled_at: int | None = instant(nullable=True)


class Cursor(SQLModel, table=True):
    """How far a stream of a channel was read; moves only with the page that it stands for."""

    __table_args__ = (UniqueConstraint("channel_id", "stream"),)

    id: str = own_id()
    channel_id: str = to("channel")
    stream: str = Field(max_length=40)
    value: str = words(nullable=False)
    moved_at: int = instant()


class ChannelStream(SQLModel, table=True):
    """One thing that is done for a channel again and again, such as pulling: how it goes.

    It is a lease as well: one worker does it at a time, and each channel has its own.
    """

    __tablename__ = "channel_stream"

    channel_id: str = of_channel()
    stream: str = Field(primary_key=True, max_length=40)
    attempts: int = integer()
    failures: int = integer()  # in a row
    failing_since: int | None = instant(nullable=True)
    succeeded_at: int | None = instant(nullable=True)
    last_error: str | None = words()
    page_divisor: int = integer(1)  # pages are this many times smaller than usual
    shrunk_at: int | None = instant(nullable=True)
    lease_until: int = integer()
    fence: int = integer()


class JobRun(SQLModel, table=True):
    """One firing of a job: taken by whoever inserts its row, so that it runs once in a cluster."""

    __tablename__ = "job_run"
    __table_args__ = (UniqueConstraint("job", "slot"), Index("job_run_recent", "job", "started_at"))

    id: str = own_id()
    job: str = Field(max_length=100)
    slot: int = integer()  # the planned time, in whole periods
    holder: str = Field(max_length=100)
    lease_until: int = integer()
    started_at: int = instant()
    finished_at: int | None = instant(nullable=True)
    outcome: str | None = words()


class Budget(SQLModel, table=True):
    """What an account may still ask of its channel; shared by all workers."""

    channel_id: str = Field(
        sa_column=Column(String(36), ForeignKey("channel.id"), primary_key=True)
    )
    name: str = Field(primary_key=True, max_length=60)
    state: str = words(nullable=False)  # JSON, read by the jobs only


class ChannelToken(SQLModel, table=True):
    """The access token of an account, fetched by one worker for all."""

    __tablename__ = "channel_token"

    channel_id: str = Field(
        sa_column=Column(String(36), ForeignKey("channel.id"), primary_key=True)
    )
    sealed: str = words(nullable=False)  # encrypted; empty until the first was fetched
    lease_until: int = integer()
    fence: int = integer()


class Circuit(SQLModel, table=True):
    """How a channel has been failing: the state of its circuit breaker."""

    channel_id: str = Field(
        sa_column=Column(String(36), ForeignKey("channel.id"), primary_key=True)
    )
    failures: int = integer()
    last_failed: str | None = Field(default=None, max_length=200)
    openings: int = integer()
    opened_at: int | None = instant(nullable=True)
    probe_at: int = integer()  # when it is asked whether it is back; 0: it never went


class PushAttempt(SQLModel, table=True):
    """One try to tell a channel something: what was sent, why, and what was answered."""

    __tablename__ = "push_attempt"
    __table_args__ = (
        Index("push_attempt_recent", "channel_id", "id"),
        Index("push_attempt_subject", "channel_id", "subject", "id"),
        Index("push_attempt_old", "at"),
    )

    id: str = own_id()
    channel_id: str = to("channel")
    topic: str = Field(max_length=40)
    subject: str = Field(max_length=200)
    key: str = Field(max_length=200)
    sent: str = words(nullable=False)  # JSON
    outcome: str = Field(max_length=20)
    answer: str = words(nullable=False)
    at: int = instant()
