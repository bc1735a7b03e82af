"""Queries for case rules."""

import strawberry

from hub.access.keys import Scope
from hub.cases import quality, rules
from hub.cases.quality import Check
from hub.storage.paging import page_size
from hub_api.cases.rule_types import (
    CaseOwner,
    CaseRuleInput,
    CaseRuleShown,
    QualityFind,
    shown_owners,
    shown_rules,
)
from hub_api.cases.types import Case
from hub_api.common.context import Info
from hub_api.engine.stored import each


@strawberry.type
class CaseRuleQuery:
    """Reading rules, and what they would do."""

    @strawberry.field(
        description="All rules, in the order in which they are applied.", metadata={"size": 50}
    )
    async def case_rules(self, info: Info) -> list[CaseRuleShown]:
        info.context.require(Scope.OPS)
        return await info.context.read(shown_rules)

    @strawberry.field(description="Who gets new cases, by their kind.", metadata={"size": 20})
    async def case_owners(self, info: Info) -> list[CaseOwner]:
        info.context.require(Scope.OPS)
        return await info.context.read(shown_owners)

    @strawberry.field(
        description="The open cases that a rule would act on now. Nothing is changed by it."
    )
    async def preview_case_rule(
        self, info: Info, rule: CaseRuleInput, first: int = 50
    ) -> list[Case]:
        """Preview a rule, whether it is there already or not."""
        info.context.require(Scope.OPS)
        now, plain = info.context.clock(), rule.plain()
        rules.sensible(plain)
        found = await info.context.read(
            lambda tx: rules.fitting(tx, plain, now, limit=page_size(first))
        )
        return [Case.of(row, now) for row in found]

    @strawberry.field(
        description="Current findings of a data quality check; a job opens cases for them once a "
        "day.",
        metadata={"cost": 50},
    )
    async def data_quality(self, info: Info, check: Check, first: int = 50) -> list[QualityFind]:
        """Run one check, without opening cases."""
        info.context.require(Scope.OPS)
        now = info.context.clock()
        found = await info.context.read(
            lambda tx: quality.look(tx, check, now, limit=page_size(first))
        )
        return each(QualityFind.of, found)
