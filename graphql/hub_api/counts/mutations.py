"""Mutations for counts."""

from typing import Any

import strawberry

from hub import counts
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.counts import Answer, CountCard, Kind
from hub.lifecycle import Action
from hub.storage.sql import Transaction
from hub_api.common.command_inputs import (
    CommandContextInput,
    UnitInput,
    command_context_of,
    given_by,
    scans_of,
)
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.counts.types import (
    Adjustment,
    AdjustmentVerdict,
    Counted,
    CountVerdict,
    StockCount,
    plain_adjusted,
    plain_noted,
    problem_of,
)

COUNTERS = (Scope.SCANNER, Scope.POS)


StockCountResult = answer("StockCountResult", StockCount)


async def shown(info: Info, ref: str) -> StockCount:
    return StockCount.of(await info.context.read(lambda tx: counts.by_ref(tx, ref)))


@strawberry.type
class CountMutation:
    """Commands to counts."""

    @strawberry.mutation(
        description="Open a count of a site or a bin; nothing is locked while people count.",
        graphql_type=StockCountResult,
    )
    async def open_count(
        self,
        info: Info,
        idempotency_key: str,
        ref: str,
        location: str,
        product: str | None = None,
        category: str | None = None,
        value_from: int | None = None,
        blind: bool = False,
    ) -> StockCount:
        """Open a count; `product` is a SKU, `blind` hides from counters what is expected."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()
        card = CountCard(
            ref=ref,
            location=location,
            product=product,
            category=category,
            value_from=value_from,
            blind=blind,
        )
        given = [ref, location, product, category, value_from, blind]
        done = await once(
            info.context,
            context,
            idempotency_key,
            "open_count",
            given,
            lambda tx, _: counts.open_count(tx, context, card),
        )
        return await shown(info, done.value)

    @strawberry.mutation(
        description="Note what one counter read; the same serial again changes nothing.",
        graphql_type=answer("CountUnitsResult", Counted),
    )
    async def count_units(
        self,
        info: Info,
        idempotency_key: str,
        ref: str,
        units: list[UnitInput],
        location: str | None = None,
        context: CommandContextInput | None = None,
    ) -> Counted:
        """Count; without `location` at the place that the count is of."""
        info.context.require(*COUNTERS)
        command_context = command_context_of(info.context, context)
        scans = scans_of(units)

        def do(tx: Transaction, _: str) -> Any:
            noted = counts.count_units(tx, command_context, ref, location, scans)
            return [plain_noted(each) for each in noted]

        given = given_by(units, context, ref=ref, location=location)
        done = await once(info.context, command_context, idempotency_key, "count_units", given, do)
        return Counted(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            verdicts=[
                CountVerdict(
                    index=row["index"],
                    identifier=row["identifier"],
                    answer=Answer(row["answer"]) if row["answer"] else None,
                    problem=problem_of(row),
                )
                for row in done.value
            ],
        )

    @strawberry.mutation(
        description="Compare what was counted with the ledger; it can be repeated.",
        graphql_type=answer("CompareCountResult", StockCount),
    )
    async def compare_count(self, info: Info, idempotency_key: str, ref: str) -> StockCount:
        """Compare."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()
        await once(
            info.context,
            context,
            idempotency_key,
            "compare_count",
            [ref],
            lambda tx, _: counts.compare(tx, context, ref),
        )
        return await shown(info, ref)

    @strawberry.mutation(
        description="Adjust the ledger to a count, serial by serial: missing ones are lost, "
        "misplaced ones moved, missing ones that were read found; the rest becomes cases.",
        graphql_type=answer("AdjustCountResult", Adjustment),
    )
    async def adjust_count(
        self,
        info: Info,
        idempotency_key: str,
        ref: str,
        reason: str,
        subjects: list[str] | None = None,
        kind: Kind | None = None,
        restock: bool = False,
    ) -> Adjustment:
        """Adjust the named subjects, or all open differences of one kind."""
        info.context.require(Scope.OPS)
        context = info.context.command_context(reason=reason)

        def do(tx: Transaction, command_id: str) -> Any:
            done = counts.adjust(
                Work(tx, context, command_id), ref, subjects=subjects, kind=kind, restock=restock
            )
            return [plain_adjusted(each) for each in done]

        given = [ref, reason, subjects, kind, restock]
        done = await once(info.context, context, idempotency_key, "adjust_count", given, do)
        return Adjustment(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            verdicts=[
                AdjustmentVerdict(
                    index=row["index"],
                    subject=row["subject"],
                    identifier=row["identifier"],
                    kind=Kind(row["kind"]),
                    action=Action(row["action"]) if row["action"] else None,
                    case=row["case"],
                    problem=problem_of(row),
                )
                for row in done.value
            ],
        )

    @strawberry.mutation(
        description="Close a compared count: confirmed units are recorded as seen. Differences "
        "that were not adjusted need a reason.",
        graphql_type=answer("CloseCountResult", StockCount),
    )
    async def close_count(
        self, info: Info, idempotency_key: str, ref: str, reason: str | None = None
    ) -> StockCount:
        """Close."""
        info.context.require(Scope.OPS)
        context = info.context.command_context(reason=reason)
        await once(
            info.context,
            context,
            idempotency_key,
            "close_count",
            [ref, reason],
            lambda tx, command_id: counts.close(Work(tx, context, command_id), ref),
        )
        return await shown(info, ref)

    @strawberry.mutation(
        description="Give a count up; what was adjusted by then stays.",
        graphql_type=answer("CancelCountResult", StockCount),
    )
    async def cancel_count(self, info: Info, idempotency_key: str, ref: str) -> StockCount:
        """Cancel."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()
        await once(
            info.context,
            context,
            idempotency_key,
            "cancel_count",
            [ref],
            lambda tx, _: counts.cancel(tx, context, ref),
        )
        return await shown(info, ref)
