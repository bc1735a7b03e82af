"""Mutations for decision rules."""

import strawberry

from hub import decision_rules as policies
from hub.access.keys import Scope
from hub.decision_rules import Conditions, Rule, Topic
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.decision_rules.types import (
    BUILT_IN,
    DecisionRule,
    DecisionRules,
    RuleConditionsInput,
    rules,
)

DecisionRulesResult = answer("DecisionRulesResult", DecisionRules)


@strawberry.type
class PolicyMutation:
    """Changing rules."""

    @strawberry.mutation(
        description="Make or change a rule of our own.", graphql_type=DecisionRulesResult
    )
    async def put_decision_rule(
        self,
        info: Info,
        idempotency_key: str,
        topic: Topic,
        code: str,
        name: str,
        rank: int,
        decision: str,
        conditions: RuleConditionsInput | None = None,
    ) -> DecisionRules:
        """Put a rule; `decision` is one of the topic's words, in small letters."""
        info.context.require(Scope.ADMIN)
        fits = conditions.plain() if conditions else Conditions()
        rule = Rule(
            topic=topic, code=code, name=name, rank=rank, conditions=fits, decision=decision
        )
        context = info.context.command_context()
        given = [topic, code, name, rank, decision, fits.as_json()]
        done = await once(
            info.context,
            context,
            idempotency_key,
            "put_rule",
            given,
            lambda tx, _: policies.put(tx, context, rule, BUILT_IN[topic]),
        )
        shown = [DecisionRule.of(each) for each in await rules(info, topic)]
        return DecisionRules(rules=shown, replayed=done.replayed)

    @strawberry.mutation(
        description="Remove a rule of our own; the built-in one that it replaced is back.",
        graphql_type=DecisionRulesResult,
    )
    async def remove_decision_rule(
        self, info: Info, idempotency_key: str, topic: Topic, code: str
    ) -> DecisionRules:
        """Remove a rule."""
        info.context.require(Scope.ADMIN)
        done = await once(
            info.context,
            info.context.command_context(),
            idempotency_key,
            "remove_rule",
            [topic, code],
            lambda tx, _: policies.remove(tx, topic, code),
        )
        shown = [DecisionRule.of(each) for each in await rules(info, topic)]
        return DecisionRules(rules=shown, replayed=done.replayed)
