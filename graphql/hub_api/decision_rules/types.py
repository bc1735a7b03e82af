"""Policies: the rules that decide about returns, routes, claims and what is done first."""

from dataclasses import fields
from typing import Any

import strawberry

from hub import decision_rules as policies
from hub.after_sales.claim_rules import CLAIM_RULES
from hub.decision_rules import Conditions, Facts, Rule, Topic
from hub.fulfillment.priorities import PRIORITY_RULES
from hub.reconciliation.fix_rules import FIX_RULES
from hub.returns.findings import RETURN_RULES, ROUTE_RULES
from hub_api.common.context import Info

BUILT_IN = {
    Topic.RETURN: RETURN_RULES,
    Topic.ROUTE: ROUTE_RULES,
    Topic.CLAIM: CLAIM_RULES,
    Topic.PRIORITY: PRIORITY_RULES,
    Topic.FIX: FIX_RULES,
}


@strawberry.input(
    description="When a rule fits: all that is named must hold; of a list, one is enough."
)
class RuleConditionsInput:
    reasons: list[str] = strawberry.field(default_factory=list)
    conditions: list[str] = strawberry.field(default_factory=list)
    grades: list[str] = strawberry.field(default_factory=list)
    skus: list[str] = strawberry.field(default_factory=list)
    categories: list[str] = strawberry.field(default_factory=list)
    channels: list[str] = strawberry.field(default_factory=list)
    covers: list[str] = strawberry.field(
        description="yes, no or unknown; of a claim.", default_factory=list
    )
    findings: list[str] = strawberry.field(
        description="Codes of findings, in small letters.", default_factory=list
    )
    days_from: int | None = strawberry.field(
        description="Since the sale; of a priority, since the order was placed.", default=None
    )
    days_to: int | None = None
    value_from: int | None = strawberry.field(
        description="Of the product, in the smallest part of its currency.", default=None
    )
    value_to: int | None = None
    units_from: int | None = strawberry.field(
        description="Units by which two sides differ; of a fix.", default=None
    )
    units_to: int | None = strawberry.field(
        description="Most units by which two sides differ; of a fix.", default=None
    )
    recalled: bool | None = None

    def plain(self) -> Conditions:
        """Return the conditions."""
        given: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each
            for name, each in vars(self).items()
        }
        return Conditions(**given)


@strawberry.input(description="Facts to decide about; a fact that is left out is unknown.")
class RuleFactsInput:
    """What is known of a matter."""

    reason: str | None = None
    condition: str | None = None
    grade: str | None = None
    sku: str | None = None
    category: str | None = None
    channel: str | None = None
    cover: str | None = None
    findings: list[str] = strawberry.field(default_factory=list)
    days: int | None = None
    value: int | None = None
    units: int | None = strawberry.field(
        description="Units by which two sides differ; of a fix.", default=None
    )
    recalled: bool | None = None

    def plain(self) -> Facts:
        """Return the facts."""
        return Facts(**vars(self) | {"findings": frozenset(self.findings)})


@strawberry.type(description="When a rule fits.")
class RuleConditions:
    reasons: list[str]
    conditions: list[str]
    grades: list[str]
    skus: list[str]
    categories: list[str]
    channels: list[str]
    covers: list[str]
    findings: list[str]
    days_from: int | None
    days_to: int | None
    value_from: int | None
    value_to: int | None
    units_from: int | None = strawberry.field(
        description="Fewest units by which two sides differ; of a fix."
    )
    units_to: int | None = strawberry.field(
        description="Most units by which two sides differ; of a fix."
    )
    recalled: bool | None


@strawberry.type(description="One rule. The rule of the smallest rank that fits decides.")
class DecisionRule:
    topic: Topic
    code: str
    name: str
    rank: int
    conditions: RuleConditions
    decision: str
    is_fixed: bool = strawberry.field(description="It comes before all others, and stays.")
    is_built_in: bool = strawberry.field(
        description="It is not ours; a rule of ours with its code replaces it, unless it is fixed."
    )

    @classmethod
    def of(cls, rule: Rule) -> "DecisionRule":
        """Show a rule."""
        given: dict[str, Any] = {}
        for each in fields(Conditions):
            value = getattr(rule.conditions, each.name)
            given[each.name] = list(value) if isinstance(value, tuple) else value
        return cls(
            topic=rule.topic,
            code=rule.code,
            name=rule.name,
            rank=rule.rank,
            conditions=RuleConditions(**given),
            decision=rule.decision,
            is_fixed=rule.fixed,
            is_built_in=rule.built_in,
        )


@strawberry.type(description="The rules of a topic after a change.")
class DecisionRules:
    """The rules of a topic, in the order in which they are tried."""

    rules: list[DecisionRule] = strawberry.field(metadata={"size": 50})
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )


async def rules(info: Info, topic: Topic) -> list[Rule]:
    """Return the rules of a topic with the built-in ones, in the order in which they apply."""
    return await info.context.read(lambda tx: policies.rules(tx, topic, BUILT_IN[topic]))
