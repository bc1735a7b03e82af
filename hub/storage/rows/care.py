"""Rows of the tables about what follows a sale: returns, claims, cover, costs, people."""

from typing import TypedDict


class ClientRow(TypedDict):
    """A row of `client`."""

    id: str
    code: str
    name: str
    created_at: int


class DecisionRuleRow(TypedDict):
    """A row of `decision_rule`."""

    id: str
    topic: str
    code: str
    name: str
    rank: int
    conditions: str
    outcome: str
    changed_by: str
    changed_at: int


class EntitlementRow(TypedDict):
    """A row of `entitlement`."""

    id: str
    unit_id: str
    kind: str
    reference: str
    provider: str | None
    starts_on: str | None
    ends_on: str | None
    granted_at: int
    revoked_at: int | None


class KitMembershipRow(TypedDict):
    """A row of `kit_membership`."""

    id: str
    parent_id: str
    child_id: str
    role: str
    joined_at: int
    left_at: int | None


class PersonRow(TypedDict):
    """A row of `person`."""

    ref: str
    contact: str | None
    changed_at: int
    erased_at: int | None
    erased_by: str | None
    erased_because: str | None


class ReturnCaseRow(TypedDict):
    """A row of `return_case`."""

    id: str
    identifier: str
    unit_id: str | None
    order_id: str | None
    customer_ref: str | None
    location_id: str
    reason: str
    decision: str
    rule: str
    evidence: str
    state: str
    route: str | None
    route_rule: str | None
    refund_ref: str | None
    replacement_id: str | None
    decided_by: str
    decided_at: int
    received_at: int | None
    refunded_at: int | None
    closed_at: int | None


class RefundRequestRow(TypedDict):
    """A row of `refund_request`."""

    id: str
    order_id: str
    return_id: str | None
    state: str
    amount: str
    currency: str
    refunded_before: str | None
    lines: str
    reason: str
    refund_ref: str | None
    error: str | None
    requested_by: str
    requested_at: int
    settled_at: int | None


class SensorReadingRow(TypedDict):
    """A row of `sensor_reading`."""

    id: str
    unit_id: str
    type: str
    value: float
    unit_of_measure: str
    device: str | None
    measured_at: int
    recorded_at: int


class UnitCostRow(TypedDict):
    """A row of `unit_cost`."""

    id: str
    unit_id: str
    kind: str
    amount: int
    takes_back: str | None
    currency: str
    document_type: str | None
    document_ref: str | None
    actor: str
    occurred_at: int
    recorded_at: int


class WarrantyClaimRow(TypedDict):
    """A row of `warranty_claim`."""

    id: str
    unit_id: str
    customer_ref: str | None
    fault: str
    state: str
    decision: str | None
    rule: str | None
    evidence: str
    replacement_id: str | None
    disputes: int
    opened_by: str
    opened_at: int
    decided_at: int | None
    closed_at: int | None
