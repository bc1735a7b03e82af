"""The trail of a case: every change of it, by whom and when; nothing is ever changed in it.

The same thing found again and again is one line an hour with the number of occurrences by then,
else a fault that is found every half minute would tell of nothing else.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from hub.clock import micros, new_id
from hub.storage.sql import Row, Transaction

HUB = "hub"  # what nobody did by hand
COALESCED = timedelta(hours=1)
COLUMNS = (
    "id", "case_id", "action", "actor", "rule", "state", "severity", "owner", "occurrences",
    "remark", "happened_at",
)  # fmt: skip


class CaseAction(StrEnum):
    """What became of a case."""

    OPENED = "opened"
    SEEN_AGAIN = "seen_again"
    ASSIGNED = "assigned"
    ESCALATED = "escalated"
    REPLAYED = "replayed"  # its dead letters were put back in their queue
    RESOLVED = "resolved"
    REOPENED = "reopened"


def note(
    tx: Transaction,
    case: Row,
    action: CaseAction,
    now: datetime,
    *,
    actor: str = HUB,
    rule: str | None = None,
    remark: str | None = None,
) -> None:
    """Append what became of a case, which is given as it is now."""
    line = (
        new_id(), case["id"], str(action), actor[:100], rule, case["state"], case["severity"],
        case["owner"], case["occurrences"], remark, micros(now),
    )  # fmt: skip
    tx.insert("case_event", COLUMNS, [line])


def note_again(tx: Transaction, case: Row, now: datetime) -> None:
    """Append that a case was seen again, unless that was told within the hour and nothing else."""
    last = tx.row(
        "SELECT action, severity, happened_at FROM case_event WHERE case_id = :id "
        "ORDER BY id DESC LIMIT 1",
        id=case["id"],
    )
    told = (
        last is not None
        and last["action"] == CaseAction.SEEN_AGAIN
        and last["happened_at"] > micros(now - COALESCED)
        and last["severity"] == case["severity"]
    )
    if not told:
        note(tx, case, CaseAction.SEEN_AGAIN, now, remark=case["summary"])


def of_cases(tx: Transaction, case_ids: list[str]) -> dict[str, list[Row]]:
    """Return the trails of cases, oldest first."""
    found: dict[str, list[Row]] = {case_id: [] for case_id in case_ids}
    for row in tx.rows(
        "SELECT * FROM case_event WHERE case_id IN (:ids...) ORDER BY id", ids=case_ids
    ):
        found[row["case_id"]].append(row)
    return found
