"""Trail of a case: every change with its actor and time; append-only.

Repeated findings are one line an hour with the number of occurrences, so that a frequent fault does
not hide the other lines.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypedDict

from hub.clock import micros, new_id
from hub.storage.rows import CaseEventRow
from hub.storage.sql import Transaction

HUB = "hub"  # actor of automatic changes
COALESCED = timedelta(hours=1)
COLUMNS = (
    "id", "case_id", "action", "actor", "rule", "state", "severity", "owner", "occurrences",
    "remark", "happened_at",
)  # fmt: skip


class CaseAction(StrEnum):
    """Change of a case."""

    OPENED = "opened"
    SEEN_AGAIN = "seen_again"
    ASSIGNED = "assigned"
    ESCALATED = "escalated"
    REPLAYED = "replayed"  # its dead letters were requeued
    RESOLVED = "resolved"
    REOPENED = "reopened"


class TrailedCase(TypedDict):
    """The columns of a case that its trail records."""

    id: str
    state: str
    severity: str
    owner: str | None
    occurrences: int
    summary: str


class _LastLine(TypedDict):
    action: str
    severity: str
    happened_at: int


def note(
    tx: Transaction,
    case: TrailedCase,
    action: CaseAction,
    now: datetime,
    *,
    actor: str = HUB,
    rule: str | None = None,
    remark: str | None = None,
) -> None:
    """Append a change of a case, given in its state after the change."""
    line = (
        new_id(), case["id"], str(action), actor[:100], rule, case["state"], case["severity"],
        case["owner"], case["occurrences"], remark, micros(now),
    )  # fmt: skip
    tx.insert("case_event", COLUMNS, [line])


def note_again(tx: Transaction, case: TrailedCase, now: datetime) -> None:
    """Append that a case was seen again, unless its last line says so within the hour."""
    last = tx.row_as(
        _LastLine,
        "SELECT action, severity, happened_at FROM case_event WHERE case_id = :id "
        "ORDER BY id DESC LIMIT 1",
        id=case["id"],
    )
    is_noted = (
        last is not None
        and last["action"] == CaseAction.SEEN_AGAIN
        and last["happened_at"] > micros(now - COALESCED)
        and last["severity"] == case["severity"]
    )
    if not is_noted:
        note(tx, case, CaseAction.SEEN_AGAIN, now, remark=case["summary"])


def of_cases(tx: Transaction, case_ids: list[str]) -> dict[str, list[CaseEventRow]]:
    """Return the trails of cases, oldest line first, by case id."""
    found: dict[str, list[CaseEventRow]] = {case_id: [] for case_id in case_ids}
    for row in tx.rows_as(
        CaseEventRow,
        "SELECT * FROM case_event WHERE case_id IN (:ids...) ORDER BY id",
        ids=case_ids,
    ):
        found[row["case_id"]].append(row)
    return found
