"""Policies: rules as data that decide about returns, claims, fixes and what is done first.

The rule of the smallest rank that fits decides. Fixed rules come before all others and can not be
changed: no policy pays for a stolen unit or for another one than was sold. Rules of our own come
next, those built in last; a rule of our own with the code of one that is built in replaces it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

import orjson

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, UnknownReference
from hub.storage.documents import readable
from hub.storage.rows import DecisionRuleRow
from hub.storage.sql import Transaction

RANK_MAX = 9_999  # of a rule of our own; those that are built in come behind it
RULES_MAX = 200  # of our own, for one topic
VALUES_MAX = 50  # in one condition
VALUE_CHARS_MAX = 200
CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


class Topic(StrEnum):
    """Subject of a rule."""

    RETURN = "return"  # may it come back?
    ROUTE = "route"  # what becomes of it?
    CLAIM = "claim"  # does the warranty pay?
    PRIORITY = "priority"  # what is done first?
    FIX = "fix"  # is a difference healed without a person?


class ReturnDecision(StrEnum):
    """Decision on a return."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    REFER = "refer"  # a person decides


class Route(StrEnum):
    """Route of a returned unit."""

    RESTOCK = "restock"
    REPAIR = "repair"
    QUARANTINE = "quarantine"  # set aside and blocked
    RECYCLE = "recycle"
    WRITE_OFF = "write_off"
    HAND_BACK = "hand_back"  # to the customer: it is his
    REFER = "refer"  # a person decides


class ClaimDecision(StrEnum):
    """Decision on a warranty claim."""

    REPAIR = "repair"
    REPLACE = "replace"
    REFUSE = "refuse"
    REFER = "refer"  # a person decides


class FixDecision(StrEnum):
    """Decision on a difference between a channel and the ledger."""

    HEAL = "heal"  # by the fix that it proposes
    ASK = "ask"  # a person decides
    BIND_NEAR_MATCH = "bind_near_match"
    SELL_ON_ONE = "sell_on_one"
    SHARE_FIGURE = "share_figure"
    UNBIND_LISTING = "unbind_listing"


class Priority(StrEnum):
    """How soon a piece of work is to be done; the most urgent first."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


DECISIONS: dict[Topic, type[StrEnum]] = {
    Topic.RETURN: ReturnDecision,
    Topic.ROUTE: Route,
    Topic.CLAIM: ClaimDecision,
    Topic.PRIORITY: Priority,
    Topic.FIX: FixDecision,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one matter; None is not known, and fits no condition.

    `days` are those since the sale, for a priority since the order was placed, for a fix since the
    difference was first seen. `value` is that of the product in the smallest part of its currency,
    for a fix that of all units concerned. `cover` says whether a warranty covers it: yes, no or
    unknown. `units` is by how many units two sides differ.
    """

    reason: str | None = None
    condition: str | None = None
    grade: str | None = None
    sku: str | None = None
    category: str | None = None
    channel: str | None = None
    cover: str | None = None
    findings: frozenset[str] = frozenset()
    days: int | None = None
    value: int | None = None
    units: int | None = None
    recalled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions of a rule: all that are set must match; of a list, one value is enough."""

    reasons: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    days_from: int | None = None
    days_to: int | None = None
    value_from: int | None = None
    value_to: int | None = None
    units_from: int | None = None
    units_to: int | None = None
    recalled: bool | None = None

    def fit(self, facts: Facts) -> bool:
        """Return whether all conditions match."""
        lists = all(
            not (wanted := getattr(self, name)) or _folded(wanted) & _folded(_values(facts, fact))
            for name, fact in LISTS.items()
        )
        ranges = all(
            (low is None or (fact is not None and fact >= low))
            and (high is None or (fact is not None and fact <= high))
            for low, fact, high in (
                (self.days_from, facts.days, self.days_to),
                (self.value_from, facts.value, self.value_to),
                (self.units_from, facts.units, self.units_to),
            )
        )
        return lists and ranges and self.recalled in {None, facts.recalled}

    def as_json(self) -> dict[str, Any]:
        """Return the conditions that are set, as plain JSON values."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}


# The fact that each list of a rule is compared with.
LISTS = {
    "reasons": "reason",
    "conditions": "condition",
    "grades": "grade",
    "skus": "sku",
    "categories": "category",
    "channels": "channel",
    "covers": "cover",
    "findings": "findings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; `fixed` and `built_in` rules are not in the database."""

    topic: Topic
    code: str
    name: str
    rank: int
    conditions: Conditions
    decision: str
    fixed: bool = False
    built_in: bool = False


def _values(facts: Facts, name: str) -> Iterable[str]:
    value = getattr(facts, name)
    if value is None:
        return ()
    return [value] if isinstance(value, str) else value


def _folded(values: Iterable[str]) -> set[str]:
    return {" ".join(value.split()).casefold() for value in values}


def decide(rules: Sequence[Rule], facts: Facts) -> Rule:
    """Return the first rule that matches; the last built-in one matches everything."""
    return next(rule for rule in rules if rule.conditions.fit(facts))


def put(tx: Transaction, context: CommandContext, rule: Rule, built_in: Sequence[Rule]) -> None:
    """Create or change a custom rule; raises InvalidInput for an invalid one."""
    _validate(rule, built_in)
    known = tx.value("SELECT COUNT(*) FROM decision_rule WHERE topic = :t", t=str(rule.topic))
    if known >= RULES_MAX:
        raise InvalidInput(f"a topic has at most {RULES_MAX} rules", field="code")
    tx.run(
        "INSERT INTO decision_rule(id, topic, code, name, rank, conditions, outcome, changed_by, "
        "changed_at) VALUES(:id, :topic, :code, :name, :rank, :conditions, :outcome, :actor, :now) "
        "ON CONFLICT(topic, code) DO UPDATE SET name = excluded.name, rank = excluded.rank, "
        "conditions = excluded.conditions, outcome = excluded.outcome, "
        "changed_by = excluded.changed_by, changed_at = excluded.changed_at",
        id=new_id(),
        topic=str(rule.topic),
        code=rule.code,
        name=rule.name.strip(),
        rank=rule.rank,
        conditions=orjson.dumps(rule.conditions.as_json()).decode(),
        outcome=orjson.dumps({"decision": rule.decision}).decode(),
        actor=context.actor,
        now=micros(context.now),
    )


def remove(tx: Transaction, topic: Topic, code: str) -> None:
    """Remove a custom rule; raises UnknownReference."""
    values = {"topic": str(topic), "code": code}
    if not tx.run("DELETE FROM decision_rule WHERE topic = :topic AND code = :code", **values):
        raise UnknownReference(f"there is no rule {code!r} of our own", field="code")


def rules(tx: Transaction, topic: Topic, built_in: Sequence[Rule]) -> list[Rule]:
    """Return the rules of a topic in the order of their evaluation."""
    rows = tx.rows_as(
        DecisionRuleRow, "SELECT * FROM decision_rule WHERE topic = :topic", topic=str(topic)
    )
    own = readable(_rule, rows)
    replaced = {rule.code for rule in own}
    # The default rule stays, so that every case is decided.
    kept = [
        rule for rule in built_in if rule.fixed or rule.code not in replaced or rule is built_in[-1]
    ]
    return sorted([*own, *kept], key=lambda rule: (not rule.fixed, rule.rank, rule.code))


def _rule(row: DecisionRuleRow) -> Rule:
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in orjson.loads(row["conditions"]).items()
    }
    return Rule(
        topic=Topic(row["topic"]),
        code=row["code"],
        name=row["name"],
        rank=row["rank"],
        conditions=Conditions(**given),
        decision=orjson.loads(row["outcome"])["decision"],
    )


def _validate(rule: Rule, built_in: Sequence[Rule]) -> None:
    if not CODE.fullmatch(rule.code):
        raise InvalidInput("a code has 1 to 60 of a-z, 0-9 and -", field="code")
    if any(rule.code == each.code and each.fixed for each in built_in):
        raise InvalidInput("this rule is fixed: it can not be replaced", field="code")
    if not 0 < len(rule.name.strip()) <= VALUE_CHARS_MAX:
        raise InvalidInput(f"a name has 1 to {VALUE_CHARS_MAX} characters", field="name")
    if not 0 <= rule.rank <= RANK_MAX:
        raise InvalidInput(f"a rank is 0 to {RANK_MAX}", field="rank")
    decisions = [str(each) for each in DECISIONS[rule.topic]]
    if rule.decision not in decisions:
        raise InvalidInput(f"it decides one of {', '.join(decisions)}", field="decision")
    for each in fields(rule.conditions):
        _validate_condition(each.name, getattr(rule.conditions, each.name))
    for low, high, name in (
        (rule.conditions.days_from, rule.conditions.days_to, "days"),
        (rule.conditions.value_from, rule.conditions.value_to, "value"),
        (rule.conditions.units_from, rule.conditions.units_to, "units"),
    ):
        if low is not None and high is not None and low > high:
            raise InvalidInput(f"the {name} end before they begin", field="conditions")


def _validate_condition(name: str, value: Any) -> None:
    if isinstance(value, tuple):
        fine = len(value) <= VALUES_MAX and all(
            0 < len(each.strip()) <= VALUE_CHARS_MAX for each in value
        )
    else:
        fine = value is None or isinstance(value, bool) or value >= 0
    if not fine:
        raise InvalidInput(
            f"{name}: at most {VALUES_MAX} texts of 1 to {VALUE_CHARS_MAX} characters, "
            "or a figure that is not negative",
            field="conditions",
        )
