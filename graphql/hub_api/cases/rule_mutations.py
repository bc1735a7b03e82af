"""Mutations for case rules."""

import strawberry

from hub.access.keys import Scope
from hub.cases import CaseKind, rules
from hub_api.cases.rule_types import CaseOwners, CaseRuleInput, CaseRules, shown_owners, shown_rules
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer

CaseRulesResult = answer("CaseRulesResult", CaseRules)


@strawberry.type
class CaseRuleMutation:
    """Changing rules."""

    @command(
        Scope.ADMIN,
        description="Make or change a rule; the sweep applies it from now on.",
        result=CaseRulesResult,
    )
    async def put_case_rule(self, call: Call, rule: CaseRuleInput) -> CaseRules:
        context, plain = call.context.command_context(), rule.plain()
        done = await call.once(context, lambda work: rules.put(work.tx, context, plain))
        return CaseRules(rules=await call.context.read(shown_rules), replayed=done.replayed)

    @command(Scope.ADMIN, description="Remove a rule.", result=CaseRulesResult)
    async def remove_case_rule(self, call: Call, code: str) -> CaseRules:
        """Remove a rule; what it did stays in the trails."""
        done = await call.once(
            call.context.command_context(), lambda work: rules.remove(work.tx, code)
        )
        return CaseRules(rules=await call.context.read(shown_rules), replayed=done.replayed)

    @command(
        Scope.ADMIN,
        description="Set the owner of new cases of a kind; without an owner they have none.",
        result=answer("SetCaseOwnerResult", CaseOwners),
    )
    async def set_case_owner(
        self, call: Call, kind: CaseKind, owner: str | None = None
    ) -> CaseOwners:
        """Set the owner of a kind."""
        context = call.context.command_context()
        done = await call.once(context, lambda work: rules.set_owner(work.tx, context, kind, owner))
        return CaseOwners(owners=await call.context.read(shown_owners), replayed=done.replayed)
