"""What the relay writes into the log of pushes about each try."""

import orjson

from hub.storage.sql import Row
from hub.sync.listings import LeasedLevel
from hub.sync.push_log import Push, PushOutcome
from jobs.recovery import Decision

LEVEL = "level"


def of_level(level: LeasedLevel, decision: Decision | None) -> Push:
    """Describe the telling of a level; without a decision it arrived."""
    return Push(
        topic=LEVEL,
        subject=level.sku,
        key=level.key,
        sent={"quantity": level.desired, "expected": level.observed},
        outcome=_outcome(decision),
        answer=f"shows {level.desired}" if decision is None else decision.error,
    )


def of_fact(fact: Row, decision: Decision | None, answer: str = "") -> Push:
    """Describe the telling of a fact; without a decision it arrived."""
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
