"""Lines of the push log for each attempt of the relay."""

import orjson

from hub.storage.rows import OutboxRow
from hub.sync.listings import LeasedLevel
from hub.sync.push_log import Push, PushOutcome
from jobs.recovery import Decision

LEVEL = "level"


def of_level(level: LeasedLevel, decision: Decision | None) -> Push:
    """Describe an attempt to send a level; without a decision it succeeded."""
    return Push(
        topic=LEVEL,
        subject=level.sku,
        key=level.key,
        sent={"quantity": level.desired, "expected": level.observed},
        outcome=_outcome(decision),
        answer=f"shows {level.desired}" if decision is None else decision.error,
    )


def of_fact(fact: OutboxRow, decision: Decision | None, answer: str = "") -> Push:
    """Describe an attempt to send a fact; without a decision it succeeded."""
    return Push(
        topic=fact["topic"],
        subject=fact["subject"],
        key=fact["key"],
        sent=orjson.loads(fact["payload"]),
        outcome=_outcome(decision),
        answer=answer if decision is None else decision.error,
    )


def _outcome(decision: Decision | None) -> PushOutcome:
    if decision is None:
        return PushOutcome.ACCEPTED
    return PushOutcome.GIVEN_UP if decision.due_at is None else PushOutcome.WAITS
