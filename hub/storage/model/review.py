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
    latest_ends_on: str | None = Field(default=None, max_length=10)  # of all answers so far
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
    """One comparison of a channel with the ledger; its totals must add up.

    Each subject is counted once: it matches, is in flight, differs as a person explained, or
    differs. What could not be compared is counted apart, with its reasons.
    """

    __tablename__ = "reconciliation_run"
    __table_args__ = (
        Index("reconciliation_run_recent", "started_at"),
        Index("reconciliation_run_of_channel", "channel_id", "scope", "started_at"),
        Index(
            "reconciliation_run_running",
            "channel_id",
            "scope",
            unique=True,
            **where("state = 'running'"),
        ),
        CheckConstraint(
            "state <> 'finished' OR compared = matched + in_flight + explained + differences",
            name="reconciliation_run_adds_up",
        ),
    )

    id: str = own_id()
    channel_id: str = to("channel")
    scope: str = Field(max_length=20)  # levels, orders, shipments, returns, warranties, ledger
    state: str = Field(default="running", max_length=20)  # running, finished, failed
    trigger: str = Field(max_length=100)  # schedule, demo, or the name of who asked for it
    compared: int = integer()
    matched: int = integer()
    in_flight: int = integer()
    not_kept: int = integer()  # the channel keeps the quantity of these: not compared
    explained: int = integer()  # they differ, and a person dismissed exactly this difference
    differences: int = integer()
    not_compared: int = integer()  # they could not be compared; `skipped` names the first of them
    skipped: str = words(nullable=False, default="[]")  # JSON
    healed: int = integer()  # differences that this run saw healed
    closed: int = integer()  # differences that this run found no more
    error: str | None = words()
    window_from: int | None = instant(nullable=True)  # the period of the orders compared
    window_until: int | None = instant(nullable=True)
    started_at: int = instant()
    finished_at: int | None = instant(nullable=True)
    # What it was asked for; a later process goes on with the same only. None: with nothing.
    asked: str | None = Field(default=None, max_length=200)
    lease_until: int = integer()  # its process is alive until then
    fence: int = integer()  # counts the processes that worked on it
    resumes: int = integer()  # times that a later process went on with it
    resumed_at: int | None = instant(nullable=True)


class ReconciliationMark(SQLModel, table=True):
    """That a run which is under way has counted a subject; deleted when the run has ended."""

    __tablename__ = "reconciliation_mark"

    run_id: str = Field(primary_key=True, max_length=36)
    about: str = Field(primary_key=True, max_length=200)


class ReconciliationDifference(SQLModel, table=True):
    """Where a channel and the ledger disagree: both claims, the cause, the fix and its outcome.

    A difference lasts while both claims stay as they are: each run that finds it again is linked
    to it. At most one difference of a subject is `live`: open, being healed, or dismissed.
    """

    __tablename__ = "reconciliation_difference"
    __table_args__ = (
        Index("difference_run", "run_id", "subject"),
        Index("difference_live", "channel_id", "scope", "about", unique=True, **where("live")),
        Index("difference_with_case", "case_id", **where("case_id IS NOT NULL")),
        Index("difference_last_run", "last_run_id"),
        Index("difference_closed_run", "closed_run_id", **where("closed_run_id IS NOT NULL")),
        Index("difference_past", "channel_id", "scope", "about", "id"),
        # Service levels read what was found and what ended in a period.
        Index("difference_found", "channel_id", "found_at"),
        Index("difference_ended", "channel_id", "closed_at", **where("closed_at IS NOT NULL")),
        # What a channel has taken is looked for at every push.
        Index("difference_of_listing", "listing_id", **where("state = 'healing'")),
        Index("difference_of_order", "order_id", **where("state = 'healing'")),
        Index("difference_of_unit", "unit_id", **where("state = 'healing'")),
    )

    id: str = own_id()
    run_id: str = to("reconciliation_run")  # the run that found it first
    last_run_id: str = to("reconciliation_run")  # the newest run that found it
    channel_id: str = to("channel")
    scope: str = Field(max_length=20)
    kind: str = Field(max_length=30)
    about: str = Field(max_length=200)  # the subject by the channel's own reference
    subject: str = Field(max_length=200)  # the subject by the name that people use
    listing_id: str | None = to("listing", nullable=True)
    product_id: str | None = to("product", nullable=True)
    unit_id: str | None = to("unit", nullable=True)
    order_id: str | None = to("sales_order", nullable=True)
    ledger_claim: str = words(nullable=False)  # JSON
    remote_claim: str = words(nullable=False)  # JSON
    surplus: int | None = Field(default=None)  # units that the channel has more than the ledger
    cause: str = Field(max_length=30)
    evidence: str = words(nullable=False)
    proofs: str = words(nullable=False, default="[]")  # JSON: the records that prove the cause
    severity: str = Field(max_length=10)
    fix: str = Field(max_length=40)
    state: str = Field(default="open", max_length=20)  # see hub.reconciliation.kinds.State
    live: bool = Field(default=True)
    times: int = integer(1)  # runs that found it
    first_seen_at: int = instant()  # of this disagreement, also under earlier claims
    found_at: int = instant()
    last_seen_at: int = instant()
    sent_at: int | None = instant(nullable=True)  # when the channel took the fix
    heal_attempts: int = integer()  # fixes that the channel took and that did not hold
    repeats: int = integer()  # times that the same difference was healed shortly before
    heal_error: str | None = words()
    healed_at: int | None = instant(nullable=True)  # when it was seen to be healed
    closed_at: int | None = instant(nullable=True)
    closed_run_id: str | None = to("reconciliation_run", nullable=True)
    previous_id: str | None = Field(default=None, max_length=36)  # the same with other claims
    resolved_by: str | None = Field(default=None, max_length=100)
    fix_rule: str | None = Field(default=None, max_length=60)  # the rule that applied the fix
    resolution: str | None = words()  # the words of who dismissed it
    case_id: str | None = to("exception_case", nullable=True)


class ReconciliationSchedule(SQLModel, table=True):
    """When one scope of a channel is compared, where that is not the hub's interval."""

    __tablename__ = "reconciliation_schedule"

    channel_id: str = Field(
        sa_column=Column(String(36), ForeignKey("channel.id"), primary_key=True)
    )
    scope: str = Field(primary_key=True, max_length=20)
    every_seconds: int = integer()
    jitter_seconds: int = integer()
    blackouts: str = words(nullable=False, default="[]")  # JSON
    changed_by: str = Field(max_length=100)
    changed_at: int = instant()


class ReconciliationPromise(SQLModel, table=True):
    """A service level that is promised for a channel, and since when it is broken."""

    __tablename__ = "reconciliation_promise"

    channel_id: str = Field(
        sa_column=Column(String(36), ForeignKey("channel.id"), primary_key=True)
    )
    measure: str = Field(primary_key=True, max_length=20)  # see hub.reconciliation.promises
    promised: int = integer()  # seconds at most, or percent at least
    broken_since: int | None = instant(nullable=True)
    changed_by: str = Field(max_length=100)
    changed_at: int = instant()


class ReconciliationFinding(SQLModel, table=True):
    """That a run found a difference."""

    __tablename__ = "reconciliation_finding"
    __table_args__ = (Index("finding_of_difference", "difference_id"),)

    run_id: str = Field(
        sa_column=Column(String(36), ForeignKey("reconciliation_run.id"), primary_key=True)
    )
    difference_id: str = Field(
        sa_column=Column(String(36), ForeignKey("reconciliation_difference.id"), primary_key=True)
    )


class ObservedListing(SQLModel, table=True):
    """A listing as the newest run saw it on its channel, ours or not."""

    __tablename__ = "observed_listing"
    __table_args__ = (Index("observed_listing_sku", "channel_id", "sku"),)

    channel_id: str = Field(
        sa_column=Column(String(36), ForeignKey("channel.id"), primary_key=True)
    )
    about: str = Field(primary_key=True, max_length=200)
    sku: str = Field(max_length=200)
    title: str = words(nullable=False, default="")
    remote: str = words(nullable=False)  # JSON
    quantity: int = integer()
    run_id: str = Field(max_length=36)  # a mark only: old runs are deleted
    seen_at: int = instant()
    suspect: bool = Field(default=False)  # at its first look in the run it did not match
    unbound: bool = Field(default=False)  # at both looks of the run nothing was bound to it


class ObservedOrder(SQLModel, table=True):
    """The newest look of a scope at an order on its channel: listed or read, or not found."""

    __tablename__ = "observed_order"
    __table_args__ = (
        Index(
            "observed_order_gone",
            "channel_id",
            "scope",
            "ref",
            **where("gone_since IS NOT NULL"),
        ),
    )

    channel_id: str = Field(
        sa_column=Column(String(36), ForeignKey("channel.id"), primary_key=True)
    )
    scope: str = Field(primary_key=True, max_length=20)
    ref: str = Field(primary_key=True, max_length=200)
    run_id: str = Field(max_length=36)  # a mark only: old runs are deleted
    seen_at: int = instant()
    gone_since: int | None = instant(nullable=True)  # when it was not found first
    serials: str | None = words()  # JSON: the serials that the channel shows, by line
    suspect: bool = Field(default=False)  # at its first look in the run it did not match
