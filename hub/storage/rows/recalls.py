"""Rows of the tables of recalls and of counts."""

from typing import TypedDict


class CountResultRow(TypedDict):
    """A row of `count_result`."""

    id: str
    count_id: str
    subject: str
    identifier: str
    unit_id: str | None
    kind: str
    expected_at: str | None
    found_at: str | None
    evidence: str
    state: str
    reason: str | None
    resolved_by: str | None
    resolved_at: int | None


class CountScanRow(TypedDict):
    """A row of `count_scan`."""

    id: str
    count_id: str
    subject: str
    identifier: str
    unit_id: str | None
    product_id: str | None
    location_id: str
    counter: str
    captured_by: str
    reads: int
    scanned_at: int


class NoticeRow(TypedDict):
    """A row of `notice`."""

    id: str
    recall_id: str
    customer_ref: str
    channel_id: str | None
    state: str
    remote_ref: str | None
    detail: str | None
    created_at: int
    sent_at: int | None
    told_at: int | None
    delivered_at: int | None


class RecallRow(TypedDict):
    """A row of `recall`."""

    id: str
    ref: str
    title: str
    product_id: str | None
    predicate: str
    instructions: str
    channel_id: str | None
    state: str
    opened_by: str
    opened_at: int
    closed_by: str | None
    closed_at: int | None
    closed_because: str | None


class RecallUnitRow(TypedDict):
    """A row of `recall_unit`."""

    id: str
    recall_id: str
    unit_id: str
    why: str
    status_when_caught: str
    channel_id: str | None
    customer_ref: str | None
    order_id: str | None
    caught_at: int
    returned_at: int | None
    resolution: str | None
    resolved_by: str | None
    resolved_at: int | None


class StockCountRow(TypedDict):
    """A row of `stock_count`."""

    id: str
    ref: str
    location_id: str
    product_id: str | None
    category: str | None
    value_from: int | None
    blind: bool
    state: str
    opened_by: str
    opened_at: int
    compared_at: int | None
    closed_at: int | None
