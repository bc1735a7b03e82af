"""What is done first: rules that people can change rank the work by its priority.

The rules look at how long it waits (`days`), the channel of the order, the product and its value,
and as `reasons` at the kind of work; `findings` are the tags of the order, such as express, and
`overdue` when its promised day has come.
"""

from collections.abc import Sequence
from datetime import date, datetime

import orjson

from hub import decision_rules
from hub.catalogue import reference
from hub.clock import moment
from hub.decision_rules import Conditions, Facts, Priority, Rule, Topic
from hub.errors import InvalidInput
from hub.storage.sql import Row, Transaction

TAGS_MAX = 10
TAG_CHARS_MAX = 30
ORDER = tuple(Priority)


def _rule(code: str, name: str, rank: int, fits: Conditions, decision: Priority) -> Rule:
    return Rule(
        topic=Topic.PRIORITY,
        code=code,
        name=name,
        rank=rank,
        conditions=fits,
        decision=str(decision),
        built_in=True,
    )


PRIORITY_RULES = (
    _rule(
        "express",
        "The order is express, or its promised day is past",
        10_010,
        Conditions(findings=("express", "overdue")),
        Priority.URGENT,
    ),
    _rule("due", "It is promised for today", 10_020, Conditions(findings=("due",)), Priority.HIGH),
    _rule("waits", "It waits for two days", 10_030, Conditions(days_from=2), Priority.HIGH),
    _rule("else", "Everything else, in its turn", 10_990, Conditions(), Priority.NORMAL),
)


class Ranking:
    """The rules, read once, for as many pieces of work as there are."""

    def __init__(self, tx: Transaction, now: datetime) -> None:
        self._rules = decision_rules.rules(tx, Topic.PRIORITY, PRIORITY_RULES)
        self._now = now

    def of(self, row: Row, waits_since: int) -> tuple[Priority, str]:
        """Return how urgent a piece of work is, and the code of the rule that says so.

        `row` may have `channel_code`, `sku`, `category`, `value`; `waits_since` in microseconds.
        """
        facts = Facts(
            sku=row.get("sku"),
            category=row.get("category"),
            channel=row.get("channel_code"),
            reason=row.get("kind"),
            days=max(0, (self._now - moment(waits_since)).days),
            value=row.get("value"),
            findings=self._tags(row),
        )
        rule = decision_rules.decide(self._rules, facts)
        return Priority(rule.decision), rule.code

    def _tags(self, row: Row) -> frozenset[str]:
        tags = set(orjson.loads(row.get("tags") or "[]"))
        if promised := row.get("promised_on"):
            today = self._now.date().isoformat()
            tags |= {"overdue"} if promised < today else {"due"} if promised == today else set()
        return frozenset(tags)


def put(tx: Transaction, order_id: str, tags: Sequence[str], day: date | None) -> list[str]:
    """Say what is special about an order, and by which day it is to leave; return the tags.

    Raises InvalidInput for tags that are too many or too long, UnknownReference for no order.
    """
    kept = sorted({tag.strip().casefold() for tag in tags})
    if len(kept) > TAGS_MAX or not all(0 < len(tag) <= TAG_CHARS_MAX for tag in kept):
        raise InvalidInput(
            f"at most {TAGS_MAX} tags of 1 to {TAG_CHARS_MAX} characters", field="tags"
        )
    reference(tx, "sales_order", "id", order_id)
    tx.run(
        "UPDATE sales_order SET tags = :tags, promised_on = :day WHERE id = :id",
        tags=orjson.dumps(kept).decode(),
        day=day.isoformat() if day else None,
        id=order_id,
    )
    return kept


def ranked(rows: Sequence[Row], ranking: Ranking, since: str) -> list[Row]:
    """Return work with its `priority` and `rule`, the most urgent first, then the oldest."""
    judged = [
        {**row, **dict(zip(("priority", "rule"), ranking.of(row, row[since]), strict=True))}
        for row in rows
    ]
    return sorted(judged, key=lambda row: (ORDER.index(row["priority"]), row[since]))
