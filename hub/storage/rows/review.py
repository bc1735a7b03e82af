"""Rows of the tables that people look at: warranties, cases, reconciliation, API keys."""

from typing import TypedDict


class CaseRow(TypedDict):
    """A row of `exception_case`."""

    id: str
    kind: str
    subject: str
    channel_id: str | None
    channel_key: str
    severity: str
    state: str
    summary: str
    details: str
    owner: str | None
    resolution: str | None
    occurrences: int
    opened_at: int
    newest_at: int
    resolved_at: int | None
    resolved_by: str | None


class CaseEventRow(TypedDict):
    """A row of `case_event`."""

    id: str
    case_id: str
    action: str
    actor: str
    rule: str | None
    state: str
    severity: str
    owner: str | None
    occurrences: int
    remark: str | None
    happened_at: int


class CaseOwnerRow(TypedDict):
    """A row of `case_owner`."""

    id: str
    kind: str
    owner: str
    changed_by: str
    changed_at: int


class CaseRuleRow(TypedDict):
    """A row of `case_rule`."""

    id: str
    code: str
    name: str
    rank: int
    conditions: str
    action: str
    parameters: str
    changed_by: str
    changed_at: int


class DeviceRecordRow(TypedDict):
    """A row of `device_record`."""

    identifier: str
    channel_id: str
    facts: str | None
    observed_at: int
    stale_at: int


class ObservedOrderRow(TypedDict):
    """A row of `observed_order`."""

    channel_id: str
    scope: str
    ref: str
    run_id: str
    seen_at: int
    gone_since: int | None
    serials: str | None
    suspect: bool


class QualityMarkRow(TypedDict):
    """A row of `quality_mark`."""

    id: str
    name: str
    value: str
    moved_at: int


class ReconciliationDifferenceRow(TypedDict):
    """A row of `reconciliation_difference`."""

    id: str
    run_id: str
    last_run_id: str
    channel_id: str
    scope: str
    kind: str
    about: str
    subject: str
    listing_id: str | None
    product_id: str | None
    unit_id: str | None
    order_id: str | None
    ledger_claim: str
    remote_claim: str
    surplus: int | None
    cause: str
    evidence: str
    proofs: str
    severity: str
    fix: str
    state: str
    live: bool
    times: int
    first_seen_at: int
    found_at: int
    last_seen_at: int
    sent_at: int | None
    heal_attempts: int
    repeats: int
    heal_error: str | None
    healed_at: int | None
    closed_at: int | None
    closed_run_id: str | None
    previous_id: str | None
    resolved_by: str | None
    fix_rule: str | None
    resolution: str | None
    case_id: str | None


class ReconciliationRunRow(TypedDict):
    """A row of `reconciliation_run`."""

    id: str
    channel_id: str
    scope: str
    state: str
    trigger: str
    compared: int
    matched: int
    in_flight: int
    not_kept: int
    explained: int
    differences: int
    not_compared: int
    skipped: str
    healed: int
    closed: int
    error: str | None
    window_from: int | None
    window_until: int | None
    started_at: int
    finished_at: int | None
    asked: str | None
    lease_until: int
    fence: int
    resumes: int
    resumed_at: int | None


class ReconciliationMarkRow(TypedDict):
    """A row of `reconciliation_mark`."""

    run_id: str
    about: str


class ReconciliationScheduleRow(TypedDict):
    """A row of `reconciliation_schedule`."""

    channel_id: str
    scope: str
    every_seconds: int
    jitter_seconds: int
    blackouts: str
    changed_by: str
    changed_at: int


class ReconciliationPromiseRow(TypedDict):
    """A row of `reconciliation_promise`."""

    channel_id: str
    measure: str
    promised: int
    broken_since: int | None
    changed_by: str
    changed_at: int


class ReconciliationFindingRow(TypedDict):
    """A row of `reconciliation_finding`."""

    run_id: str
    difference_id: str


class ObservedListingRow(TypedDict):
    """A row of `observed_listing`."""

    channel_id: str
    about: str
    sku: str
    title: str
    remote: str
    quantity: int
    run_id: str
    seen_at: int
    suspect: bool
    unbound: bool


class WarrantyRecordRow(TypedDict):
    """A row of `warranty_record`."""

    unit_id: str
    channel_id: str
    status: str
    registered: bool
    starts_on: str | None
    ends_on: str | None
    latest_ends_on: str | None
    coverages: str
    observed_at: int
    stale_at: int
