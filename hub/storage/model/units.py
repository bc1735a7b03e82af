"""The tables of the ledger: catalogue, units, events, holds, commands, checkpoints."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import Sequence, instant, integer, own_id, to, where, words

# Units that are not sold, written off or back at their supplier; an index holds these alone.
IN_HOUSE = "status NOT IN ('shipped', 'sold', 'at_supplier', 'written_off')"


class Manufacturer(SQLModel, table=True):
    """Who issues the serials."""

    id: str = own_id()
    code: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    serial_pattern: str | None = Field(default=None, max_length=200)  # a regular expression
    serial_period: str | None = Field(default=None, max_length=100)  # where year and week stand
    created_at: int = instant()


class Product(SQLModel, table=True):
    """What is sold: one SKU."""

    id: str = own_id()
    sku: str = Field(unique=True, max_length=100)
    name: str = Field(max_length=300)
    manufacturer_id: str = to("manufacturer", index=True)
    gtin: str | None = Field(default=None, unique=True, max_length=14)  # always 14 digits
    # The manufacturer's own number.
    model_number: str | None = Field(default=None, max_length=100, index=True)
    serial_pattern: str | None = Field(default=None, max_length=200)  # before the maker's rule
    serial_case: str = Field(default="folded", max_length=10)  # folded, exact
    category: str | None = Field(default=None, max_length=60, index=True)
    # Of one unit, in the smallest part of the currency.
    value: int | None = Field(sa_column=Column(BigInteger), default=None)
    currency: str | None = Field(default=None, max_length=3)  # ISO 4217
    traits: str = words(nullable=False, default="[]")  # JSON list: regulated, theft_risk …
    warranty_months: int = Field(default=0)
    warranty_start: str = Field(default="sale", max_length=20)  # sale, ship, activation …
    replacement_cover: str = Field(default="remainder", max_length=20)  # remainder, fresh
    return_days: int = Field(default=30)
    picking: str = Field(default="fifo", max_length=10)  # fifo, fefo
    tracked_since: int | None = instant(nullable=True)  # serials are kept since; None: always
    tracking: str = Field(default="serial", max_length=20)  # none, lot, serial, serial_lot
    capture_points: str = words(
        nullable=False, default="[]"
    )  # JSON list of actions that need a scan
    created_at: int = instant()


class Location(SQLModel, table=True):
    """A place: a warehouse, a shop, a bin in one of them, or one of the two places outside."""

    id: str = own_id()
    code: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    kind: str = Field(max_length=20)
    site_id: str = Field(max_length=36, index=True)  # the warehouse or shop that it belongs to
    time_zone: str | None = Field(default=None, max_length=64)  # IANA; None: its site's, or UTC
    created_at: int = instant()


INDEXED_IF_SET = ("lot", "order_line_id", "delivery_id", "client_id", "kit_id", "merged_into")


class Unit(SQLModel, table=True):
    """One physical unit: the fold of its events, kept for reading.

    `version` and `hash` are those of its last event; only `hub.ledger` writes this table.
    """

    __table_args__ = (
        # Identity: database-held, so that no race can make two records of one unit.
        UniqueConstraint("serial_canonical", "manufacturer_id", "product_id", "serial_exact"),
        # All that counting asks of a unit, so that it reads the index alone; SQLite looks up what
        # the condition names too, unless it is here. Units stand in it in the order in which they
        # leave, so that the first of many is found without sorting them.
        Index(
            "unit_available",
            "product_id",
            "received_at",
            "id",
            "location_id",
            "client_id",
            "condition",
            "grade",
            "expires_on",
            "blocks",
            "promised_to",
            "status",
            **where("status = 'in_stock' AND promised_to IS NULL AND blocks = 0"),
        ),
        Index("unit_unreceived", "status", **where("received_at IS NULL")),
        Index("unit_expected", "product_id", **where("status = 'expected'")),
        # What expires on the shelf is looked for by its day.
        Index(
            "unit_expiring",
            "expires_on",
            **where("status = 'in_stock' AND blocks = 0 AND expires_on IS NOT NULL"),
        ),
        Index("unit_promised", "promised_to", **where("promised_to IS NOT NULL")),
        # A promise that is past its end binds nobody: such units count as free at once.
        Index(
            "unit_lapsing", "product_id", "promised_until", **where("promised_until IS NOT NULL")
        ),
        # Stock in the house: what has left for good is not read again to count it.
        Index("unit_in_house", "product_id", **where(IN_HOUSE)),
        Index("unit_at", "location_id", "product_id"),
        Index("unit_serial", "serial"),
        # Most units have none of these: an index of the others costs nothing at the dock.
        *(
            Index(f"unit_{column}", f"{column}", **where(f"{column} IS NOT NULL"))
            for column in INDEXED_IF_SET
        ),
    )

    id: str = own_id()
    product_id: str = to("product", index=True)
    manufacturer_id: str = to("manufacturer")
    serial: str = Field(max_length=100)  # verbatim
    serial_canonical: str = Field(max_length=100)
    # The serial itself where its product compares exactly; else empty.
    serial_exact: str = Field(default="", max_length=100)
    version: int = integer()
    status: str = Field(max_length=20)
    disposition: str = Field(max_length=40)
    location_id: str = to("location")
    promised_to: str | None = Field(default=None, max_length=36)  # hold of kind sale
    promised_until: int | None = instant(nullable=True)  # end of that hold; None: it has none
    order_line_id: str | None = to("order_line", nullable=True)
    blocks: int = Field(default=0)  # active holds that block
    grade: str | None = Field(default=None, max_length=20)
    condition: str = Field(default="new", max_length=20)  # new, open_box, refurbished, used
    origin: str = Field(default="receiving", max_length=20)  # where its record began
    delivery_id: str | None = to("delivery", nullable=True)
    # The line that named its serial; None: it came without being named.
    delivery_line_id: str | None = to("delivery_line", nullable=True)
    supplier: str | None = Field(default=None, max_length=100)
    purchase_order: str | None = Field(default=None, max_length=200)
    client_id: str | None = to("client", nullable=True)  # whose goods; None: our own
    client_since: int | None = instant(nullable=True)  # since its title passed; None: its origin
    kit_id: str | None = Field(default=None, max_length=36)  # the unit it is part of
    members: int = Field(default=0)  # units that are part of it
    # The record that absorbed this one; that one is merged into none.
    merged_into: str | None = Field(default=None, max_length=36)
    # Look-alikes folded (0/O, 1/I/L …): finds a serial that would be taken for a known one.
    skeleton: str = Field(max_length=100, index=True)
    lot: str | None = Field(default=None, max_length=50)
    produced_on: str | None = Field(default=None, max_length=10)  # ISO days
    expires_on: str | None = Field(default=None, max_length=10)
    received_at: int | None = instant(nullable=True)
    sold_at: int | None = instant(nullable=True)
    changed_at: int = instant()
    hash: str = Field(max_length=64)


class Identifier(SQLModel, table=True):
    """A further name of a unit: IMEI, MAC, asset tag, a second serial."""

    __table_args__ = (
        # One number is one unit's, whichever scheme of its name space says it.
        UniqueConstraint("space", "canonical"),
        Index("identifier_canonical", "canonical"),
        Index("identifier_unit", "unit_id"),
    )

    id: str = own_id()
    unit_id: str = to("unit")
    scheme: str = Field(max_length=20)
    space: str = Field(max_length=20)  # what the scheme means: imei2 is an IMEI
    value: str = Field(max_length=100)
    canonical: str = Field(max_length=100)
    created_at: int = instant()


class UnitField(SQLModel, table=True):
    """A custom field of a unit."""

    __tablename__ = "unit_field"
    __table_args__ = (
        UniqueConstraint("unit_id", "name"),
        Index("unit_field_value", "name", "value"),
    )

    id: str = own_id()
    unit_id: str = to("unit")
    name: str = Field(max_length=60)
    value: str = Field(max_length=500)
    changed_at: int = instant()


class Event(SQLModel, table=True):
    """One thing that happened to one unit. Append-only; triggers refuse UPDATE and DELETE."""

    __table_args__ = (
        # Two writers that read the same unit can not both append.
        UniqueConstraint("unit_id", "version"),
        Index("event_feed", "transaction_id", "seq"),
        Index("event_document", "document_ref", **where("document_ref IS NOT NULL")),
        Index("event_occurred", "occurred_at"),
        Index("event_corrects", "corrects", **where("corrects IS NOT NULL")),
    )

    seq: int | None = Field(
        default=None, sa_column=Column(Sequence, primary_key=True, autoincrement=True)
    )
    id: str = Field(max_length=36, unique=True)
    unit_id: str = to("unit")
    version: int = integer()
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
    corrects: str | None = Field(default=None, max_length=36)  # the event in error
    details: str | None = words()  # JSON
    occurred_at: int = instant()
    recorded_at: int = instant()
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    # PostgreSQL's transaction number: feeds follow commit order, not sequence order.
    transaction_id: int = Field(
        default=None, sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )


class Checkpoint(SQLModel, table=True):
    """A signature over all events since the checkpoint before, in the order of their commits."""

    id: str = own_id()
    number: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True), default=None)
    events: int = integer()
    root: str = Field(max_length=64)  # of the Merkle tree of the events' hashes
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    signature: str = Field(max_length=100)
    public_key: str = Field(max_length=60)
    through_transaction: int = integer()
    through_seq: int = integer()
    made_at: int = instant()


class Hold(SQLModel, table=True):
    """A unit is promised (kind sale) or blocked (quality, recall, fraud)."""

    __table_args__ = (
        # No unit is sold twice: one active promise, and one active block of a kind, for a unit.
        Index("hold_active", "unit_id", "kind", unique=True, **where("released_at IS NULL")),
        Index(
            "hold_expiring",
            "expires_at",
            **where("released_at IS NULL AND expires_at IS NOT NULL"),
        ),
        Index(
            "hold_of_cart",
            "owner",
            "reference",
            **where("released_at IS NULL AND owner IS NOT NULL"),
        ),
    )

    id: str = own_id()
    unit_id: str = to("unit")
    kind: str = Field(max_length=20)
    reference: str | None = Field(default=None, max_length=200)
    order_line_id: str | None = to("order_line", nullable=True, index=True)
    owner: str | None = Field(default=None, max_length=36)  # the API key whose promise it is
    reason: str | None = Field(default=None, max_length=300)
    placed_by: str = Field(max_length=100)
    placed_at: int = instant()
    expires_at: int | None = instant(nullable=True)
    released_at: int | None = instant(nullable=True)


class Command(SQLModel, table=True):
    """An idempotency key that was used, with the digest of its input and the first answer."""

    __table_args__ = (UniqueConstraint("scope", "key"),)

    id: str = own_id()
    scope: str = Field(max_length=100)  # the API key that used it: keys of two users never meet
    key: str = Field(max_length=255)
    digest: str = Field(max_length=64)
    answer: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # JSON, compressed
    recorded_at: int = instant()
