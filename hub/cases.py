"""Cases: exceptions with an owner, for what no rule could settle. Never just a line in a log.

A case is known by its kind, its subject and its channel. While it is open, the same thing again
updates it; when the thing succeeds, `settle` closes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from hub.clock import micros, new_id
from hub.errors import StepNotAllowed
from hub.occasion import Occasion
from hub.sql import Row, Transaction


class CaseKind(StrEnum):
    """What went wrong."""

    OVERSOLD = "oversold"  # an order needs more units than there are
    UNMAPPED_LISTING = "unmapped_listing"  # an order line whose SKU is nobody's
    UNKNOWN_SERIAL = "unknown_serial"  # a channel or manufacturer names a serial that is not ours
    WRONG_STATUS = "wrong_status"  # a unit was sold or shipped that could not be
    MISSING_CAPTURE = "missing_capture"  # a unit left without its serial being read
    SYNC_FAILURE = "sync_failure"  # a channel refuses what it is told
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
    UNREACHABLE_CUSTOMER = "unreachable_customer"  # a recall's notice did not arrive


class Severity(StrEnum):
    """How soon somebody should look."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found: the identity of a case, and its newest facts."""

    kind: CaseKind
    subject: str
    summary: str
    channel_id: str | None = None
    severity: Severity = Severity.MEDIUM
    details: dict[str, Any] = field(default_factory=dict)


def report(tx: Transaction, finding: Finding, now: datetime) -> str:
    """Open a case, or update the open one of the same identity; return its id."""
    row = tx.row(
        "INSERT INTO exception_case(id, kind, subject, channel_id, channel_key, severity, "
        "summary, details, opened_at, newest_at) VALUES(:id, :kind, :subject, :channel_id, "
        ":channel_key, :severity, :summary, :details, :now, :now) "
        "ON CONFLICT(kind, subject, channel_key) WHERE state <> 'resolved' DO UPDATE "
        "SET summary = excluded.summary, details = excluded.details, "
        "severity = excluded.severity, newest_at = excluded.newest_at, "
        "occurrences = exception_case.occurrences + 1 RETURNING id",
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
    return str(row["id"])


def settle(
    tx: Transaction, kind: CaseKind, subject: str, channel_id: str | None, now: datetime
) -> None:
    """Close the open case of an identity, if there is one: what failed has succeeded."""
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
        tx.run(
            "UPDATE exception_case SET state = 'resolved', resolved_at = :now, "
            "resolved_by = 'hub', resolution = 'It succeeded later.' WHERE kind = :kind "
            "AND subject IN (:subjects...) AND channel_key = :channel AND state <> 'resolved'",
            now=micros(now),
            kind=str(kind),
            subjects=[subject[:200] for subject in subjects],
            channel=channel_id or "",
        )


def assign(tx: Transaction, case: Row, owner: str) -> None:
    """Give an open case to somebody."""
    _open(case)
    tx.run(
        "UPDATE exception_case SET state = 'assigned', owner = :owner WHERE id = :id",
        owner=owner,
        id=case["id"],
    )


def resolve(tx: Transaction, occasion: Occasion, case: Row, resolution: str) -> None:
    """Close a case with what was done about it."""
    _open(case)
    tx.run(
        "UPDATE exception_case SET state = 'resolved', resolution = :resolution, "
        "resolved_by = :actor, resolved_at = :now WHERE id = :id",
        resolution=resolution,
        actor=occasion.actor,
        now=micros(occasion.now),
        id=case["id"],
    )


def _open(case: Row) -> None:
    if case["state"] == "resolved":
        raise StepNotAllowed("the case is resolved already", allowed=[])
