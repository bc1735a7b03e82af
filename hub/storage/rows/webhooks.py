"""Rows of the tables of outgoing webhooks: who is told, what is to be told, and each try."""

from typing import TypedDict


class WebhookAttemptRow(TypedDict):
    """A row of `webhook_attempt`."""

    id: str
    message_id: str
    number: int
    status: int | None
    answer: str
    duration_ms: int
    at: int


class WebhookEndpointRow(TypedDict):
    """A row of `webhook_endpoint`."""

    id: str
    url: str
    description: str
    topics: str
    product_id: str | None
    site_ids: str | None
    client_id: str | None
    secrets: str
    state: str
    disabled_reason: str | None
    disabled_at: int | None
    failures: int
    failing_since: int | None
    rests_until: int
    last_success_at: int | None
    cursor_transaction: int
    cursor_seq: int
    lease_until: int
    fence: int
    created_by: str
    created_at: int
    changed_at: int


class WebhookMessageRow(TypedDict):
    """A row of `webhook_message`."""

    id: str
    endpoint_id: str
    event_id: str | None
    subject: str
    topic: str
    body: str
    state: str
    due_at: int
    attempts: int
    last_error: str | None
    created_at: int
    settled_at: int | None
