"""Fix policy: editable rules that decide which differences are healed without a person.

The rules evaluate the kind of the difference (`reasons`), its cause, its proposed fix and whether
the fix raises or lowers what the channel offers (`findings`), the channel, the product, the number
of units by which the sides differ, and the value of these units.

No rule raises an offer blindly: `jobs.reconciliation` compares the orders of the channel first, and
looks at the subject once more. What did not hold several times is left to a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from hub import decision_rules
from hub.clock import moment
from hub.decision_rules import Conditions, Facts, FixDecision, Rule, Topic
from hub.reconciliation.kinds import ASKED, CHOICES, Fix, Kind
from hub.storage.rows import ChannelRow, ReconciliationDifferenceRow
from hub.storage.sql import Transaction

NOT_HELD_MAX = 2  # fixes that did not hold, after which a person decides


def _rule(code: str, name: str, rank: int, fits: Conditions, decision: FixDecision) -> Rule:
    return Rule(
        topic=Topic.FIX,
        code=code,
        name=name,
        rank=rank,
        conditions=fits,
        decision=str(decision),
        built_in=True,
    )


FIX_RULES = (
    _rule(
        "questions",
        "Its fix is a decision of a person",
        10_010,
        Conditions(findings=tuple(sorted(str(each) for each in ASKED))),
        FixDecision.ASK,
    ),
    _rule("else", "Its fix repeats a normal step", 10_990, Conditions(), FixDecision.HEAL),
)


class _Product(TypedDict):
    id: str
    sku: str
    category: str | None
    value: int | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What the policy decides about a difference: the fix to apply, or None to ask a person."""

    difference: ReconciliationDifferenceRow
    fix: Fix | None
    rule: str


def decide(
    tx: Transaction,
    channel: ChannelRow,
    differences: Sequence[ReconciliationDifferenceRow],
    now: datetime,
) -> list[Decided]:
    """Return what the policy decides about each difference, in their order."""
    if not differences:
        return []
    rules = decision_rules.rules(tx, Topic.FIX, FIX_RULES)
    products = {
        row["id"]: row
        for row in tx.rows_as(
            _Product,
            "SELECT id, sku, category, value FROM product WHERE id IN (:ids...)",
            ids=sorted({each["product_id"] for each in differences if each["product_id"]}),
        )
    }
    return [
        _decide(each, decision_rules.decide(rules, _facts(channel, each, products, now)))
        for each in differences
    ]


def _facts(
    channel: ChannelRow,
    difference: ReconciliationDifferenceRow,
    products: dict[str, _Product],
    now: datetime,
) -> Facts:
    product = products.get(difference["product_id"] or "")
    surplus = difference["surplus"]
    units = None if surplus is None else abs(surplus)
    worth = product["value"] if product is not None else None
    findings = {difference["cause"], difference["fix"]}
    if surplus:
        findings.add("raises_offer" if surplus < 0 else "lowers_offer")
    return Facts(
        reason=difference["kind"],
        channel=channel["code"],
        sku=product["sku"] if product is not None else None,
        category=product["category"] if product is not None else None,
        findings=frozenset(findings),
        days=(now - moment(difference["first_seen_at"])).days,
        value=None if worth is None else worth * max(1, units or 1),
        units=units,
    )


def _decide(difference: ReconciliationDifferenceRow, rule: Rule) -> Decided:
    if difference["heal_attempts"] >= NOT_HELD_MAX:
        return Decided(difference, None, "did-not-hold")
    fix = Fix(difference["fix"])
    decision = FixDecision(rule.decision)
    if decision is FixDecision.ASK:
        return Decided(difference, None, rule.code)
    if decision is not FixDecision.HEAL:
        fix = Fix(str(decision))
        if fix not in (Fix(difference["fix"]), *CHOICES.get(Kind(difference["kind"]), ())):
            return Decided(difference, None, rule.code)
    return Decided(difference, None if fix is Fix.ASK else fix, rule.code)
