"""Mutations for warranty claims."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.after_sales import claims
from hub.after_sales.claims import Claim
from hub.after_sales.replacements import replace_unit
from hub.commands.work import Work
from hub.decision_rules import ClaimDecision
from hub_api.after_sales.claim_types import WarrantyClaim, show
from hub_api.common.command_inputs import UnitInput, scans_of
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer

ClaimResult = answer("ClaimResult", WarrantyClaim)


@strawberry.type
class ClaimMutation:
    """Working on claims."""

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Open a claim; where a rule fits it is decided at once.",
        result=ClaimResult,
    )
    async def open_claim(
        self,
        call: Call,
        unit: UnitInput,
        fault: str,
        customer_ref: str | None = None,
        order: str | None = None,
        condition: str | None = None,
    ) -> WarrantyClaim:
        """Open a claim; `order` is an order's id, number or reference, or a receipt."""
        context = call.context.command_context()
        claim = Claim(
            identifier=unit.identifier,
            sku=unit.sku,
            fault=fault,
            customer_ref=customer_ref,
            order=order,
            condition=condition,
        )

        done = await call.once(context, lambda work: claims.open_claim(work.tx, context, claim))
        return await show(call.info, done.value)

    @command(
        Scope.OPS,
        description="Decide a claim that waits for a person, or that is disputed.",
        result=ClaimResult,
    )
    async def decide_claim(
        self,
        call: Call,
        claim_id: strawberry.ID,
        decision: ClaimDecision,
        reason: str,
    ) -> WarrantyClaim:
        context = call.context.command_context()

        def do(work: Work) -> None:
            claims.decide_claim(work.tx, context, claim_id, decision, reason)

        await call.once(context, do)
        return await show(call.info, claim_id)

    @command(
        Scope.POS,
        description="Record that the customer does not accept a decision.",
        result=ClaimResult,
    )
    async def dispute_claim(
        self, call: Call, claim_id: strawberry.ID, reason: str
    ) -> WarrantyClaim:
        context = call.context.command_context()

        def do(work: Work) -> None:
            claims.dispute_claim(work.tx, context, claim_id, reason)

        await call.once(context, do)
        return await show(call.info, claim_id)

    @command(
        Scope.POS,
        description="Close a claim: it was repaired, or nothing more comes of it.",
        result=ClaimResult,
    )
    async def close_claim(self, call: Call, claim_id: strawberry.ID, reason: str) -> WarrantyClaim:
        context = call.context.command_context()

        def do(work: Work) -> None:
            claims.close_claim(work.tx, context, claim_id, reason)

        await call.once(context, do)
        return await show(call.info, claim_id)

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Give another unit for a failed one: each names the other, and what was left "
        "of the cover goes over, or a new one begins, by the product's rule.",
        result=ClaimResult,
    )
    async def replace_under_claim(
        self,
        call: Call,
        claim_id: strawberry.ID,
        replacement: UnitInput,
        location: str,
    ) -> WarrantyClaim:
        """Replace; `location` is where the failed unit is put."""
        context = call.context.command_context()
        (scan,) = scans_of([replacement])

        def do(work: Work) -> str:
            place = catalogue.location(work.tx, location)
            return replace_unit(work, claim_id, scan, place)

        await call.once(context, do)
        return await show(call.info, claim_id)
