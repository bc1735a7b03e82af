"""Work priorities: editable rules that rank the work at a site.

The rules evaluate the waiting time (`days`), the channel of the order, the product and its value,
and the kind of work (`reasons`); `findings` are the tags of the order, such as express, and `due`
or `overdue` by its promised day.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TypedDict

import orjson

from hub import decision_rules
from hub.catalogue import reference
from hub.clock import moment
from hub.decision_rules import Conditions, Facts, Priority, Rule, Topic
from hub.errors import InvalidInput
from hub.storage.documents import values
from hub.storage.sql import Transaction

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


class PriorityFacts(TypedDict):
    """Facts of a piece of work that the rules evaluate; None and no tags without an order."""

    sku: str
    category: str | None
    channel_code: str | None
    kind: str
    value: int | None
    tags: str | None
    promised_on: str | None


class Ranking:
    """Priority rules, read once for many pieces of work."""

    def __init__(self, tx: Transaction, now: datetime) -> None:
        self._rules = decision_rules.rules(tx, Topic.PRIORITY, PRIORITY_RULES)
        self._now = now

    def of(self, row: PriorityFacts, waits_since: int) -> tuple[Priority, str]:
        """Return the priority of a piece of work and the code of the rule that decides it.

        `waits_since` is in microseconds since 1970.
        """
        facts = Facts(
            sku=row["sku"],
            category=row["category"],
            channel=row["channel_code"],
            reason=row["kind"],
            days=max(0, (self._now - moment(waits_since)).days),
            value=row["value"],
            findings=self._tags(row),
        )
        rule = decision_rules.decide(self._rules, facts)
        return Priority(rule.decision), rule.code

    def _tags(self, row: PriorityFacts) -> frozenset[str]:
        tags = set(values(row["tags"]))
        if promised := row["promised_on"]:
            today = self._now.date().isoformat()
            tags |= {"overdue"} if promised < today else {"due"} if promised == today else set()
        return frozenset(tags)


def day_of(ship_by: int | None) -> str | None:
    """Return the day (UTC) by which a channel promised that an order leaves, as an ISO date.

    A day that somebody sets for the order here counts before it.
    """
    return None if ship_by is None else moment(ship_by).date().isoformat()


def put(tx: Transaction, order_id: str, tags: Sequence[str], day: date | None) -> list[str]:
    """Set the tags of an order and its promised day; return the stored tags, sorted.

    Raises InvalidInput for too many or too long tags, UnknownReference for an unknown order.
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
