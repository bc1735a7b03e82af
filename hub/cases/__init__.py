"""Cases: exceptions with an owner, for problems that no rule resolves.

A case is identified by its kind, its subject and its channel. While it is open, a repeated finding
updates it; when the operation succeeds, `settle` closes it. Its `trail` records every change.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

import orjson

from hub.cases import trail
from hub.cases.trail import CaseAction
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import StepNotAllowed
from hub.storage.rows import CaseRow
from hub.storage.sql import Row, Transaction


class CaseKind(StrEnum):
    """Kind of a problem."""

    OVERSOLD = "oversold"  # an order needs more units than there are
    UNMAPPED_LISTING = "unmapped_listing"  # an order line with an unknown SKU
    UNKNOWN_SERIAL = "unknown_serial"  # a channel or manufacturer names a serial that is not ours
    WRONG_STATUS = "wrong_status"  # a unit was sold or shipped that could not be
    MISSING_CAPTURE = "missing_capture"  # a unit left without its serial being read
    SYNC_FAILURE = "sync_failure"  # a channel rejects a message
    CHANNEL_DOWN = "channel_down"  # a channel does not answer at all
    AUTHENTICATION = "authentication"  # a channel refuses our credentials
    DISAGREEMENT = "disagreement"  # reconciliation found what only a person can decide
    LEDGER_BROKEN = "ledger_broken"  # the hash chain does not hold
    FAILED_CAPTURE = "failed_capture"  # a label that could not be read or believed
    DELIVERY_VARIANCE = "delivery_variance"  # a delivery is not what was announced
    MISSING_UNIT = "missing_unit"  # a unit is not where the ledger has it
    PRODUCT_MISMATCH = "product_mismatch"  # a unit is of another product than it should be
    WRONG_LOCATION = "wrong_location"  # a unit was found at another place
    DUPLICATE_SERIAL = "duplicate_serial"  # two things bear one serial
    SUSPECT_RETURN = "suspect_return"  # what is brought back is not what was sold
    SHIPPED_TOO_MANY = "shipped_too_many"  # more left than the order still asks for
    ORDER_ON_HOLD = "order_on_hold"  # nothing of an order may leave, and a person has to act
    DUPLICATE_ORDER = "duplicate_order"  # the same order came in by two channels
    SUBSTITUTION = "substitution"  # an order is served with another product
    RETURN_NOT_SCANNED = "return_not_scanned"  # said to be back, and no unit was read
    UNMATCHED_RETURN = "unmatched_return"  # a return of an unknown order or line
    DOUBLE_REFUND = "double_refund"  # more is refunded than was sold
    REFUND_REFUSED = "refund_refused"  # a channel that was asked did not pay back
    MISSING_RECORD = "missing_record"  # what must have been recorded was not
    UNREADABLE_RECORD = "unreadable_record"  # a channel sent what cannot be read
    UNREACHABLE_CUSTOMER = "unreachable_customer"  # a recall's notice did not arrive
    API_RETIRING = "api_retiring"  # a channel announces the end of an API that we call
    PRIVACY_REQUEST = "privacy_request"  # a customer asks for data or erasure, by a channel
    WEBHOOK_FAILING = "webhook_failing"  # a partner's address rejects messages
    SERVICE_LEVEL = "service_level"  # a promise about reconciliation is broken
    UNUSABLE_RULE = "unusable_rule"  # a rule for serials that the hub does not match


class Severity(StrEnum):
    """Urgency of a case."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem that was found: the identity of its case, and its newest facts."""

    kind: CaseKind
    subject: str
    summary: str
    channel_id: str | None = None
    severity: Severity = Severity.MEDIUM
    details: dict[str, Any] = field(default_factory=dict)


RANK = "CASE {} WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END"


def report(tx: Transaction, finding: Finding, now: datetime) -> str:
    """Open a case, or update the open one of the same identity; return its id.

    A new case is assigned to the owner of its kind, if any. The severity of an open case never
    falls.
    """
    worse = f"{RANK.format('excluded.severity')} > {RANK.format('exception_case.severity')}"
    row = tx.row_as(
        CaseRow,
        "INSERT INTO exception_case(id, kind, subject, channel_id, channel_key, severity, "
        "summary, details, opened_at, newest_at) VALUES(:id, :kind, :subject, :channel_id, "
        ":channel_key, :severity, :summary, :details, :now, :now) "
        "ON CONFLICT(kind, subject, channel_key) WHERE state <> 'resolved' DO UPDATE "
        "SET summary = excluded.summary, details = excluded.details, "
        f"severity = CASE WHEN {worse} THEN excluded.severity ELSE exception_case.severity END, "
        "newest_at = excluded.newest_at, "
        "occurrences = exception_case.occurrences + 1 RETURNING *",
        id=new_id(),
        kind=str(finding.kind),
        subject=finding.subject[:200],
        channel_id=finding.channel_id,
        channel_key=finding.channel_id or "",
        severity=str(finding.severity),
        summary=finding.summary,
        details=orjson.dumps(finding.details, default=str).decode(),
        now=micros(now),
    )
    assert row is not None
    if row["occurrences"] > 1:
        trail.note_again(tx, row, now)
    else:
        trail.note(tx, row, CaseAction.OPENED, now, remark=finding.summary)
        owner = tx.value("SELECT owner FROM case_owner WHERE kind = :kind", kind=str(finding.kind))
        if owner is not None:
            hand_over(tx, row, owner, now)
    return row["id"]


def settle(
    tx: Transaction, kind: CaseKind, subject: str, channel_id: str | None, now: datetime
) -> None:
    """Close the open case of an identity, if any, after the operation succeeded."""
    settle_many(tx, kind, [subject], channel_id, now)


def settle_many(
    tx: Transaction,
    kind: CaseKind,
    subjects: Sequence[str],
    channel_id: str | None,
    now: datetime,
) -> None:
    """Close the open cases of several subjects."""
    if subjects:
        rows = tx.rows_as(
            CaseRow,
            "UPDATE exception_case SET state = 'resolved', resolved_at = :now, "
            "resolved_by = 'hub', resolution = 'It succeeded later.' WHERE kind = :kind "
            "AND subject IN (:subjects...) AND channel_key = :channel AND state <> 'resolved' "
            "RETURNING *",
            now=micros(now),
            kind=str(kind),
            subjects=[subject[:200] for subject in subjects],
            channel=channel_id or "",
        )
        for row in rows:
            trail.note(tx, row, CaseAction.RESOLVED, now, remark=row["resolution"])


def find_open(tx: Transaction, case_id: str) -> CaseRow | None:
    """Return a case by its id if it is open."""
    return tx.row_as(
        CaseRow,
        "SELECT * FROM exception_case WHERE id = :id AND state <> 'resolved'",
        id=case_id,
    )


def open_id(tx: Transaction, kind: CaseKind, subject: str, channel_id: str | None) -> str | None:
    """Return the id of the open case of an identity, if any."""
    found = tx.row_as(
        _Identified,
        "SELECT id FROM exception_case WHERE kind = :kind AND subject = :subject "
        "AND channel_key = :channel AND state <> 'resolved'",
        kind=str(kind),
        subject=subject[:200],
        channel=channel_id or "",
    )
    return None if found is None else found["id"]


def settle_one(tx: Transaction, case_id: str, reason: str, now: datetime) -> None:
    """Close a case, if it is open, because what it is about was seen to be over."""
    row = tx.row_as(
        CaseRow,
        "UPDATE exception_case SET state = 'resolved', resolved_at = :now, resolved_by = 'hub', "
        "resolution = :reason WHERE id = :id AND state <> 'resolved' RETURNING *",
        now=micros(now),
        reason=reason,
        id=case_id,
    )
    if row is not None:
        trail.note(tx, row, CaseAction.RESOLVED, now, remark=reason)


def settle_others(
    tx: Transaction,
    kind: CaseKind,
    prefix: str,
    still: Collection[str],
    channel_id: str,
    now: datetime,
) -> None:
    """Close the open cases whose subject begins with `prefix`, except the subjects in `still`."""
    rows = tx.rows_as(
        _Subject,
        "SELECT subject FROM exception_case WHERE kind = :kind AND channel_key = :channel "
        "AND state <> 'resolved'",
        kind=str(kind),
        channel=channel_id,
    )
    kept = {subject[:200] for subject in still}
    over = [each["subject"] for each in rows if each["subject"].startswith(prefix)]
    settle_many(tx, kind, [each for each in over if each not in kept], channel_id, now)


class _Subject(TypedDict):
    subject: str


class _Identified(TypedDict):
    id: str


def assign(tx: Transaction, context: CommandContext, case: CaseRow | Row, owner: str) -> None:
    """Assign an open case to an owner; raises StepNotAllowed for a resolved one."""
    _open(case)
    hand_over(tx, case, owner, context.now, actor=context.actor)


def hand_over(
    tx: Transaction,
    case: _Identified | Row,
    owner: str,
    now: datetime,
    *,
    actor: str = trail.HUB,
    rule: str | None = None,
) -> None:
    """Assign a case that is known to be open to an owner."""
    row = tx.row_as(
        CaseRow,
        "UPDATE exception_case SET state = 'assigned', owner = :owner WHERE id = :id RETURNING *",
        owner=owner,
        id=case["id"],
    )
    assert row is not None
    trail.note(tx, row, CaseAction.ASSIGNED, now, actor=actor, rule=rule)


def resolve(tx: Transaction, context: CommandContext, case: CaseRow | Row, resolution: str) -> None:
    """Close a case with its resolution; raises StepNotAllowed for a resolved one."""
    _open(case)
    close(tx, context, case, resolution)


def close(
    tx: Transaction,
    context: CommandContext,
    case: _Identified | Row,
    resolution: str,
    *,
    rule: str | None = None,
) -> None:
    """Close a case that is known to be open."""
    row = tx.row_as(
        CaseRow,
        "UPDATE exception_case SET state = 'resolved', resolution = :resolution, "
        "resolved_by = :actor, resolved_at = :now WHERE id = :id RETURNING *",
        resolution=resolution,
        actor=context.actor,
        now=micros(context.now),
        id=case["id"],
    )
    assert row is not None
    trail.note(
        tx,
        row,
        CaseAction.RESOLVED,
        context.now,
        actor=context.actor,
        rule=rule,
        remark=resolution,
    )


def reopen(tx: Transaction, context: CommandContext, case: CaseRow | Row, reason: str) -> None:
    """Open a resolved case again, with its owner.

    Its trail keeps the resolution. Raises StepNotAllowed if it, or another case of the same
    identity, is open.
    """
    if case["state"] != "resolved":
        raise StepNotAllowed("the case is open", allowed=["resolve"])
    newer = tx.value(
        "SELECT id FROM exception_case WHERE kind = :kind AND subject = :subject "
        "AND channel_key = :channel AND state <> 'resolved'",
        kind=case["kind"],
        subject=case["subject"],
        channel=case["channel_key"],
    )
    if newer is not None:
        raise StepNotAllowed(f"the same is open already, as the case {newer}", allowed=[])
    row = tx.row_as(
        CaseRow,
        "UPDATE exception_case SET resolution = NULL, resolved_by = NULL, resolved_at = NULL, "
        "state = CASE WHEN owner IS NULL THEN 'open' ELSE 'assigned' END, newest_at = :now "
        "WHERE id = :id RETURNING *",
        now=micros(context.now),
        id=case["id"],
    )
    assert row is not None
    trail.note(tx, row, CaseAction.REOPENED, context.now, actor=context.actor, remark=reason)


def _open(case: CaseRow | Row) -> None:
    if case["state"] == "resolved":
        raise StepNotAllowed("the case is resolved already", allowed=[])
