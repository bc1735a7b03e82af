"""The tables of commerce: channels, listings and their levels, orders."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from hub.model.columns import instant, integer, own_id, to, where, words


class Channel(SQLModel, table=True):
    """One account at a marketplace, a POS or a manufacturer."""

    id: str = own_id()
    code: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    connector: str = Field(max_length=64)
    settings: str = words(nullable=False)  # encrypted: it holds credentials
    capabilities: str = words(nullable=False)  # JSON list
    manufacturer_id: str | None = to("manufacturer", nullable=True)
    client_id: str | None = to("client", nullable=True)  # sells this client's goods only
    safety_buffer: int = Field(default=0)  # units kept back from this channel
    site_ids: str | None = words()  # JSON list: only units at these sites count; None: at all
    state: str = Field(default="active", max_length=20)
    paused_reason: str | None = Field(default=None, max_length=300)
    waits_until: int = integer()  # asked to slow down until then
    created_at: int = instant()


class Listing(SQLModel, table=True):
    """The binding of one of our SKUs to a channel's own references."""

    __table_args__ = (
        UniqueConstraint("channel_id", "sku"),
        UniqueConstraint("channel_id", "product_id"),
    )

    id: str = own_id()
    channel_id: str = to("channel")
    product_id: str = to("product", index=True)
    sku: str = Field(max_length=100)  # as the channel writes it
    remote: str = words(nullable=False)  # JSON, read by the connector only
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
    )

    listing_id: str = Field(
        sa_column=Column(String(36), ForeignKey("listing.id"), primary_key=True)
    )
    channel_id: str = to("channel")
    product_id: str = to("product")
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


class Order(SQLModel, table=True):
    """A canonical order: a channel's, or one of our own counter's. Holds no personal data."""

    __tablename__ = "sales_order"
    __table_args__ = (
        UniqueConstraint("channel_id", "ref"),
        Index("sales_order_placed", "placed_at"),
    )

    id: str = own_id()
    channel_id: str = to("channel")
    ref: str = Field(max_length=200)
    number: str = Field(max_length=100, index=True)
    state: str = Field(max_length=20)
    remote_state: str = Field(max_length=100)
    at_counter: bool = Field(default=False)
    customer_ref: str | None = Field(default=None, max_length=200)
    placed_at: int = instant()
    remote_updated_at: int = instant()
    recorded_at: int = instant()
    tags: str = words(nullable=False, default="[]")  # JSON list of ours: express …
    promised_on: str | None = Field(default=None, max_length=10)  # ISO day: it is to leave by then


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
