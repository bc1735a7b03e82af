"""Rules that work on cases by themselves, who gets new cases, and the checks of data quality."""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import strawberry

from hub.cases import CaseKind, Severity, rules
from hub.cases.quality import Check, Find
from hub.cases.rules import CaseRule, Conditions, Parameters, RuleAction
from hub.clock import moment
from hub.storage.sql import Row, Transaction
from hub_api.engine.stored import each


@strawberry.input(
    description="When a rule fits: all that is named must hold; of a list, one is enough."
)
class CaseConditionsInput:
    kinds: list[CaseKind] = strawberry.field(default_factory=list)
    severities: list[Severity] = strawberry.field(default_factory=list)
    channels: list[str] = strawberry.field(default_factory=list)
    open_hours_from: int | None = strawberry.field(description="Since it was opened.", default=None)
    quiet_hours_from: int | None = strawberry.field(
        description="Since it was last seen.", default=None
    )
    occurrences_from: int | None = None
    has_owner: bool | None = None

    def plain(self) -> Conditions:
        """Return the conditions."""
        given: dict[str, Any] = {
            name: tuple(str(value) for value in each) if isinstance(each, list) else each
            for name, each in vars(self).items()
        }
        return Conditions(**given)


@strawberry.input(description="A rule; the same code again changes it.")
class CaseRuleInput:
    code: str
    name: str
    action: RuleAction
    rank: int = strawberry.field(description="Small ranks are applied first.", default=100)
    conditions: CaseConditionsInput = strawberry.field(default_factory=CaseConditionsInput)
    owner: str | None = strawberry.field(description="For ASSIGN.", default=None)
    resolution: str | None = strawberry.field(description="For CLOSE.", default=None)
    severity: Severity | None = strawberry.field(description="For ESCALATE.", default=None)
    times_max: int = strawberry.field(description="For REPLAY: how often.", default=3)
    pause_hours: int = strawberry.field(description="For REPLAY: how far apart.", default=1)

    def plain(self) -> CaseRule:
        """Return the rule."""
        return CaseRule(
            code=self.code,
            name=self.name,
            rank=self.rank,
            action=self.action,
            conditions=self.conditions.plain(),
            parameters=Parameters(
                owner=self.owner,
                resolution=self.resolution,
                severity=str(self.severity) if self.severity else None,
                times_max=self.times_max,
                pause_hours=self.pause_hours,
            ),
        )


@strawberry.type(description="When a rule fits.")
class CaseConditions:
    kinds: list[CaseKind]
    severities: list[Severity]
    channels: list[str]
    open_hours_from: int | None
    quiet_hours_from: int | None
    occurrences_from: int | None
    has_owner: bool | None


@strawberry.type(name="CaseRule", description="A rule that the sweep applies to open cases.")
class CaseRuleShown:
    code: str
    name: str
    rank: int
    action: RuleAction
    conditions: CaseConditions
    owner: str | None
    resolution: str | None
    severity: Severity | None
    times_max: int
    pause_hours: int

    @classmethod
    def of(cls, rule: CaseRule) -> "CaseRuleShown":
        """Show a rule."""
        named = {each.name: getattr(rule.conditions, each.name) for each in fields(Conditions)}
        named["kinds"] = [CaseKind(each) for each in rule.conditions.kinds]
        named["severities"] = [Severity(each) for each in rule.conditions.severities]
        named["channels"] = list(rule.conditions.channels)
        given = asdict(rule.parameters)
        severity = given.pop("severity")
        return cls(
            code=rule.code,
            name=rule.name,
            rank=rule.rank,
            action=rule.action,
            conditions=CaseConditions(**named),
            severity=Severity(severity) if severity else None,
            **given,
        )


@strawberry.type(description="Who gets the new cases of a kind.")
class CaseOwner:
    kind: CaseKind
    owner: str
    changed_by: str
    changed_at: datetime

    @classmethod
    def of(cls, row: Row) -> "CaseOwner":
        """Show a row."""
        return cls(
            kind=CaseKind(row["kind"]),
            owner=row["owner"],
            changed_by=row["changed_by"],
            changed_at=moment(row["changed_at"]),
        )


@strawberry.type(description="All rules after a change, in the order in which they are applied.")
class CaseRules:
    rules: list[CaseRuleShown] = strawberry.field(metadata={"size": 50})
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )


@strawberry.type(description="Who gets new cases, after a change.")
class CaseOwners:
    owners: list[CaseOwner] = strawberry.field(metadata={"size": 20})
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )


@strawberry.type(description="A suspicious record.")
class QualityFind:
    check: Check
    subject: str
    summary: str
    unit_id: strawberry.ID | None
    order_id: strawberry.ID | None

    @classmethod
    def of(cls, find: Find) -> "QualityFind":
        """Show a find."""
        return cls(
            check=find.check,
            subject=find.subject,
            summary=find.summary,
            unit_id=strawberry.ID(find.unit_id) if find.unit_id else None,
            order_id=strawberry.ID(find.order_id) if find.order_id else None,
        )


def shown_rules(tx: Transaction) -> list[CaseRuleShown]:
    """Return all rules for cases, in the order in which they apply."""
    return each(CaseRuleShown.of, rules.rules(tx))


def shown_owners(tx: Transaction) -> list[CaseOwner]:
    """Return the owner of each kind of case that has one."""
    return each(CaseOwner.of, rules.owners(tx))
