"""The tables that people look at: warranties, cases, reconciliation, API keys."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
)
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import instant, integer, own_id, to, where, words


class WarrantyRecord(SQLModel, table=True):
    """What the manufacturer said about a unit, with source and age; and what it was told."""

    __tablename__ = "warranty_record"

    unit_id: str = Field(sa_column=Column(String(36), ForeignKey("unit.id"), primary_key=True))
    channel_id: str = to("channel", index=True)
    status: str = Field(max_length=20)
    registered: bool = Field(default=False)
    starts_on: str | None = Field(default=None, max_length=10)
    ends_on: str | None = Field(default=None, max_length=10)
    coverages: str = words(nullable=False, default="[]")
    observed_at: int = instant()
    stale_at: int = instant()


class DeviceRecord(SQLModel, table=True):
    """What a registry said of a medical device, with source and age."""

    __tablename__ = "device_record"

    identifier: str = Field(primary_key=True, max_length=40)  # the DI
    channel_id: str = to("channel")
    facts: str | None = words()  # JSON; None: it is not registered there
    observed_at: int = instant()
    stale_at: int = instant()


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
            **where("state <> 'resolved'"),
        ),
        Index("case_recent", "newest_at"),
    )

    id: str = own_id()
    kind: str = Field(max_length=40)
    subject: str = Field(max_length=200)
    channel_id: str | None = to("channel", nullable=True)
    channel_key: str = Field(
        default="", max_length=36
    )  # channel_id, or empty: NULLs are not unique
    severity: str = Field(max_length=10)
    state: str = Field(default="open", max_length=20)  # open, assigned, resolved
    summary: str = words(nullable=False)
    details: str = words(nullable=False, default="{}")
    owner: str | None = Field(default=None, max_length=100)
    resolution: str | None = words()
    occurrences: int = integer(1)
    opened_at: int = instant()
    newest_at: int = instant()
    resolved_at: int | None = instant(nullable=True)
    resolved_by: str | None = Field(default=None, max_length=100)


class CaseEvent(SQLModel, table=True):
    """One change of a case. Append-only; triggers refuse UPDATE and DELETE."""

    __tablename__ = "case_event"
    __table_args__ = (Index("case_event_case", "case_id", "id"),)

    id: str = own_id()
    case_id: str = to("exception_case")
    action: str = Field(max_length=20)
    actor: str = Field(max_length=100)
    rule: str | None = Field(default=None, max_length=60)  # the rule that did it
    state: str = Field(max_length=20)
    severity: str = Field(max_length=10)
    owner: str | None = Field(default=None, max_length=100)
    occurrences: int = integer(1)
    remark: str | None = words()
    happened_at: int = instant()


class CaseOwner(SQLModel, table=True):
    """Who gets the cases of a kind when they are opened."""

    __tablename__ = "case_owner"

    id: str = own_id()
    kind: str = Field(unique=True, max_length=40)
    owner: str = Field(max_length=100)
    changed_by: str = Field(max_length=100)
    changed_at: int = instant()


class CaseRule(SQLModel, table=True):
    """What is done by itself with cases that fit conditions."""

    __tablename__ = "case_rule"

    id: str = own_id()
    code: str = Field(unique=True, max_length=60)
    name: str = Field(max_length=200)
    rank: int = integer()
    conditions: str = words(nullable=False, default="{}")  # JSON
    action: str = Field(max_length=20)
    parameters: str = words(nullable=False, default="{}")  # JSON
    changed_by: str = Field(max_length=100)
    changed_at: int = instant()


class QualityMark(SQLModel, table=True):
    """How far a check of data quality has read the ledger."""

    __tablename__ = "quality_mark"

    id: str = own_id()
    name: str = Field(unique=True, max_length=40)
    value: str = Field(max_length=36)
    moved_at: int = instant()


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

    id: str = own_id()
    channel_id: str = to("channel")
    scope: str = Field(max_length=20)  # levels, orders, warranties
    state: str = Field(default="running", max_length=20)  # running, finished, failed
    trigger: str = Field(max_length=20)  # schedule, person, demo
    compared: int = integer()
    matched: int = integer()
    in_flight: int = integer()
    not_kept: int = integer()  # the channel keeps the quantity of these: not compared
    differences: int = integer()
    healed: int = integer()
    error: str | None = words()
    started_at: int = instant()
    finished_at: int | None = instant(nullable=True)


class ReconciliationDifference(SQLModel, table=True):
    """Where a channel and the ledger disagree: both claims, the cause, the fix and its outcome."""

    __tablename__ = "reconciliation_difference"
    __table_args__ = (
        Index("difference_run", "run_id", "subject"),
        Index("difference_open", "channel_id", "kind", "subject", **where("state <> 'healed'")),
        # What a channel has taken heals what was being healed by it: looked for at every push.
        Index("difference_of_listing", "listing_id", **where("state = 'healing'")),
        Index("difference_of_order", "order_id", **where("state = 'healing'")),
        Index("difference_of_unit", "unit_id", **where("state = 'healing'")),
    )

    id: str = own_id()
    run_id: str = to("reconciliation_run")
    channel_id: str = to("channel")
    kind: str = Field(max_length=30)
    subject: str = Field(max_length=200)
    listing_id: str | None = to("listing", nullable=True)
    product_id: str | None = to("product", nullable=True)
    unit_id: str | None = to("unit", nullable=True)
    order_id: str | None = to("sales_order", nullable=True)
    ledger_claim: str = words(nullable=False)  # JSON
    remote_claim: str = words(nullable=False)  # JSON
    cause: str = Field(max_length=30)
    evidence: str = words(nullable=False)
    severity: str = Field(max_length=10)
    fix: str = Field(max_length=40)
    state: str = Field(default="open", max_length=20)  # open, healing, healed, dismissed
    first_seen_at: int = instant()
    found_at: int = instant()
    healed_at: int | None = instant(nullable=True)
    resolved_by: str | None = Field(default=None, max_length=100)


class ApiKey(SQLModel, table=True):
    """Who may call: the digest of a secret, and its scopes."""

    __tablename__ = "api_key"

    id: str = own_id()
    name: str = Field(max_length=100)
    digest: str = Field(max_length=64, unique=True)
    scopes: str = words(nullable=False)  # JSON list
    client_id: str | None = to("client", nullable=True)  # sees this client's goods only
    created_at: int = instant()
    revoked_at: int | None = instant(nullable=True)
