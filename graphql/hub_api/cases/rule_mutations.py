"""Mutations for case rules."""

from dataclasses import asdict

import strawberry

from hub.access.keys import Scope
from hub.cases import CaseKind, rules
from hub_api.cases.rule_types import CaseOwners, CaseRuleInput, CaseRules, shown_owners, shown_rules
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer

CaseRulesResult = answer("CaseRulesResult", CaseRules)


@strawberry.type
class CaseRuleMutation:
    """Changing rules."""

    @strawberry.mutation(
        description="Make or change a rule; the sweep applies it from now on.",
        graphql_type=CaseRulesResult,
    )
    async def put_case_rule(
        self, info: Info, idempotency_key: str, rule: CaseRuleInput
    ) -> CaseRules:
        """Put a rule."""
        info.context.require(Scope.ADMIN)
        context, plain = info.context.command_context(), rule.plain()
        done = await once(
            info.context,
            context,
            idempotency_key,
            "put_case_rule",
            asdict(plain),
            lambda tx, _: rules.put(tx, context, plain),
        )
        return CaseRules(rules=await info.context.read(shown_rules), replayed=done.replayed)

    @strawberry.mutation(description="Remove a rule.", graphql_type=CaseRulesResult)
    async def remove_case_rule(self, info: Info, idempotency_key: str, code: str) -> CaseRules:
        """Remove a rule; what it did stays in the trails."""
        info.context.require(Scope.ADMIN)
        done = await once(
            info.context,
            info.context.command_context(),
            idempotency_key,
            "remove_case_rule",
            code,
            lambda tx, _: rules.remove(tx, code),
        )
        return CaseRules(rules=await info.context.read(shown_rules), replayed=done.replayed)

    @strawberry.mutation(
        description="Say who gets new cases of a kind; without an owner, nobody.",
        graphql_type=answer("SetCaseOwnerResult", CaseOwners),
    )
    async def set_case_owner(
        self, info: Info, idempotency_key: str, kind: CaseKind, owner: str | None = None
    ) -> CaseOwners:
        """Set the owner of a kind."""
        info.context.require(Scope.ADMIN)
        context = info.context.command_context()
        done = await once(
            info.context,
            context,
            idempotency_key,
            "set_case_owner",
            [kind, owner],
            lambda tx, _: rules.set_owner(tx, context, kind, owner),
        )
        return CaseOwners(owners=await info.context.read(shown_owners), replayed=done.replayed)
