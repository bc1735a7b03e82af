"""Rows of the tables of the ledger: catalogue, units, events, holds, commands, checkpoints."""

from typing import TypedDict


class CheckpointRow(TypedDict):
    """A row of `checkpoint`."""

    id: str
    number: int
    events: int
    root: str
    previous_hash: str
    hash: str
    signature: str
    public_key: str
    through_transaction: int
    through_seq: int
    made_at: int


class CommandRow(TypedDict):
    """A row of `command`."""

    id: str
    scope: str
    key: str
    digest: str
    answer: bytes
    recorded_at: int


class EventRow(TypedDict):
    """A row of `event`."""

    seq: int
    id: str
    unit_id: str
    version: int
    action: str
    biz_step: str
    status_from: str | None
    status: str
    disposition_from: str | None
    disposition: str
    location_from: str | None
    location_to: str
    document_type: str | None
    document_ref: str | None
    reason: str | None
    actor: str
    captured_by: str
    command_id: str
    corrects: str | None
    details: str | None
    occurred_at: int
    recorded_at: int
    previous_hash: str
    hash: str
    transaction_id: int


class HoldRow(TypedDict):
    """A row of `hold`."""

    id: str
    unit_id: str
    kind: str
    reference: str | None
    order_line_id: str | None
    owner: str | None
    reason: str | None
    placed_by: str
    placed_at: int
    expires_at: int | None
    released_at: int | None


class IdentifierRow(TypedDict):
    """A row of `identifier`."""

    id: str
    unit_id: str
    scheme: str
    space: str
    value: str
    canonical: str
    created_at: int


class LocationRow(TypedDict):
    """A row of `location`."""

    id: str
    code: str
    name: str
    kind: str
    site_id: str
    time_zone: str | None
    created_at: int


class ManufacturerRow(TypedDict):
    """A row of `manufacturer`."""

    id: str
    code: str
    name: str
    serial_pattern: str | None
    serial_period: str | None
    created_at: int


class ProductRow(TypedDict):
    """A row of `product`."""

    id: str
    sku: str
    name: str
    manufacturer_id: str
    gtin: str | None
    model_number: str | None
    serial_pattern: str | None
    serial_case: str
    category: str | None
    value: int | None
    currency: str | None
    traits: str
    warranty_months: int
    warranty_start: str
    replacement_cover: str
    return_days: int
    picking: str
    tracked_since: int | None
    tracking: str
    capture_points: str
    created_at: int


class UnitRow(TypedDict):
    """A row of `unit`."""

    id: str
    product_id: str
    manufacturer_id: str
    serial: str
    serial_canonical: str
    serial_exact: str
    version: int
    status: str
    disposition: str
    location_id: str
    promised_to: str | None
    promised_until: int | None
    order_line_id: str | None
    blocks: int
    grade: str | None
    condition: str
    origin: str
    delivery_id: str | None
    delivery_line_id: str | None
    supplier: str | None
    purchase_order: str | None
    client_id: str | None
    client_since: int | None
    kit_id: str | None
    members: int
    merged_into: str | None
    skeleton: str
    lot: str | None
    produced_on: str | None
    expires_on: str | None
    received_at: int | None
    sold_at: int | None
    changed_at: int
    hash: str


class UnitFieldRow(TypedDict):
    """A row of `unit_field`."""

    id: str
    unit_id: str
    name: str
    value: str
    changed_at: int
