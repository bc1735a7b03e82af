"""Rows of the tables of what runs by itself: outbox, inbox, cursors, job runs."""

from typing import TypedDict


class BudgetRow(TypedDict):
    """A row of `budget`."""

    channel_id: str
    name: str
    state: str


class ChannelTokenRow(TypedDict):
    """A row of `channel_token`."""

    channel_id: str
    sealed: str
    lease_until: int
    fence: int


class ChannelStreamRow(TypedDict):
    """A row of `channel_stream`."""

    channel_id: str
    stream: str
    attempts: int
    failures: int
    failing_since: int | None
    succeeded_at: int | None
    last_error: str | None
    page_divisor: int
    shrunk_at: int | None
    lease_until: int
    fence: int


class CircuitRow(TypedDict):
    """A row of `circuit`."""

    channel_id: str
    failures: int
    last_failed: str | None
    openings: int
    opened_at: int | None
    probe_at: int


class CursorRow(TypedDict):
    """A row of `cursor`."""

    id: str
    channel_id: str
    stream: str
    value: str
    moved_at: int


class InboxRow(TypedDict):
    """A row of `inbox`."""

    id: str
    channel_id: str
    delivery: str
    source: str
    topic: str
    subject: str | None
    body: bytes
    content: str | None
    state: str
    due_at: int
    lease_until: int
    fence: int
    attempts: int
    last_error: str | None
    received_at: int
    settled_at: int | None


class JobRunRow(TypedDict):
    """A row of `job_run`."""

    id: str
    job: str
    slot: int
    holder: str
    lease_until: int
    started_at: int
    finished_at: int | None
    outcome: str | None


class OutboxRow(TypedDict):
    """A row of `outbox`."""

    seq: int
    id: str
    channel_id: str
    topic: str
    subject: str
    key: str
    payload: str
    state: str
    due_at: int
    lease_until: int
    fence: int
    attempts: int
    last_error: str | None
    answer: str | None
    job: str | None
    created_at: int
    settled_at: int | None


class PushAttemptRow(TypedDict):
    """A row of `push_attempt`."""

    id: str
    channel_id: str
    topic: str
    subject: str
    key: str
    sent: str
    outcome: str
    answer: str
    at: int
