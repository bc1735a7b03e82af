"""Rows of the tables about arrivals: ship notices, import runs, unserialized stock."""

from typing import TypedDict


class DeliveryRow(TypedDict):
    """A row of `delivery`."""

    id: str
    ref: str
    purchase_order: str | None
    supplier: str
    state: str
    expected_on: str | None
    created_at: int
    closed_at: int | None


class DeliveryLineRow(TypedDict):
    """A row of `delivery_line`."""

    id: str
    delivery_id: str
    ref: str
    product_id: str
    quantity: int
    lot: str | None


class ImportRowRow(TypedDict):
    """A row of `import_row`."""

    id: str
    run_id: str
    number: int
    serial: str
    unit_id: str | None
    code: str | None
    message: str | None
    warning: str | None


class ImportRunRow(TypedDict):
    """A row of `import_run`."""

    id: str
    name: str
    digest: str
    format: str
    dry_run: bool
    state: str
    total: int | None
    done: int
    accepted: int
    refused: int
    warned: int
    error: str | None
    started_by: str
    started_at: int
    finished_at: int | None


class UnserializedStockRow(TypedDict):
    """A row of `unserialized_stock`."""

    id: str
    product_id: str
    location_id: str
    quantity: int
    reason: str
    changed_at: int
