"""Warranty claims: opened, decided, disputed, answered with another unit, measured."""

from datetime import date, datetime

import strawberry

from hub.after_sales.claim_rules import ClaimFinding
from hub.after_sales.cover import CoverKind, CoverStatus, Entitled
from hub.clock import moment
from hub.decision_rules import ClaimDecision
from hub.errors import UnknownReference
from hub.storage.documents import document
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.units.coverage import UnitCover
from hub_api.units.types import Unit


@strawberry.type(description="One thing that was noticed about a claim.")
class NoticedClaim:
    code: ClaimFinding
    message: str


@strawberry.type(description="A claim about one unit, with all that its decision stands on.")
class WarrantyClaim(Node):
    id: strawberry.ID
    fault: str
    customer_ref: str | None
    order: str | None = strawberry.field(description="As the customer named it.")
    state: str = strawberry.field(description="open, approved, refused, disputed or closed.")
    decision: ClaimDecision | None = strawberry.field(description="Null: a person has to decide.")
    rule: str | None = strawberry.field(description="The rule that decided, or by-hand.")
    rule_name: str = strawberry.field(description="Of the rule that answered at once.")
    findings: list[NoticedClaim] = strawberry.field(metadata={"size": 5})
    entitled: Entitled
    basis: str
    covers: list[UnitCover] = strawberry.field(metadata={"size": 5})
    lot: str | None = strawberry.field(description="The batch that the unit came from.")
    produced_on: date | None
    disputes: int
    opened_by: str
    opened_at: datetime
    decided_at: datetime | None
    closed_at: datetime | None
    unit_id: strawberry.Private[str]
    replacement_id: strawberry.Private[str | None]

    @classmethod
    def of(cls, row: Row) -> "WarrantyClaim":
        """Show a row."""
        told = document(row["evidence"])
        return cls(
            id=strawberry.ID(row["id"]),
            fault=row["fault"],
            customer_ref=row["customer_ref"],
            order=told["order"],
            state=row["state"],
            decision=ClaimDecision(row["decision"]) if row["decision"] else None,
            rule=row["rule"],
            rule_name=told["rule_name"],
            findings=[
                NoticedClaim(code=ClaimFinding(code), message=message)
                for code, message in told["findings"]
            ],
            entitled=Entitled(told["entitled"]),
            basis=told["basis"],
            covers=[_cover(each) for each in told["covers"]],
            lot=told["lot"],
            produced_on=_day(told["produced_on"]),
            disputes=row["disputes"],
            opened_by=row["opened_by"],
            opened_at=moment(row["opened_at"]),
            decided_at=moment(row["decided_at"]) if row["decided_at"] is not None else None,
            closed_at=moment(row["closed_at"]) if row["closed_at"] is not None else None,
            unit_id=row["unit_id"],
            replacement_id=row["replacement_id"],
        )

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit:
        row = await info.context.units(self.unit_id)
        assert row is not None  # a claim has a unit, and units are never deleted
        return Unit.of(row)

    @strawberry.field(description="The unit that was given in its place.")
    async def replacement(self, info: Info) -> Unit | None:
        row = await info.context.units(self.replacement_id) if self.replacement_id else None
        return Unit.of(row) if row else None


def _cover(told: dict[str, str | None]) -> UnitCover:
    observed = told["observed_at"]
    return UnitCover(
        id=None,
        kind=CoverKind(told["kind"] or ""),
        status=CoverStatus(told["status"] or ""),
        basis=told["basis"] or "",
        starts_on=_day(told["starts_on"]),
        ends_on=_day(told["ends_on"]),
        source=told["source"] or "",
        reference=None,
        observed_at=datetime.fromisoformat(observed) if observed else None,
        is_stale=bool(told["is_stale"]),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@strawberry.type(description="How many claims a rule answered.")
class RuleCount:
    rule: str
    claims: int


@strawberry.type(description="How the claims of a period went, from opening to first decision.")
class ClaimStatistics:
    claims: int
    decided: int
    at_once: int = strawberry.field(description="By a rule, in the call that opened them.")
    disputes: int
    disputed: int = strawberry.field(description="Claims with at least one dispute.")
    median_seconds: float | None
    slowest_seconds: float | None = strawberry.field(description="95 of 100 are faster.")
    by_rule: list[RuleCount] = strawberry.field(metadata={"size": 50})


async def show(info: Info, claim_id: str) -> WarrantyClaim:
    """Return a warranty claim by its id."""
    row = await info.context.read(
        lambda tx: tx.row("SELECT * FROM warranty_claim WHERE id = :id", id=claim_id)
    )
    if row is None:
        raise UnknownReference(f"there is no claim {claim_id!r}", field="id")
    return WarrantyClaim.of(row)
