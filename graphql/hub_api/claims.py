"""Warranty claims: opened, decided, disputed, answered with another unit, measured."""

from datetime import date, datetime

import orjson
import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.after_sales import claims
from hub.after_sales.claim_rules import ClaimFinding
from hub.after_sales.claims import Claim
from hub.after_sales.cover import CoverKind, CoverStatus, Entitled
from hub.after_sales.replacements import replace_unit
from hub.clock import moment
from hub.commands.work import Work
from hub.decision_rules import ClaimDecision
from hub.errors import InvalidInput, UnknownReference
from hub.ledger import units
from hub.storage import paging
from hub.storage.paging import Filter
from hub.storage.sql import Row, Transaction
from hub_api.command import UnitInput, scans_of
from hub_api.context import Context
from hub_api.cover import UnitCover
from hub_api.once import once
from hub_api.paging import Connection, page, position
from hub_api.problems import answer
from hub_api.units import Unit

Info = strawberry.Info[Context, None]

strawberry.enum(ClaimDecision, description="What is answered; REFER: a person decides.")
strawberry.enum(ClaimFinding, description="What was noticed; it never changes: act on it.")


@strawberry.type(description="One thing that was noticed about a claim.")
class NoticedClaim:
    """One thing that was noticed."""

    code: ClaimFinding
    message: str


@strawberry.type(description="A claim about one unit, with all that its decision stands on.")
class WarrantyClaim:
    """A claim about one unit."""

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
        told = orjson.loads(row["evidence"])
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
        """Load the unit."""
        row = await info.context.units(self.unit_id)
        assert row is not None  # a claim has a unit, and units are never deleted
        return Unit.of(row)

    @strawberry.field(description="The unit that was given in its place.")
    async def replacement(self, info: Info) -> Unit | None:
        """Load the other unit."""
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
    """How many claims a rule answered."""

    rule: str
    claims: int


@strawberry.type(description="How the claims of a period went, from opening to first decision.")
class ClaimStatistics:
    """How the claims of a period went."""

    claims: int
    decided: int
    at_once: int = strawberry.field(description="By a rule, in the call that opened them.")
    disputes: int
    disputed: int = strawberry.field(description="Claims with at least one dispute.")
    median_seconds: float | None
    slowest_seconds: float | None = strawberry.field(description="95 of 100 are faster.")
    by_rule: list[RuleCount] = strawberry.field(metadata={"size": 50})


ClaimResult = answer("ClaimResult", WarrantyClaim)


async def _show(info: Info, claim_id: str) -> WarrantyClaim:
    row = await info.context.read(
        lambda tx: tx.row("SELECT * FROM warranty_claim WHERE id = :id", id=claim_id)
    )
    if row is None:
        raise UnknownReference(f"there is no claim {claim_id!r}", field="id")
    return WarrantyClaim.of(row)


@strawberry.type
class ClaimQuery:
    """Reading claims."""

    @strawberry.field(description="Claims, the newest first.")
    async def claims(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        unit: str | None = None,
        state: str | None = None,
    ) -> Connection[WarrantyClaim]:
        """List claims; `unit` is any identifier of a unit."""
        info.context.require(Scope.POS, Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            wanted = Filter()
            wanted.add("id < :before", before=position(after))
            wanted.add("unit_id = :unit", unit=unit and units.find(tx, unit)["id"])
            wanted.add("state = :state", state=state)
            return tx.rows(
                f"SELECT * FROM warranty_claim {wanted.where()}ORDER BY id DESC LIMIT :limit",
                limit=paging.page_size(first) + 1,
                **wanted.values,
            )

        return page(await info.context.read(read), first, after, WarrantyClaim.of)

    @strawberry.field(description="One claim.")
    async def claim(self, info: Info, id: strawberry.ID) -> WarrantyClaim:
        """Find one claim."""
        info.context.require(Scope.POS, Scope.OPS)
        return await _show(info, id)

    @strawberry.field(
        description="How the claims went that were opened from `since` on and before `until`.",
        metadata={"cost": 100},
    )
    async def claim_statistics(
        self, info: Info, since: datetime, until: datetime
    ) -> ClaimStatistics:
        """Measure claims."""
        info.context.require(Scope.OPS)
        if since.tzinfo is None or until.tzinfo is None:
            raise InvalidInput("say the time zone of since and until", field="since")
        found = await info.context.database.report(lambda tx: claims.statistics(tx, since, until))
        return ClaimStatistics(
            claims=found.claims,
            decided=found.decided,
            at_once=found.at_once,
            disputes=found.disputes,
            disputed=found.disputed,
            median_seconds=found.median_seconds,
            slowest_seconds=found.slowest_seconds,
            by_rule=[RuleCount(rule=rule, claims=count) for rule, count in found.by_rule],
        )


@strawberry.type
class ClaimMutation:
    """Working on claims."""

    @strawberry.mutation(
        description="Open a claim; where a rule fits it is decided at once.",
        graphql_type=ClaimResult,
    )
    async def open_claim(
        self,
        info: Info,
        idempotency_key: str,
        unit: UnitInput,
        fault: str,
        customer_ref: str | None = None,
        order: str | None = None,
        condition: str | None = None,
    ) -> WarrantyClaim:
        """Open a claim; `order` is an order's id, number or reference, or a receipt."""
        info.context.require(Scope.POS, Scope.SCANNER)
        context = info.context.command_context()
        claim = Claim(
            identifier=unit.identifier,
            sku=unit.sku,
            fault=fault,
            customer_ref=customer_ref,
            order=order,
            condition=condition,
        )
        given = [unit.identifier, unit.sku, fault, customer_ref, order, condition]
        done = await once(
            info.context,
            context,
            idempotency_key,
            "open_claim",
            given,
            lambda tx, _: claims.open_claim(tx, context, claim),
        )
        return await _show(info, done.value)

    @strawberry.mutation(
        description="Decide a claim that waits for a person, or that is disputed.",
        graphql_type=ClaimResult,
    )
    async def decide_claim(
        self,
        info: Info,
        idempotency_key: str,
        claim_id: strawberry.ID,
        decision: ClaimDecision,
        reason: str,
    ) -> WarrantyClaim:
        """Decide."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> None:
            claims.decide_claim(tx, context, claim_id, decision, reason)

        given = [claim_id, decision, reason]
        await once(info.context, context, idempotency_key, "decide_claim", given, do)
        return await _show(info, claim_id)

    @strawberry.mutation(
        description="Record that the customer does not accept a decision.",
        graphql_type=ClaimResult,
    )
    async def dispute_claim(
        self, info: Info, idempotency_key: str, claim_id: strawberry.ID, reason: str
    ) -> WarrantyClaim:
        """Dispute."""
        info.context.require(Scope.POS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> None:
            claims.dispute_claim(tx, context, claim_id, reason)

        given = [claim_id, reason]
        await once(info.context, context, idempotency_key, "dispute_claim", given, do)
        return await _show(info, claim_id)

    @strawberry.mutation(
        description="Close a claim: it was repaired, or nothing more comes of it.",
        graphql_type=ClaimResult,
    )
    async def close_claim(
        self, info: Info, idempotency_key: str, claim_id: strawberry.ID, reason: str
    ) -> WarrantyClaim:
        """Close."""
        info.context.require(Scope.POS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> None:
            claims.close_claim(tx, context, claim_id, reason)

        given = [claim_id, reason]
        await once(info.context, context, idempotency_key, "close_claim", given, do)
        return await _show(info, claim_id)

    @strawberry.mutation(
        description="Give another unit for a failed one: each names the other, and what was left "
        "of the cover goes over, or a new one begins, by the product's rule.",
        graphql_type=ClaimResult,
    )
    async def replace_under_claim(
        self,
        info: Info,
        idempotency_key: str,
        claim_id: strawberry.ID,
        replacement: UnitInput,
        location: str,
    ) -> WarrantyClaim:
        """Replace; `location` is where the failed unit is put."""
        info.context.require(Scope.POS, Scope.SCANNER)
        context = info.context.command_context()
        (scan,) = scans_of([replacement])

        def do(tx: Transaction, command_id: str) -> str:
            place = catalogue.location(tx, location)
            return replace_unit(Work(tx, context, command_id), claim_id, scan, place)

        given = [claim_id, vars(replacement), location]
        await once(info.context, context, idempotency_key, "replace_under_claim", given, do)
        return await _show(info, claim_id)
