"""Queries for decision rules."""

import strawberry

from hub import decision_rules as policies
from hub.access.keys import Scope
from hub.decision_rules import Topic
from hub_api.common.context import Info
from hub_api.decision_rules.types import DecisionRule, RuleFactsInput, rules
from hub_api.engine.stored import each


@strawberry.type
class PolicyQuery:
    """Reading rules."""

    @strawberry.field(
        description="The rules of a topic, in the order in which they are tried.",
        metadata={"size": 50},
    )
    async def decision_rules(self, info: Info, topic: Topic) -> list[DecisionRule]:
        info.context.require(Scope.POS, Scope.SCANNER)
        return each(DecisionRule.of, await rules(info, topic))

    @strawberry.field(description="The rule that would decide. Nothing is changed by it.")
    async def preview_rule(self, info: Info, topic: Topic, facts: RuleFactsInput) -> DecisionRule:
        info.context.require(Scope.POS, Scope.SCANNER)
        return DecisionRule.of(policies.decide(await rules(info, topic), facts.plain()))
