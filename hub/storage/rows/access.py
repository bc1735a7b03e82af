"""Rows of who may call, who approved what, and the trail."""

from typing import TypedDict


class ApiKeyRow(TypedDict):
    """A row of `api_key`."""

    id: str
    name: str
    digest: str
    scopes: str
    client_id: str | None
    origins: str | None
    location_id: str | None
    commands: str | None
    addresses: str | None
    created_by: str
    created_by_key: str | None
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    last_used_from: str | None
    revoked_at: int | None


class TrustedDocumentRow(TypedDict):
    """A row of `trusted_document`."""

    sha256: str
    name: str
    text: str
    pushed_by: str
    pushed_at: int


class LoginSessionRow(TypedDict):
    """A row of `login_session`."""

    id: str
    digest: str
    owner_kind: str
    owner_id: str
    address: str
    created_at: int
    seen_at: int
    expires_at: int
    ended_at: int | None


class FailedAttemptRow(TypedDict):
    """A row of `failed_attempt`."""

    name: str
    failures: int
    since: int


class ApprovalRow(TypedDict):
    """A row of `approval`."""

    id: str
    command: str
    digest: str
    arguments: str
    state: str
    requested_by: str
    requested_by_key: str
    requested_at: int
    expires_at: int
    decided_by: str | None
    decided_at: int | None
    reason: str | None


class TrailChangeRow(TypedDict):
    """A row of `trail_change`."""

    seq: int
    transaction_id: int
    subject: str
    row_id: str
    before: str | None
    after: str | None


class TrailEntryRow(TypedDict):
    """A row of `trail_entry`."""

    number: int
    recorded_at: int
    actor: str
    key_id: str | None
    session_id: str | None
    address: str
    command: str
    command_id: str | None
    arguments: str
    changes: str
    previous_hash: str
    hash: str
