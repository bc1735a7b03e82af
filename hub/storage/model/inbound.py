"""The tables of what is to arrive: deliveries, files of units, stock whose serials are not read."""

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import instant, integer, own_id, to, words


class Delivery(SQLModel, table=True):
    """What a supplier announced (CBV desadv), or what a purchase order asks for (CBV po)."""

    __table_args__ = (UniqueConstraint("supplier", "ref"),)

    id: str = own_id()
    ref: str = Field(max_length=200)  # the supplier's despatch advice, else our purchase order
    purchase_order: str | None = Field(default=None, max_length=200, index=True)
    supplier: str = Field(max_length=100)
    state: str = Field(default="open", max_length=20)  # open, closed
    expected_on: str | None = Field(default=None, max_length=10)  # ISO day
    created_at: int = instant()
    closed_at: int | None = instant(nullable=True)


class DeliveryLine(SQLModel, table=True):
    """How many units of one product are to come; named serials are units that are expected."""

    __tablename__ = "delivery_line"
    __table_args__ = (UniqueConstraint("delivery_id", "ref"),)

    id: str = own_id()
    delivery_id: str = to("delivery")
    ref: str = Field(max_length=60)
    product_id: str = to("product", index=True)
    quantity: int = integer()
    lot: str | None = Field(default=None, max_length=50)


class UnserializedStock(SQLModel, table=True):
    """Unserialized stock: a quantity of a product at a place, whose serials were not read yet."""

    __tablename__ = "unserialized_stock"
    __table_args__ = (UniqueConstraint("product_id", "location_id"),)

    id: str = own_id()
    product_id: str = to("product")
    location_id: str = to("location", index=True)
    quantity: int = integer()
    reason: str = Field(max_length=200)
    changed_at: int = instant()


class ImportRun(SQLModel, table=True):
    """One file of units that is, or was, read in; known by its content, so that it can go on."""

    __tablename__ = "import_run"
    __table_args__ = (UniqueConstraint("digest", "dry_run"),)

    id: str = own_id()
    name: str = Field(max_length=200)
    digest: str = Field(max_length=64)  # SHA-256 of the file and of how it is to be read
    format: str = Field(max_length=20)  # csv, xlsx, parquet
    dry_run: bool = Field(default=False)
    state: str = Field(default="running", max_length=20)  # running, finished, failed, cancelled
    total: int | None = Field(default=None)
    done: int = integer()  # rows: a run that goes on skips as many
    accepted: int = integer()
    refused: int = integer()
    warned: int = integer()  # of the accepted ones
    error: str | None = words()
    started_by: str = Field(max_length=100)
    started_at: int = instant()
    finished_at: int | None = instant(nullable=True)


class ImportRow(SQLModel, table=True):
    """What became of one row of a file."""

    __tablename__ = "import_row"
    __table_args__ = (
        UniqueConstraint("run_id", "number"),
        Index("import_row_code", "run_id", "code", "number"),
    )

    id: str = own_id()
    run_id: str = to("import_run")
    number: int = integer()  # in the file, from 1
    serial: str = Field(max_length=200)
    unit_id: str | None = Field(default=None, max_length=36)
    code: str | None = Field(default=None, max_length=40)  # of the refusal; None: accepted
    message: str | None = words()
    warning: str | None = words()  # of an accepted row
