"""Reconciliation runs, the differences that they find, and the healing of a difference.

A run compares one scope of one channel with the ledger; its totals must add up, and the database
checks this. Healing never writes to a channel by itself: it queues the same work that a change of
the ledger would have queued.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, Refused, StepNotAllowed
from hub.reconciliation import fixes
from hub.reconciliation.rows import Identified, RunId, SentFact
from hub.storage.rows import ChannelRow, ReconciliationDifferenceRow
from hub.storage.sql import Row, Transaction
from hub.sync import listings, registrations

RUN_MAX = timedelta(hours=1)  # after which the process of a run is presumed dead


class Scope(StrEnum):
    """Subject of a run."""

    LEVELS = "levels"
    ORDERS = "orders"
    WARRANTIES = "warranties"


class Kind(StrEnum):
    """Kind of a disagreement between a channel and the ledger."""

    QUANTITY = "quantity"
    UNBOUND_LISTING = "unbound_listing"  # the channel lists a SKU of ours that is not bound
    UNKNOWN_LISTING = "unknown_listing"  # the channel lists what is no product of ours
    AMBIGUOUS_LISTING = "ambiguous_listing"  # the channel lists several things under one SKU
    MISSING_LISTING = "missing_listing"  # a bound listing that the channel does not show
    MISSING_ORDER = "missing_order"  # an order that never reached the ledger
    ORDER_STATE = "order_state"  # cancelled or edited there, not here
    MISSING_FULFILLMENT = "missing_fulfillment"  # it left, and the channel does not know
    FOREIGN_FULFILLMENT = "foreign_fulfillment"  # the channel says it left, the ledger does not
    UNKNOWN_ORDER = "unknown_order"  # an order that the channel no longer has
    MISSING_REGISTRATION = "missing_registration"  # sold, and the manufacturer does not know
    UNKNOWN_SERIAL = "unknown_serial"  # the manufacturer never issued it


class Cause(StrEnum):
    """Cause of a disagreement, where the records prove it."""

    FOREIGN_EDIT = "foreign_edit"
    LOST_WEBHOOK = "lost_webhook"
    MISSED_ORDER = "missed_order"
    FAILED_PUSH = "failed_push"
    UNPUSHED_CHANGE = "unpushed_change"
    MAPPING_GAP = "mapping_gap"
    UNKNOWN_SERIAL = "unknown_serial"
    UNEXPLAINED = "unexplained"


class Fix(StrEnum):
    """Way to resolve a disagreement."""

    PUSH_LEVEL = "push_level"
    BIND_LISTING = "bind_listing"
    BIND_NEAR_MATCH = "bind_near_match"  # to the product whose SKU differs in case and blanks
    ACCEPT_ORDER = "accept_order"
    CANCEL_ORDER = "cancel_order"
    PUSH_FULFILLMENT = "push_fulfillment"
    REGISTER_AGAIN = "register_again"
    ASK = "ask"


# Only a person decides on these; ASK has no fix that the hub could apply.
ASKED = frozenset({Fix.ASK, Fix.BIND_NEAR_MATCH})
# Safe: they repeat a normal step of the hub and do not change the ledger.
AUTOMATIC = frozenset(Fix) - ASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One disagreement: both sides' claims, its proven cause, the evidence, the proposed fix."""

    kind: Kind
    subject: str
    ledger: dict[str, Any]
    remote: dict[str, Any]
    cause: Cause
    evidence: str
    fix: Fix
    severity: Severity = Severity.MEDIUM
    listing_id: str | None = None
    product_id: str | None = None
    unit_id: str | None = None
    order_id: str | None = None


@dataclass(slots=True)
class Totals:
    """The sums of a run: compared = matched + in flight + differences."""

    matched: int = 0
    in_flight: int = 0
    not_kept: int = 0  # listings whose quantity the channel keeps; they are not compared
    differences: int = 0
    details: dict[str, int] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Return the number of items that were compared."""
        return self.matched + self.in_flight + self.differences


def start(tx: Transaction, channel_id: str, scope: Scope, trigger: str, now: datetime) -> str:
    """Open a run and return its id; close an abandoned earlier one as failed."""
    tx.run(
        "UPDATE reconciliation_run SET state = 'failed', finished_at = :now, "
        "error = 'its process ended before the run did' WHERE channel_id = :channel "
        "AND scope = :scope AND state = 'running' AND started_at < :long_ago",
        channel=channel_id,
        scope=str(scope),
        now=micros(now),
        long_ago=micros(now - RUN_MAX),
    )
    run_id = new_id()
    tx.run(
        "INSERT INTO reconciliation_run(id, channel_id, scope, state, trigger, started_at) "
        "VALUES(:id, :channel, :scope, 'running', :trigger, :now)",
        id=run_id,
        channel=channel_id,
        scope=str(scope),
        trigger=trigger,
        now=micros(now),
    )
    return run_id


def finish(tx: Transaction, run_id: str, totals: Totals, now: datetime) -> None:
    """Close a run with its totals."""
    tx.run(
        "UPDATE reconciliation_run SET state = 'finished', compared = :compared, "
        "matched = :matched, in_flight = :in_flight, differences = :differences, "
        "not_kept = :not_kept, finished_at = :now WHERE id = :id",
        compared=totals.compared,
        matched=totals.matched,
        in_flight=totals.in_flight,
        differences=totals.differences,
        not_kept=totals.not_kept,
        now=micros(now),
        id=run_id,
    )


def fail(tx: Transaction, run_id: str, error: str, now: datetime) -> None:
    """Close a run as failed, with the reason."""
    tx.run(
        "UPDATE reconciliation_run SET state = 'failed', error = :error, finished_at = :now "
        "WHERE id = :id AND state = 'running'",
        error=error[:500],
        now=micros(now),
        id=run_id,
    )


def record(
    tx: Transaction, run_id: str, channel_id: str, difference: Difference, now: datetime
) -> ReconciliationDifferenceRow:
    """Store a difference and return its row; its age counts from the first run that found it."""
    first = tx.value(
        "SELECT MIN(first_seen_at) FROM reconciliation_difference WHERE channel_id = :channel "
        "AND kind = :kind AND subject = :subject AND state <> 'healed' "
        "AND state IN ('open', 'healing')",
        channel=channel_id,
        kind=str(difference.kind),
        subject=difference.subject[:200],
    )
    _supersede(tx, channel_id, difference)
    row = tx.row_as(
        ReconciliationDifferenceRow,
        "INSERT INTO reconciliation_difference(id, run_id, channel_id, kind, subject, listing_id, "
        "product_id, unit_id, order_id, ledger_claim, remote_claim, cause, evidence, severity, "
        "fix, first_seen_at, found_at) VALUES(:id, :run, :channel, :kind, :subject, :listing, "
        ":product, :unit, :order_id, :ledger, :remote, :cause, :evidence, :severity, :fix, :first, "
        ":now) RETURNING *",
        id=new_id(),
        run=run_id,
        channel=channel_id,
        kind=str(difference.kind),
        subject=difference.subject[:200],
        listing=difference.listing_id,
        product=difference.product_id,
        unit=difference.unit_id,
        order_id=difference.order_id,
        ledger=orjson.dumps(difference.ledger, default=str).decode(),
        remote=orjson.dumps(difference.remote, default=str).decode(),
        cause=str(difference.cause),
        evidence=difference.evidence,
        severity=str(difference.severity),
        fix=str(difference.fix),
        first=first or micros(now),
        now=micros(now),
    )
    assert row is not None
    return row


def _supersede(tx: Transaction, channel_id: str, difference: Difference) -> None:
    """Supersede the open difference of an older run about the same subject."""
    tx.run(
        "UPDATE reconciliation_difference SET state = 'superseded' WHERE channel_id = :channel "
        "AND kind = :kind AND subject = :subject AND state <> 'healed' "
        "AND state IN ('open', 'healing')",
        channel=channel_id,
        kind=str(difference.kind),
        subject=difference.subject[:200],
    )


def get(tx: Transaction, difference_id: str) -> ReconciliationDifferenceRow:
    """Return a difference by its id; it must exist."""
    row = tx.row_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE id = :id",
        id=difference_id,
    )
    assert row is not None  # differences are never deleted
    return row


def healing(tx: Transaction, run_id: str) -> int:
    """Count the differences of a run whose fix is queued."""
    found = tx.value(
        "SELECT COUNT(*) FROM reconciliation_difference WHERE run_id = :run AND state = 'healing'",
        run=run_id,
    )
    return int(found)


def heal(tx: Transaction, context: CommandContext, difference_id: str) -> None:
    """Queue the fix of a difference, which is healed when the channel accepted it.

    The caller fixes orders: it reads them again from the channel. Raises StepNotAllowed for a
    difference that is settled, or that only a person can settle.
    """
    difference = _live(tx, difference_id)
    match Fix(difference["fix"]):
        case Fix.PUSH_LEVEL:
            seen = orjson.loads(difference["remote_claim"])["quantity"]
            listing_id = difference["listing_id"]
            assert listing_id is not None  # as comparison finds it
            listings.correct(tx, listing_id, seen, context.now)
        case Fix.BIND_LISTING | Fix.BIND_NEAR_MATCH:
            fixes.bind(tx, context, difference)
        case Fix.PUSH_FULFILLMENT:
            fixes.push_again(tx, context, difference)
        case Fix.REGISTER_AGAIN:
            unit_id = difference["unit_id"]
            assert unit_id is not None  # as comparison finds it
            registrations.again(tx, unit_id, difference["id"], context.now)
        case Fix.ASK:
            raise StepNotAllowed("only a person can settle this difference", allowed=["dismiss"])
        case Fix.CANCEL_ORDER:
            fixes.cancel(tx, context, difference)
            healed(tx, difference["id"], context.now)
            return
        case Fix.ACCEPT_ORDER:
            pass
    tx.run(
        "UPDATE reconciliation_difference SET state = 'healing', resolved_by = :actor "
        "WHERE id = :id",
        actor=context.actor,
        id=difference["id"],
    )


def heal_all(
    tx: Transaction, context: CommandContext, channel_id: str, fix: Fix, *, limit: int
) -> tuple[int, int]:
    """Heal the open differences of a channel that one fix settles; return how many, and refused.

    Raises InvalidInput for a fix that is applied order by order, or by a person only.
    """
    if fix in (Fix.ASK, Fix.ACCEPT_ORDER):
        raise InvalidInput(f"{fix} is not applied to many at once", field="fix")
    rows = tx.rows_as(
        Identified,
        "SELECT id FROM reconciliation_difference WHERE channel_id = :channel AND fix = :fix "
        "AND state = 'open' ORDER BY id LIMIT :limit",
        channel=channel_id,
        fix=str(fix),
        limit=limit,
    )
    refused = 0
    for row in rows:
        try:
            heal(tx, context, row["id"])
        except Refused:
            refused += 1
    return len(rows) - refused, refused


def _live(tx: Transaction, difference_id: str) -> ReconciliationDifferenceRow:
    """Lock and return an unsettled difference; raises StepNotAllowed for a settled one."""
    row = tx.row_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE id = :id FOR UPDATE",
        id=difference_id,
    )
    assert row is not None  # differences are never deleted
    if row["state"] not in {"open", "healing"}:
        raise StepNotAllowed(f"the difference is {row['state']}", allowed=[])
    return row


def healed(tx: Transaction, difference_id: str, now: datetime) -> None:
    """Close a difference as healed, and count it in its run."""
    changed = tx.row_as(
        RunId,
        "UPDATE reconciliation_difference SET state = 'healed', healed_at = :now "
        "WHERE id = :id AND state IN ('open', 'healing') RETURNING run_id",
        now=micros(now),
        id=difference_id,
    )
    if changed is not None:
        tx.run(
            "UPDATE reconciliation_run SET healed = healed + 1 WHERE id = :id",
            id=changed["run_id"],
        )


def healed_listing(tx: Transaction, listing_id: str, now: datetime) -> None:
    """Close the differences that a sent level heals."""
    for row in tx.rows_as(
        Identified,
        "SELECT id FROM reconciliation_difference WHERE listing_id = :listing "
        "AND state = 'healing'",
        listing=listing_id,
    ):
        healed(tx, row["id"], now)


def healed_fact(tx: Transaction, fact: SentFact, now: datetime) -> None:
    """Close the differences that a sent fact heals."""
    for row in tx.rows_as(
        Identified,
        "SELECT id FROM reconciliation_difference WHERE channel_id = :channel "
        "AND state = 'healing' AND (order_id = :subject OR unit_id = :subject)",
        channel=fact["channel_id"],
        subject=fact["subject"],
    ):
        healed(tx, row["id"], now)


def dismiss(
    tx: Transaction,
    context: CommandContext,
    difference: ReconciliationDifferenceRow | Row,
    reason: str,
) -> None:
    """Close a difference that a person explained; raises StepNotAllowed if it is settled."""
    difference = _live(tx, difference["id"])
    tx.run(
        "UPDATE reconciliation_difference SET state = 'dismissed', resolved_by = :actor, "
        "evidence = :evidence WHERE id = :id",
        actor=context.actor,
        evidence=f"{difference['evidence']} Dismissed: {reason}",
        id=difference["id"],
    )
    subject, channel_id = difference["subject"], difference["channel_id"]
    cases.settle(tx, CaseKind.DISAGREEMENT, subject, channel_id, context.now)


def ask(
    tx: Transaction, difference: ReconciliationDifferenceRow, channel: ChannelRow, now: datetime
) -> None:
    """Open a case for a difference that only a person can settle."""
    kind = CaseKind.DISAGREEMENT
    if difference["kind"] == Kind.UNKNOWN_SERIAL:
        kind = CaseKind.UNKNOWN_SERIAL
    finding = Finding(
        kind=kind,
        subject=difference["subject"],
        channel_id=channel["id"],
        severity=Severity(difference["severity"]),
        summary=f"{channel['name']}: {difference['evidence']}",
        details={"difference": difference["id"], "run": difference["run_id"]},
    )
    cases.report(tx, finding, now)
