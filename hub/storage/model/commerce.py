"""The tables of commerce: channels, listings and their levels, orders."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import instant, integer, own_id, to, where, words


class Channel(SQLModel, table=True):
    """One account at a marketplace, a POS or a manufacturer."""

    id: str = own_id()
    code: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    connector: str = Field(max_length=64)
    settings: str = words(nullable=False)  # encrypted: it holds credentials
    capabilities: str = words(nullable=False)  # JSON list
    account: str = words(nullable=False, default="[]")  # JSON list: the parts that it serves
    shares_account: bool = Field(default=False)  # with other channels, as a person stated
    manufacturer_id: str | None = to("manufacturer", nullable=True)
    client_id: str | None = to("client", nullable=True)  # sells this client's goods only
    safety_buffer: int = Field(default=0)  # units kept back from this channel
    # What happens when it sold more than there is: back_order, alternative, cancel.
    oversell: str = Field(default="back_order", max_length=20)
    unpaid_promise_hours: int | None = Field(default=None)  # None: the promise has no end
    # What becomes of an order that the channel no longer has: cancel, ask.
    gone_orders: str = Field(default="cancel", max_length=20)
    gone_order_minutes: int = Field(default=0)  # between the looks that prove that it is gone
    serves_test_orders: bool = Field(default=False)
    site_ids: str | None = words()  # JSON list: only units at these sites count; None: at all
    policy: str | None = words()  # JSON: the other points of its availability policy
    mappings: str | None = words()  # JSON: what its words mean here, by kind
    state: str = Field(default="active", max_length=20)
    paused_reason: str | None = Field(default=None, max_length=300)
    waits_until: int = integer()  # asked to slow down until then
    created_at: int = instant()


class Listing(SQLModel, table=True):
    """The binding of one of our SKUs, or of one unit, to a channel's own references.

    A product has one listing on a channel, and copies of it where the channel lists it several
    times.
    """

    __table_args__ = (
        Index("listing_of_sku", "channel_id", "sku", unique=True, **where("copy_of IS NULL")),
        Index(
            "listing_of_product",
            "channel_id",
            "product_id",
            unique=True,
            **where("unit_id IS NULL AND copy_of IS NULL"),
        ),
        Index(
            "listing_of_unit", "unit_id", "channel_id", unique=True, **where("unit_id IS NOT NULL")
        ),
        Index("listing_of_reference", "channel_id", "reference"),
        Index("listing_copy", "copy_of", **where("copy_of IS NOT NULL")),
    )

    id: str = own_id()
    channel_id: str = to("channel")
    product_id: str = to("product", index=True)
    unit_id: str | None = Field(default=None, max_length=36)  # it sells exactly this unit
    sku: str = Field(max_length=100)  # as the channel writes it
    remote: str = words(nullable=False)  # JSON, read by the connector only
    # The channel's own reference as one text, as the channel showed it last; empty: never seen.
    reference: str = Field(default="", max_length=200)
    copy_of: str | None = Field(default=None, max_length=36)  # the listing that it repeats
    policy: str | None = words()  # JSON: where its availability differs from its channel's
    created_at: int = instant()


class ListingLevel(SQLModel, table=True):
    """The quantity that a listing is to show: a desired state and its own work queue.

    Work is to do while `wanted_version > done_version`. The value is read from the ledger when it
    is sent, so ten changes make one call and a late repeat can not overwrite a newer figure.
    """

    __tablename__ = "listing_level"
    __table_args__ = (
        Index(
            "listing_level_due",
            "channel_id",
            "urgency",
            "due_at",
            **where("wanted_version > done_version"),
        ),
        Index("listing_level_of_product", "product_id"),
        Index("listing_level_of_unit", "unit_id", **where("unit_id IS NOT NULL")),
    )

    listing_id: str = Field(
        sa_column=Column(String(36), ForeignKey("listing.id"), primary_key=True)
    )
    channel_id: str = to("channel")
    product_id: str = to("product")
    unit_id: str | None = Field(default=None, max_length=36)  # as its listing has it
    parts: int = integer(1)  # listings among which its figure is divided; 0: it shows 0
    part: int = integer()  # which of them it is, counted from 0
    wanted_version: int = integer(1)
    wanted_at: int = integer()  # when the oldest change that is not yet told was made
    done_version: int = integer()
    acknowledged: int | None = Field(default=None)  # what the channel last accepted
    acknowledged_at: int | None = instant(nullable=True)
    observed: int | None = Field(default=None)  # what the channel was last seen to show
    observed_at: int | None = instant(nullable=True)
    urgency: int = integer()  # 0: sold out, told first; 1: any other change
    observations: int = integer()  # counts what was seen, so that keys derive from it
    due_at: int = integer()
    lease_until: int = integer()
    fence: int = integer()
    attempts: int = integer()
    state: str = Field(default="live", max_length=20)  # live, dead
    last_error: str | None = words()
    job: str | None = Field(default=None, max_length=500)  # in which the channel processes it
    job_version: int = integer()  # the version and the figure that the job sets
    job_quantity: int | None = Field(default=None)
    job_at: int | None = instant(nullable=True)


class Order(SQLModel, table=True):
    """A canonical order: a channel's, or one of our own counter's. Holds no personal data."""

    __tablename__ = "sales_order"
    __table_args__ = (
        UniqueConstraint("channel_id", "ref"),
        Index("sales_order_placed", "placed_at"),
        Index("sales_order_origin", "origin_ref", **where("origin_ref IS NOT NULL")),
        Index("sales_order_customer", "customer_ref", **where("customer_ref IS NOT NULL")),
    )

    id: str = own_id()
    channel_id: str = to("channel")
    ref: str = Field(max_length=200)
    number: str = Field(max_length=100, index=True)
    state: str = Field(max_length=20)
    remote_state: str = Field(max_length=100)
    payment_state: str = Field(default="", max_length=100)
    shipment_state: str = Field(default="", max_length=100)
    at_counter: bool = Field(default=False)
    customer_ref: str | None = Field(default=None, max_length=200)
    staff_ref: str | None = Field(default=None, max_length=200)  # who sold it at the counter
    placed_at: int = instant()
    remote_updated_at: int = instant()
    recorded_at: int = instant()
    tags: str = words(nullable=False, default="[]")  # JSON list of ours: express …
    promised_on: str | None = Field(default=None, max_length=10)  # ISO day: it is to leave by then
    remote_done: bool = Field(default=False)  # fulfilled, says the channel
    handed_over: bool = Field(default=False)  # at the counter: its units have left already
    # The channel's word for where it came from: an import from another channel.
    origin_ref: str | None = Field(default=None, max_length=200)
    # The order of another channel that it seems to repeat, and what was decided about it:
    # suspected, same, different.
    same_as: str | None = Field(default=None, max_length=36)
    same_verdict: str | None = Field(default=None, max_length=20)
    hold: str | None = Field(default=None, max_length=30)  # why nothing may leave
    # A person lets this hold pass: another hold stops the order again.
    hold_override: str | None = Field(default=None, max_length=30)
    hold_override_reason: str | None = Field(default=None, max_length=200)
    hold_override_by: str | None = Field(default=None, max_length=100)
    hold_override_at: int | None = instant(nullable=True)
    is_test: bool = Field(default=False)
    promises_ended_at: int | None = instant(nullable=True)  # it stayed unpaid for too long
    promises_from: int | None = instant(nullable=True)  # a person allocated it again
    currency: str | None = Field(default=None, max_length=3)
    # Exact decimals as text: no database rounds them.
    total: str | None = Field(default=None, max_length=40)
    discount: str | None = Field(default=None, max_length=40)
    tax: str | None = Field(default=None, max_length=40)
    shipping: str | None = Field(default=None, max_length=40)
    refunded: str | None = Field(default=None, max_length=40)
    tax_included: bool | None = Field(default=None)
    ship_by: int | None = instant(nullable=True)  # promised by the channel to the buyer
    deliver_by: int | None = instant(nullable=True)
    is_gift: bool = Field(default=False)
    has_note: bool = Field(default=False)
    location_ref: str | None = Field(default=None, max_length=200)


class Checkout(SQLModel, table=True):
    """What a shop's order has beside the order: who checked it out, its public token, its address.

    The token is stored as its digest; the address is sealed, and gone once its person is erased.
    """

    order_id: str = Field(
        sa_column=Column(String(36), ForeignKey("sales_order.id"), primary_key=True)
    )
    owner: str = Field(max_length=36)  # the API key
    cart: str = Field(max_length=200)
    token_digest: str = Field(unique=True, max_length=64)
    address: str | None = words()
    created_at: int = instant()


class OrderLine(SQLModel, table=True):
    """One line of an order; its units are bound by their promises."""

    __tablename__ = "order_line"
    __table_args__ = (UniqueConstraint("order_id", "ref"),)

    id: str = own_id()
    order_id: str = to("sales_order")
    ref: str = Field(max_length=200)
    sku: str = Field(max_length=100)
    title: str = Field(default="", max_length=300)
    product_id: str | None = to("product", nullable=True, index=True)
    quantity: int = Field(default=0)
    remote_fulfilled: int = Field(default=0)
    serials: str = words(nullable=False, default="[]")  # JSON list: named by the channel
    unit_id: str | None = Field(default=None, max_length=36)  # its listing sells this unit only
    kind: str = Field(default="goods", max_length=20)
    withheld: int = integer()  # units that a person took off it: allocated again by a person only
    # Exact decimals as text, in the order's currency.
    unit_price: str | None = Field(default=None, max_length=40)
    discount: str | None = Field(default=None, max_length=40)
    tax: str | None = Field(default=None, max_length=40)


class LineReturn(SQLModel, table=True):
    """A unit that had left on an order line came back; kept when the unit forgets its line."""

    __tablename__ = "line_return"

    order_line_id: str = Field(
        sa_column=Column(String(36), ForeignKey("order_line.id"), primary_key=True)
    )
    unit_id: str = Field(sa_column=Column(String(36), ForeignKey("unit.id"), primary_key=True))
    returned_at: int = instant()
    times: int = integer(1)  # a unit may leave again on the line that it came back from


class Substitution(SQLModel, table=True):
    """An order line may be served with another product: decided once, kept for good."""

    __tablename__ = "substitution"

    order_line_id: str = Field(
        sa_column=Column(String(36), ForeignKey("order_line.id"), primary_key=True)
    )
    product_id: str = Field(
        sa_column=Column(String(36), ForeignKey("product.id"), primary_key=True)
    )
    decided_by: str = Field(max_length=100)
    decided_at: int = instant()


class ProductAlternative(SQLModel, table=True):
    """A product that may be sent in the place of another; the smallest rank is tried first."""

    __tablename__ = "product_alternative"

    product_id: str = Field(
        sa_column=Column(String(36), ForeignKey("product.id"), primary_key=True)
    )
    alternative_id: str = Field(
        sa_column=Column(String(36), ForeignKey("product.id"), primary_key=True)
    )
    rank: int = integer()


class ChannelReturn(SQLModel, table=True):
    """A return or a refund as its channel states it; what of it is on its way, is awaited."""

    __tablename__ = "channel_return"
    __table_args__ = (
        UniqueConstraint("channel_id", "ref"),
        Index("channel_return_of_ref", "channel_id", "order_ref"),
    )

    id: str = own_id()
    channel_id: str = to("channel")
    ref: str = Field(max_length=200)
    order_ref: str = Field(max_length=200)
    order_id: str | None = to("sales_order", nullable=True, index=True)
    state: str = Field(max_length=20)  # requested, open, closed, cancelled
    remote_state: str = Field(max_length=100)
    refund_ref: str | None = Field(default=None, max_length=200)
    refunded_at: int | None = instant(nullable=True)
    exchange_order_ref: str | None = Field(default=None, max_length=200)
    exchange_line_refs: str = words(nullable=False, default="[]")  # JSON list
    remote_updated_at: int = instant()
    recorded_at: int = instant()


class ChannelReturnLine(SQLModel, table=True):
    """What of one order line comes back, is refunded, or both."""

    __tablename__ = "channel_return_line"
    __table_args__ = (Index("channel_return_line_of", "return_id", "order_line_ref"),)

    id: str = own_id()
    return_id: str = to("channel_return")
    order_line_ref: str = Field(max_length=200)
    quantity: int = integer()
    comes_back: bool = Field(default=True)  # False: the customer keeps it
    arrived: int = integer()  # so many are back, says the channel
    refunded: int = integer()
    taken_off: int = integer()  # the order's line was lowered by so many
    restock: bool = Field(default=False)  # the channel counts it as stock again
    reason: str = Field(default="", max_length=200)
    serials: str = words(nullable=False, default="[]")  # JSON list
