"""Rows of the tables of commerce: channels, listings and their levels, orders."""

from typing import TypedDict


class ChannelRow(TypedDict):
    """A row of `channel`."""

    id: str
    code: str
    name: str
    connector: str
    settings: str
    capabilities: str
    account: str
    shares_account: bool
    manufacturer_id: str | None
    client_id: str | None
    safety_buffer: int
    oversell: str
    unpaid_promise_hours: int | None
    gone_orders: str
    gone_order_minutes: int
    serves_test_orders: bool
    site_ids: str | None
    policy: str | None
    mappings: str | None
    state: str
    paused_reason: str | None
    waits_until: int
    created_at: int


class ChannelReturnRow(TypedDict):
    """A row of `channel_return`."""

    id: str
    channel_id: str
    ref: str
    order_ref: str
    order_id: str | None
    state: str
    remote_state: str
    refund_ref: str | None
    refunded_at: int | None
    exchange_order_ref: str | None
    exchange_line_refs: str
    remote_updated_at: int
    recorded_at: int


class ChannelReturnLineRow(TypedDict):
    """A row of `channel_return_line`."""

    id: str
    return_id: str
    order_line_ref: str
    quantity: int
    comes_back: bool
    arrived: int
    refunded: int
    taken_off: int
    restock: bool
    reason: str
    serials: str


class LineReturnRow(TypedDict):
    """A row of `line_return`."""

    order_line_id: str
    unit_id: str
    returned_at: int
    times: int


class ListingRow(TypedDict):
    """A row of `listing`."""

    id: str
    channel_id: str
    product_id: str
    unit_id: str | None
    sku: str
    remote: str
    reference: str
    copy_of: str | None
    policy: str | None
    created_at: int


class ListingLevelRow(TypedDict):
    """A row of `listing_level`."""

    listing_id: str
    channel_id: str
    product_id: str
    unit_id: str | None
    parts: int
    part: int
    wanted_version: int
    wanted_at: int
    done_version: int
    acknowledged: int | None
    acknowledged_at: int | None
    observed: int | None
    observed_at: int | None
    urgency: int
    observations: int
    due_at: int
    lease_until: int
    fence: int
    attempts: int
    state: str
    last_error: str | None
    job: str | None
    job_version: int
    job_quantity: int | None
    job_at: int | None


class OrderRow(TypedDict):
    """A row of `sales_order`."""

    id: str
    channel_id: str
    ref: str
    number: str
    state: str
    remote_state: str
    payment_state: str
    shipment_state: str
    at_counter: bool
    customer_ref: str | None
    staff_ref: str | None
    placed_at: int
    remote_updated_at: int
    recorded_at: int
    tags: str
    promised_on: str | None
    remote_done: bool
    handed_over: bool
    origin_ref: str | None
    same_as: str | None
    same_verdict: str | None
    hold: str | None
    hold_override: str | None
    hold_override_reason: str | None
    hold_override_by: str | None
    hold_override_at: int | None
    is_test: bool
    promises_ended_at: int | None
    promises_from: int | None
    currency: str | None
    total: str | None
    discount: str | None
    tax: str | None
    shipping: str | None
    refunded: str | None
    tax_included: bool | None
    ship_by: int | None
    deliver_by: int | None
    is_gift: bool
    has_note: bool
    location_ref: str | None


class OrderLineRow(TypedDict):
    """A row of `order_line`."""

    id: str
    order_id: str
    ref: str
    sku: str
    title: str
    product_id: str | None
    quantity: int
    remote_fulfilled: int
    serials: str
    unit_id: str | None
    kind: str
    withheld: int
    unit_price: str | None
    discount: str | None
    tax: str | None


class ProductAlternativeRow(TypedDict):
    """A row of `product_alternative`."""

    product_id: str
    alternative_id: str
    rank: int


class CheckoutRow(TypedDict):
    """A row of `checkout`."""

    order_id: str
    owner: str
    cart: str
    token_digest: str
    address: str | None
    created_at: int


class SubstitutionRow(TypedDict):
    """A row of `substitution`."""

    order_line_id: str
    product_id: str
    decided_by: str
    decided_at: int
