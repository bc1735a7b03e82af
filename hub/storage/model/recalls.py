"""The tables of recalls and of counts."""

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import instant, integer, own_id, to, where, words


class Recall(SQLModel, table=True):
    """A recall that lives: what its predicate describes is caught, today and when it arrives."""

    id: str = own_id()
    ref: str = Field(unique=True, max_length=100)
    title: str = Field(max_length=300)
    product_id: str | None = to("product", nullable=True, index=True)
    predicate: str = words(nullable=False)  # JSON
    instructions: str = words(nullable=False, default="")  # what customers are told
    # That tells customers of it, from the first telling on.
    channel_id: str | None = to("channel", nullable=True)
    state: str = Field(default="open", max_length=20)  # open, closed
    opened_by: str = Field(max_length=100)
    opened_at: int = instant()
    closed_by: str | None = Field(default=None, max_length=100)
    closed_at: int | None = instant(nullable=True)
    closed_because: str | None = Field(default=None, max_length=200)  # with units still open


class RecallUnit(SQLModel, table=True):
    """One unit under one recall, until nothing is left to do about it."""

    __tablename__ = "recall_unit"
    __table_args__ = (
        UniqueConstraint("recall_id", "unit_id"),
        Index("recall_unit_unit", "unit_id"),
        Index("recall_unit_customer", "recall_id", "customer_ref"),
    )

    id: str = own_id()
    recall_id: str = to("recall")
    unit_id: str = to("unit")
    why: str = Field(max_length=200)  # what of the predicate it fits
    status_when_caught: str = Field(max_length=20)
    channel_id: str | None = to("channel", nullable=True)  # that sold it
    customer_ref: str | None = Field(default=None, max_length=200)
    order_id: str | None = to("sales_order", nullable=True)
    caught_at: int = instant()
    returned_at: int | None = instant(nullable=True)  # it came back
    resolution: str | None = Field(default=None, max_length=20)  # returned, repaired, replaced …
    resolved_by: str | None = Field(default=None, max_length=100)
    resolved_at: int | None = instant(nullable=True)


class Notice(SQLModel, table=True):
    """One message to one customer about one recall, with what became of it."""

    __table_args__ = (
        UniqueConstraint("recall_id", "customer_ref"),
        Index("notice_state", "recall_id", "state"),
        Index("notice_reference", "channel_id", "remote_ref"),
    )

    id: str = own_id()
    recall_id: str = to("recall")
    customer_ref: str = Field(max_length=200)
    channel_id: str | None = to("channel", nullable=True)  # that carries it
    state: str = Field(max_length=20)  # waiting, unreachable, sent, delivered, failed, answered
    remote_ref: str | None = Field(default=None, max_length=200)
    detail: str | None = words()
    created_at: int = instant()
    sent_at: int | None = instant(nullable=True)
    told_at: int | None = instant(nullable=True)  # of when the newest receipt speaks
    delivered_at: int | None = instant(nullable=True)


class StockCount(SQLModel, table=True):
    """A count by serial of a place, of a product, or of both; several people may count at once."""

    __tablename__ = "stock_count"

    id: str = own_id()
    ref: str = Field(unique=True, max_length=100)
    location_id: str = to("location", index=True)
    product_id: str | None = to("product", nullable=True)
    category: str | None = Field(default=None, max_length=60)  # only products of this one
    # Only products that are worth at least this.
    value_from: int | None = Field(sa_column=Column(BigInteger), default=None)
    blind: bool = Field(default=False)  # the counters do not see what is expected
    state: str = Field(default="open", max_length=20)  # open, compared, closed, cancelled
    opened_by: str = Field(max_length=100)
    opened_at: int = instant()
    compared_at: int | None = instant(nullable=True)
    closed_at: int | None = instant(nullable=True)


class CountScan(SQLModel, table=True):
    """What one counter read at one place; the same unit read twice at one place is one."""

    __tablename__ = "count_scan"
    __table_args__ = (UniqueConstraint("count_id", "subject", "location_id"),)

    id: str = own_id()
    count_id: str = to("stock_count")
    subject: str = Field(max_length=200)  # the unit's id; else the canonical form of what was read
    identifier: str = Field(max_length=200)
    unit_id: str | None = to("unit", nullable=True)
    # That was read beside a serial which no unit bears.
    product_id: str | None = to("product", nullable=True)
    location_id: str = to("location")
    counter: str = Field(max_length=100)
    captured_by: str = Field(max_length=20)
    reads: int = integer(1)
    scanned_at: int = instant()


class CountResult(SQLModel, table=True):
    """What a count found about one unit, and what was done about it."""

    __tablename__ = "count_result"
    __table_args__ = (
        UniqueConstraint("count_id", "subject"),
        Index("count_result_kind", "count_id", "kind"),
        Index("count_result_open", "count_id", **where("kind <> 'confirmed' AND state = 'open'")),
    )

    id: str = own_id()
    count_id: str = to("stock_count")
    subject: str = Field(max_length=200)
    identifier: str = Field(max_length=200)
    unit_id: str | None = to("unit", nullable=True)
    kind: str = Field(max_length=20)  # confirmed, missing, unexpected, misplaced
    expected_at: str | None = Field(default=None, max_length=36)  # locations
    found_at: str | None = Field(default=None, max_length=36)
    evidence: str = words(nullable=False, default="{}")  # JSON: last seen when, where, by whom
    state: str = Field(default="open", max_length=20)  # open, adjusted, left
    reason: str | None = Field(default=None, max_length=200)
    resolved_by: str | None = Field(default=None, max_length=100)
    resolved_at: int | None = instant(nullable=True)
