"""The tables. Rows of the ledger are never deleted; an event row is never changed.

Times are microseconds since 1970 in UTC, ids are UUIDv7 in text form, and what has no columns of
its own is JSON in a text column: the same on SQLite and on PostgreSQL. The classes define the
tables and their migrations; the hot path speaks SQL (`hub.sql`), because a session's unit of work
costs thirty times as much on the scan transaction.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DefaultClause,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlmodel import Field, SQLModel

metadata = SQLModel.metadata

# SQLite numbers rows by itself only where the column is a plain INTEGER PRIMARY KEY.
Sequence = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Any:
    return Field(primary_key=True, max_length=36)


def _to(table: str, *, nullable: bool = False, index: bool = False) -> Any:
    column: Column[str] = Column(
        String(36), ForeignKey(f"{table}.id"), nullable=nullable, index=index
    )
    return Field(sa_column=column, default=None)


def _time(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(BigInteger, nullable=nullable), default=None)


def _long(*, nullable: bool = True, default: str | None = None) -> Any:
    server = None if default is None else text(f"'{default}'")
    column: Column[str] = Column(Text, nullable=nullable, server_default=server)
    return Field(sa_column=column, default=default)


def _number(default: int = 0) -> Any:
    column: Column[int] = Column(BigInteger, nullable=False, server_default=text(str(default)))
    return Field(sa_column=column, default=default)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Manufacturer(SQLModel, table=True):
    """Who issues the serials."""

    id: str = _id()
    code: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    serial_pattern: str | None = Field(default=None, max_length=200)  # a regular expression
    created_at: int = _time()


class Product(SQLModel, table=True):
    """What is sold: one SKU."""

    id: str = _id()
    sku: str = Field(unique=True, max_length=100)
    name: str = Field(max_length=300)
    manufacturer_id: str = _to("manufacturer", index=True)
    gtin: str | None = Field(default=None, unique=True, max_length=14)  # always 14 digits
    model_number: str | None = Field(default=None, max_length=100)  # the manufacturer's own
    warranty_months: int = Field(default=0)
    tracking: str = Field(default="serial", max_length=20)  # none, lot, serial, serial_lot
    capture_points: str = _long(
        nullable=False, default="[]"
    )  # JSON list of actions that need a scan
    created_at: int = _time()


class Location(SQLModel, table=True):
    """A place: a warehouse, a shop, a bin in one of them, or one of the two places outside."""

    id: str = _id()
    code: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    kind: str = Field(max_length=20)
    site_id: str = Field(max_length=36, index=True)  # the warehouse or shop that it belongs to
    created_at: int = _time()


class Channel(SQLModel, table=True):
    """One account at a marketplace, a POS or a manufacturer."""

    id: str = _id()
    code: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    connector: str = Field(max_length=64)
    settings: str = _long(nullable=False)  # encrypted: it holds credentials
    capabilities: str = _long(nullable=False)  # JSON list
    manufacturer_id: str | None = _to("manufacturer", nullable=True)
    safety_buffer: int = Field(default=0)  # units kept back from this channel
    site_ids: str | None = _long()  # JSON list: only units at these sites count; None: at all
    state: str = Field(default="active", max_length=20)
    paused_reason: str | None = Field(default=None, max_length=300)
    waits_until: int = _number()  # asked to slow down until then
    created_at: int = _time()


class Listing(SQLModel, table=True):
    """The binding of one of our SKUs to a channel's own references."""

    __table_args__ = (
        UniqueConstraint("channel_id", "sku"),
        UniqueConstraint("channel_id", "product_id"),
    )

    id: str = _id()
    channel_id: str = _to("channel")
    product_id: str = _to("product", index=True)
    sku: str = Field(max_length=100)  # as the channel writes it
    remote: str = _long(nullable=False)  # JSON, read by the connector only
    created_at: int = _time()


class ListingLevel(SQLModel, table=True):
    """The quantity that a listing is to show: a desired state and its own work queue.

    Work is to do while `wanted_version > done_version`. The value is read from the ledger when it
    is sent, so ten changes make one call and a late repeat can not overwrite a newer figure.
    """

    __tablename__ = "listing_level"
    __table_args__ = (
        Index(
            "listing_level_due", "channel_id", "due_at", **_where("wanted_version > done_version")
        ),
        Index("listing_level_of_product", "product_id"),
    )

    listing_id: str = Field(
        sa_column=Column(String(36), ForeignKey("listing.id"), primary_key=True)
    )
    channel_id: str = _to("channel")
    product_id: str = _to("product")
    wanted_version: int = _number(1)
    wanted_at: int = _number()  # when the oldest change that is not yet told was made
    done_version: int = _number()
    acknowledged: int | None = Field(default=None)  # what the channel last accepted
    acknowledged_at: int | None = _time(nullable=True)
    observed: int | None = Field(default=None)  # what the channel was last seen to show
    observed_at: int | None = _time(nullable=True)
    observations: int = _number()  # counts what was seen, so that keys derive from it
    due_at: int = _number()
    lease_until: int = _number()
    fence: int = _number()
    attempts: int = _number()
    state: str = Field(default="live", max_length=20)  # live, dead
    last_error: str | None = _long()


class Order(SQLModel, table=True):
    """A canonical order: a channel's, or one of our own counter's. Holds no personal data."""

    __tablename__ = "sales_order"
    __table_args__ = (
        UniqueConstraint("channel_id", "ref"),
        Index("sales_order_placed", "placed_at"),
    )

    id: str = _id()
    channel_id: str = _to("channel")
    ref: str = Field(max_length=200)
    number: str = Field(max_length=100, index=True)
    state: str = Field(max_length=20)
    remote_state: str = Field(max_length=100)
    at_counter: bool = Field(default=False)
    customer_ref: str | None = Field(default=None, max_length=200)
    placed_at: int = _time()
    remote_updated_at: int = _time()
    recorded_at: int = _time()


class OrderLine(SQLModel, table=True):
    """One line of an order; its units are bound by their promises."""

    __tablename__ = "order_line"
    __table_args__ = (UniqueConstraint("order_id", "ref"),)

    id: str = _id()
    order_id: str = _to("sales_order")
    ref: str = Field(max_length=200)
    sku: str = Field(max_length=100)
    title: str = Field(default="", max_length=300)
    product_id: str | None = _to("product", nullable=True, index=True)
    quantity: int = Field(default=0)
    remote_fulfilled: int = Field(default=0)


class Unit(SQLModel, table=True):
    """One physical unit: the fold of its events, kept for reading.

    `version` and `hash` are those of its last event; only `hub.ledger` writes this table.
    """

    __table_args__ = (
        # Identity: database-held, so that no race can make two records of one unit.
        UniqueConstraint("serial_canonical", "manufacturer_id", "product_id"),
        Index(
            "unit_available",
            "product_id",
            "location_id",
            "received_at",
            **_where("status = 'in_stock' AND promised_to IS NULL AND blocks = 0"),
        ),
        Index("unit_promised", "promised_to", **_where("promised_to IS NOT NULL")),
        Index("unit_at", "location_id", "product_id"),
        Index("unit_serial", "serial"),
    )

    id: str = _id()
    product_id: str = _to("product", index=True)
    manufacturer_id: str = _to("manufacturer")
    serial: str = Field(max_length=100)  # verbatim
    serial_canonical: str = Field(max_length=100)
    version: int = _number()
    status: str = Field(max_length=20)
    disposition: str = Field(max_length=40)
    location_id: str = _to("location")
    promised_to: str | None = Field(default=None, max_length=36)  # hold of kind sale
    order_line_id: str | None = _to("order_line", nullable=True, index=True)
    blocks: int = Field(default=0)  # active holds that block
    grade: str | None = Field(default=None, max_length=20)
    # Look-alikes folded (0/O, 1/I/L …): finds a serial that would be taken for a known one.
    skeleton: str = Field(max_length=100, index=True)
    lot: str | None = Field(default=None, max_length=50, index=True)
    produced_on: str | None = Field(default=None, max_length=10)  # ISO days
    expires_on: str | None = Field(default=None, max_length=10)
    received_at: int | None = _time(nullable=True)
    sold_at: int | None = _time(nullable=True)
    changed_at: int = _time()
    hash: str = Field(max_length=64)


class Identifier(SQLModel, table=True):
    """A further name of a unit: IMEI, MAC, asset tag, a second serial."""

    __table_args__ = (
        UniqueConstraint("scheme", "canonical"),
        Index("identifier_canonical", "canonical"),
        Index("identifier_unit", "unit_id"),
    )

    id: str = _id()
    unit_id: str = _to("unit")
    scheme: str = Field(max_length=20)
    value: str = Field(max_length=100)
    canonical: str = Field(max_length=100)
    created_at: int = _time()


class UnitField(SQLModel, table=True):
    """A custom field of a unit."""

    __tablename__ = "unit_field"
    __table_args__ = (
        UniqueConstraint("unit_id", "name"),
        Index("unit_field_value", "name", "value"),
    )

    id: str = _id()
    unit_id: str = _to("unit")
    name: str = Field(max_length=60)
    value: str = Field(max_length=500)
    changed_at: int = _time()


class Event(SQLModel, table=True):
    """One thing that happened to one unit. Append-only; triggers refuse UPDATE and DELETE."""

    __table_args__ = (
        # Two writers that read the same unit can not both append.
        UniqueConstraint("unit_id", "version"),
        Index("event_feed", "transaction_id", "seq"),
        Index("event_document", "document_ref", **_where("document_ref IS NOT NULL")),
    )

    seq: int | None = Field(
        default=None, sa_column=Column(Sequence, primary_key=True, autoincrement=True)
    )
    id: str = Field(max_length=36, unique=True)
    unit_id: str = _to("unit")
    version: int = _number()
    action: str = Field(max_length=30)
    biz_step: str = Field(max_length=40)
    status_from: str | None = Field(default=None, max_length=20)
    status: str = Field(max_length=20)
    disposition_from: str | None = Field(default=None, max_length=40)
    disposition: str = Field(max_length=40)
    location_from: str | None = Field(default=None, max_length=36)
    location_to: str = Field(max_length=36)
    document_type: str | None = Field(default=None, max_length=40)
    document_ref: str | None = Field(default=None, max_length=200)
    reason: str | None = Field(default=None, max_length=200)
    actor: str = Field(max_length=100)
    captured_by: str = Field(max_length=20)
    command_id: str = Field(max_length=36)
    corrects: str | None = Field(default=None, max_length=36, index=True)  # the event in error
    details: str | None = _long()  # JSON
    occurred_at: int = _time()
    recorded_at: int = _time()
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    # PostgreSQL's transaction number: feeds follow commit order, not sequence order.
    transaction_id: int = Field(
        default=None, sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )


class Checkpoint(SQLModel, table=True):
    """A signature over all events since the checkpoint before, in the order of their commits."""

    id: str = _id()
    number: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True), default=None)
    events: int = _number()
    root: str = Field(max_length=64)  # of the Merkle tree of the events' hashes
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    signature: str = Field(max_length=100)
    public_key: str = Field(max_length=60)
    through_transaction: int = _number()
    through_seq: int = _number()
    made_at: int = _time()


class Hold(SQLModel, table=True):
    """A unit is promised (kind sale) or blocked (quality, recall, fraud)."""

    __table_args__ = (
        # No unit is sold twice: one active promise, and one active block of a kind, for a unit.
        Index("hold_active", "unit_id", "kind", unique=True, **_where("released_at IS NULL")),
        Index(
            "hold_expiring",
            "expires_at",
            **_where("released_at IS NULL AND expires_at IS NOT NULL"),
        ),
    )

    id: str = _id()
    unit_id: str = _to("unit")
    kind: str = Field(max_length=20)
    reference: str | None = Field(default=None, max_length=200)
    order_line_id: str | None = _to("order_line", nullable=True, index=True)
    reason: str | None = Field(default=None, max_length=300)
    placed_by: str = Field(max_length=100)
    placed_at: int = _time()
    expires_at: int | None = _time(nullable=True)
    released_at: int | None = _time(nullable=True)


class Command(SQLModel, table=True):
    """An idempotency key that was used, with the digest of its input and the first answer."""

    __table_args__ = (UniqueConstraint("scope", "key"),)

    id: str = _id()
    scope: str = Field(max_length=100)  # the API key that used it: keys of two users never meet
    key: str = Field(max_length=255)
    digest: str = Field(max_length=64)
    answer: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # JSON, compressed
    recorded_at: int = _time()


class Outbox(SQLModel, table=True):
    """A fact that a channel must be told, in order per subject, at least once."""

    __table_args__ = (
        UniqueConstraint("channel_id", "key"),
        Index(
            "outbox_due",
            "channel_id",
            "due_at",
            **_where("state IN ('waiting', 'leased')"),
        ),
        Index(
            "outbox_order",
            "channel_id",
            "subject",
            "seq",
            **_where("state IN ('waiting', 'leased')"),
        ),
    )

    seq: int | None = Field(
        default=None, sa_column=Column(Sequence, primary_key=True, autoincrement=True)
    )
    id: str = Field(max_length=36, unique=True)
    channel_id: str = _to("channel")
    topic: str = Field(max_length=40)
    subject: str = Field(max_length=200)
    key: str = Field(max_length=128)
    payload: str = _long(nullable=False)
    state: str = Field(default="waiting", max_length=20)  # waiting, leased, sent, dead
    due_at: int = _number()
    lease_until: int = _number()
    fence: int = _number()
    attempts: int = _number()
    last_error: str | None = _long()
    answer: str | None = _long()
    created_at: int = _time()
    settled_at: int | None = _time(nullable=True)


class Inbox(SQLModel, table=True):
    """What a channel told us, stored before it is understood."""

    __table_args__ = (
        UniqueConstraint("channel_id", "delivery"),
        Index("inbox_due", "due_at", **_where("state IN ('waiting', 'leased')")),
        Index("inbox_subject", "channel_id", "subject", **_where("subject IS NOT NULL")),
    )

    id: str = _id()
    channel_id: str = _to("channel")
    delivery: str = Field(max_length=300)
    source: str = Field(max_length=20)  # webhook, pull
    topic: str = Field(max_length=100)
    subject: str | None = Field(default=None, max_length=200)  # the order it was about
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(default="waiting", max_length=20)  # waiting, leased, done, dead
    due_at: int = _number()
    lease_until: int = _number()
    fence: int = _number()
    attempts: int = _number()
    last_error: str | None = _long()
    received_at: int = _time()
    settled_at: int | None = _time(nullable=True)


class Cursor(SQLModel, table=True):
    """How far a stream of a channel was read; moves only with the page that it stands for."""

    __table_args__ = (UniqueConstraint("channel_id", "stream"),)

    id: str = _id()
    channel_id: str = _to("channel")
    stream: str = Field(max_length=40)
    value: str = _long(nullable=False)
    moved_at: int = _time()


class WarrantyRecord(SQLModel, table=True):
    """What the manufacturer said about a unit, with source and age; and what it was told."""

    __tablename__ = "warranty_record"

    unit_id: str = Field(sa_column=Column(String(36), ForeignKey("unit.id"), primary_key=True))
    channel_id: str = _to("channel", index=True)
    status: str = Field(max_length=20)
    registered: bool = Field(default=False)
    starts_on: str | None = Field(default=None, max_length=10)
    ends_on: str | None = Field(default=None, max_length=10)
    coverages: str = _long(nullable=False, default="[]")
    observed_at: int = _time()
    stale_at: int = _time()


class Case(SQLModel, table=True):
    """An exception with an owner: what no rule could settle. One open case for each identity."""

    __tablename__ = "exception_case"
    __table_args__ = (
        Index(
            "case_open",
            "kind",
            "subject",
            "channel_key",
            unique=True,
            **_where("state <> 'resolved'"),
        ),
        Index("case_recent", "newest_at"),
    )

    id: str = _id()
    kind: str = Field(max_length=40)
    subject: str = Field(max_length=200)
    channel_id: str | None = _to("channel", nullable=True)
    channel_key: str = Field(
        default="", max_length=36
    )  # channel_id, or empty: NULLs are not unique
    severity: str = Field(max_length=10)
    state: str = Field(default="open", max_length=20)  # open, assigned, resolved
    summary: str = _long(nullable=False)
    details: str = _long(nullable=False, default="{}")
    owner: str | None = Field(default=None, max_length=100)
    resolution: str | None = _long()
    occurrences: int = _number(1)
    opened_at: int = _time()
    newest_at: int = _time()
    resolved_at: int | None = _time(nullable=True)
    resolved_by: str | None = Field(default=None, max_length=100)


class ReconciliationRun(SQLModel, table=True):
    """One comparison of a channel with the ledger; its totals must add up."""

    __tablename__ = "reconciliation_run"
    __table_args__ = (
        Index("reconciliation_run_recent", "started_at"),
        CheckConstraint(
            "state <> 'finished' OR compared = matched + in_flight + differences",
            name="reconciliation_run_adds_up",
        ),
    )

    id: str = _id()
    channel_id: str = _to("channel")
    scope: str = Field(max_length=20)  # levels, orders, warranties
    state: str = Field(default="running", max_length=20)  # running, finished, failed
    trigger: str = Field(max_length=20)  # schedule, person, demo
    compared: int = _number()
    matched: int = _number()
    in_flight: int = _number()
    differences: int = _number()
    healed: int = _number()
    error: str | None = _long()
    started_at: int = _time()
    finished_at: int | None = _time(nullable=True)


class ReconciliationDifference(SQLModel, table=True):
    """Where a channel and the ledger disagree: both claims, the cause, the fix and its outcome."""

    __tablename__ = "reconciliation_difference"
    __table_args__ = (
        Index("difference_run", "run_id", "subject"),
        Index("difference_open", "channel_id", "kind", "subject", **_where("state <> 'healed'")),
    )

    id: str = _id()
    run_id: str = _to("reconciliation_run")
    channel_id: str = _to("channel")
    kind: str = Field(max_length=30)
    subject: str = Field(max_length=200)
    listing_id: str | None = _to("listing", nullable=True)
    product_id: str | None = _to("product", nullable=True)
    unit_id: str | None = _to("unit", nullable=True)
    order_id: str | None = _to("sales_order", nullable=True)
    ledger_claim: str = _long(nullable=False)  # JSON
    remote_claim: str = _long(nullable=False)  # JSON
    cause: str = Field(max_length=30)
    evidence: str = _long(nullable=False)
    severity: str = Field(max_length=10)
    fix: str = Field(max_length=40)
    state: str = Field(default="open", max_length=20)  # open, healing, healed, dismissed
    first_seen_at: int = _time()
    found_at: int = _time()
    healed_at: int | None = _time(nullable=True)
    resolved_by: str | None = Field(default=None, max_length=100)


class ApiKey(SQLModel, table=True):
    """Who may call: the digest of a secret, and its scopes."""

    __tablename__ = "api_key"

    id: str = _id()
    name: str = Field(max_length=100)
    digest: str = Field(max_length=64, unique=True)
    scopes: str = _long(nullable=False)  # JSON list
    created_at: int = _time()
    revoked_at: int | None = _time(nullable=True)


class JobRun(SQLModel, table=True):
    """One firing of a job: taken by whoever inserts its row, so that it runs once in a cluster."""

    __tablename__ = "job_run"
    __table_args__ = (UniqueConstraint("job", "slot"), Index("job_run_recent", "job", "started_at"))

    id: str = _id()
    job: str = Field(max_length=100)
    slot: int = _number()  # the planned time, in whole periods
    holder: str = Field(max_length=100)
    lease_until: int = _number()
    started_at: int = _time()
    finished_at: int | None = _time(nullable=True)
    outcome: str | None = _long()


def _default_in_the_database() -> None:
    """Give every default to the database too: the hub's own SQL names only what it sets."""
    for table in metadata.tables.values():
        for column in table.columns:
            default = column.default
            if column.server_default or not isinstance(default, ScalarElementColumnDefault):
                continue
            value = default.arg
            if isinstance(value, bool):
                column.server_default = DefaultClause(text(str(value).lower()))
            elif isinstance(value, int):
                column.server_default = DefaultClause(text(str(value)))
            else:
                column.server_default = DefaultClause(text(f"'{value}'"))


_default_in_the_database()
