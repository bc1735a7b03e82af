"""Mutations for warranty claims."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.after_sales import claims
from hub.after_sales.claims import Claim
from hub.after_sales.replacements import replace_unit
from hub.commands.work import Work
from hub.decision_rules import ClaimDecision
from hub.storage.sql import Transaction
from hub_api.after_sales.claim_types import WarrantyClaim, show
from hub_api.common.command_inputs import UnitInput, scans_of
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer

ClaimResult = answer("ClaimResult", WarrantyClaim)


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
        return await show(info, done.value)

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
        return await show(info, claim_id)

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
        return await show(info, claim_id)

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
        return await show(info, claim_id)

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
        return await show(info, claim_id)
