"""Losses: missing and stolen units, and units that are found again.

A lost unit keeps its last place. Its allocation ends, and its order gets another unit or a case;
the loss itself is a case until the unit is found. A found unit is inspected before it is sold.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypedDict

from hub import cases, ledger
from hub.cases import CaseKind, Finding, Severity
from hub.clock import moment
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan, identify
from hub.lifecycle import Action
from hub.orders.shortfall import promise_anew
from hub.storage.sql import Row, Transaction


class Loss(StrEnum):
    """Kind of a loss."""

    MISSING = "missing"
    STOLEN = "stolen"


ACTIONS = {Loss.MISSING: Action.LOSE, Loss.STOLEN: Action.REPORT_STOLEN}


def report(work: Work, loss: Loss, scans: Sequence[Scan]) -> list[Verdict]:
    """Record the loss of units; raises InvalidInput without a reason in the context."""
    if not (work.context.reason or "").strip():
        raise InvalidInput("say what is known of the loss: a loss needs its reason", field="reason")
    known = [each for each in identify(work.tx, scans) if not isinstance(each, Refused)]
    lines = {unit["id"]: unit["order_line_id"] for unit in known if unit["promised_to"]}
    verdicts = ledger.record(work, UnitCommand(action=ACTIONS[loss]), scans)
    lost = [each.unit_id for each in verdicts if each.accepted and each.unit_id]
    for row in _last_seen(work.tx, lost):
        seen = moment(row["occurred_at"])
        summary = (
            f"{row['serial']} ({row['sku']}) is {loss}: last seen at {row['code']} on "
            f"{seen:%Y-%m-%d %H:%M} by {row['actor']}."
        )
        finding = Finding(
            kind=CaseKind.MISSING_UNIT,
            subject=row["serial"],
            severity=Severity.HIGH,
            summary=summary,
            details={"serial": row["serial"], "sku": row["sku"], "place": row["code"],
                     "seen_at": seen.isoformat(), "seen_by": row["actor"], "loss": str(loss)},
        )  # fmt: skip
        cases.report(work.tx, finding, work.context.now)
    promise_anew(
        work.tx, work.context, sorted({line for each in lost if (line := lines.get(each))})
    )
    return verdicts


def find(work: Work, place: Row, scans: Sequence[Scan]) -> list[Verdict]:
    """Record that lost units were found at a place, and close their cases."""
    command = UnitCommand(action=Action.FIND, location=place)
    verdicts = ledger.record(work, command, scans)
    found = [each.unit_id for each in verdicts if each.accepted and each.unit_id]
    rows = work.tx.rows_as(_Serial, "SELECT serial FROM unit WHERE id IN (:ids...)", ids=found)
    serials = [row["serial"] for row in rows]
    cases.settle_many(work.tx, CaseKind.MISSING_UNIT, serials, None, work.context.now)
    return verdicts


class _Serial(TypedDict):
    serial: str


class _LastSeen(TypedDict):
    id: str
    serial: str
    sku: str
    code: str
    actor: str
    occurred_at: int


def _last_seen(tx: Transaction, unit_ids: Sequence[str]) -> list[_LastSeen]:
    """Return the last event of each unit before its loss."""
    return tx.rows_as(
        _LastSeen,
        "SELECT unit.id, unit.serial, product.sku, location.code, event.actor, event.occurred_at "
        "FROM unit JOIN product ON product.id = unit.product_id "
        "JOIN event ON event.unit_id = unit.id AND event.version = unit.version - 1 "
        "JOIN location ON location.id = event.location_to WHERE unit.id IN (:ids...) "
        "ORDER BY unit.id",
        ids=list(unit_ids),
    )
