"""Mutations for decision rules."""

import strawberry

from hub import decision_rules as policies
from hub.access.keys import Scope
from hub.decision_rules import Conditions, Rule, Topic
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.decision_rules.types import (
    BUILT_IN,
    DecisionRule,
    DecisionRules,
    RuleConditionsInput,
    rules,
)
from hub_api.engine.stored import each

DecisionRulesResult = answer("DecisionRulesResult", DecisionRules)


@strawberry.type
class PolicyMutation:
    """Changing rules."""

    @command(
        Scope.ADMIN, description="Make or change a rule of our own.", result=DecisionRulesResult
    )
    async def put_decision_rule(
        self,
        call: Call,
        topic: Topic,
        code: str,
        name: str,
        rank: int,
        decision: str,
        conditions: RuleConditionsInput | None = None,
    ) -> DecisionRules:
        """Put a rule; `decision` is one of the topic's words, in small letters."""
        fits = conditions.plain() if conditions else Conditions()
        rule = Rule(
            topic=topic, code=code, name=name, rank=rank, conditions=fits, decision=decision
        )
        context = call.context.command_context()

        done = await call.once(
            context, lambda work: policies.put(work.tx, context, rule, BUILT_IN[topic])
        )
        shown = each(DecisionRule.of, await rules(call.info, topic))
        return DecisionRules(rules=shown, replayed=done.replayed)

    @command(
        Scope.ADMIN,
        description="Remove a rule of our own; the built-in one that it replaced is back.",
        result=DecisionRulesResult,
    )
    async def remove_decision_rule(self, call: Call, topic: Topic, code: str) -> DecisionRules:
        done = await call.once(
            call.context.command_context(), lambda work: policies.remove(work.tx, topic, code)
        )
        shown = each(DecisionRule.of, await rules(call.info, topic))
        return DecisionRules(rules=shown, replayed=done.replayed)
