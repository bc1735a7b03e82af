"""Mutations for counts."""

from typing import Any

import strawberry

from hub import counts
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.counts import Answer, CountCard, Kind
from hub.lifecycle import Action
from hub_api.common.command_inputs import (
    CommandContextInput,
    UnitInput,
    command_context_of,
    scans_of,
)
from hub_api.common.commands import Call, command
from hub_api.common.context import Info
from hub_api.common.problems import answer
from hub_api.counts.types import (
    Adjustment,
    AdjustmentResult,
    Counted,
    CountedUnit,
    StockCount,
    plain_adjusted,
    plain_noted,
    problem_of,
)

COUNTERS = (Scope.SCANNER, Scope.POS)


StockCountResult = answer("StockCountResult", StockCount)


async def shown(info: Info, ref: str) -> StockCount:
    """Return a stock count by its reference; raise UnknownReference if there is none."""
    return StockCount.of(await info.context.read(lambda tx: counts.by_ref(tx, ref)))


@strawberry.type
class CountMutation:
    """Commands to counts."""

    @command(
        Scope.OPS,
        description="Open a count of a site or a bin; nothing is locked while people count.",
        result=StockCountResult,
    )
    async def open_count(
        self,
        call: Call,
        ref: str,
        location: str,
        product: str | None = None,
        category: str | None = None,
        value_from: int | None = None,
        blind: bool = False,
    ) -> StockCount:
        """Open a count; `product` is a SKU, `blind` hides from counters what is expected."""
        context = call.context.command_context()
        card = CountCard(
            ref=ref,
            location=location,
            product=product,
            category=category,
            value_from=value_from,
            blind=blind,
        )

        done = await call.once(context, lambda work: counts.open_count(work.tx, context, card))
        return await shown(call.info, done.value)

    @command(
        *COUNTERS,
        description="Note what one counter read; the same serial again changes nothing.",
        result=answer("CountUnitsResult", Counted),
    )
    async def count_units(
        self,
        call: Call,
        ref: str,
        units: list[UnitInput],
        location: str | None = None,
        context: CommandContextInput | None = None,
    ) -> Counted:
        """Count; without `location` at the place that the count is of."""
        command_context = command_context_of(call.context, context)
        scans = scans_of(units)

        def do(work: Work) -> Any:
            noted = counts.count_units(work.tx, command_context, ref, location, scans)
            return [plain_noted(each) for each in noted]

        done = await call.once(command_context, do)
        return Counted(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            results=[
                CountedUnit(
                    index=row["index"],
                    identifier=row["identifier"],
                    answer=Answer(row["answer"]) if row["answer"] else None,
                    problem=problem_of(row),
                )
                for row in done.value
            ],
        )

    @command(
        Scope.OPS,
        description="Compare what was counted with the ledger; it can be repeated.",
        result=answer("CompareCountResult", StockCount),
    )
    async def compare_count(self, call: Call, ref: str) -> StockCount:
        context = call.context.command_context()
        await call.once(context, lambda work: counts.compare(work.tx, context, ref))
        return await shown(call.info, ref)

    @command(
        Scope.OPS,
        description="Adjust the ledger to a count, serial by serial: missing ones are lost, "
        "misplaced ones moved, missing ones that were read found; the rest becomes cases.",
        result=answer("AdjustCountResult", Adjustment),
    )
    async def adjust_count(
        self,
        call: Call,
        ref: str,
        reason: str,
        subjects: list[str] | None = None,
        kind: Kind | None = None,
        restock: bool = False,
    ) -> Adjustment:
        """Adjust the named subjects, or all open differences of one kind."""
        context = call.context.command_context(reason=reason)

        def do(work: Work) -> Any:
            done = counts.adjust(work, ref, subjects=subjects, kind=kind, restock=restock)
            return [plain_adjusted(each) for each in done]

        done = await call.once(context, do)
        return Adjustment(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            results=[
                AdjustmentResult(
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

    @command(
        Scope.OPS,
        description="Close a compared count: confirmed units are recorded as seen. Differences "
        "that were not adjusted need a reason.",
        result=answer("CloseCountResult", StockCount),
    )
    async def close_count(self, call: Call, ref: str, reason: str | None = None) -> StockCount:
        context = call.context.command_context(reason=reason)
        await call.once(context, lambda work: counts.close(work, ref))
        return await shown(call.info, ref)

    @command(
        Scope.OPS,
        description="Give a count up; what was adjusted by then stays.",
        result=answer("CancelCountResult", StockCount),
    )
    async def cancel_count(self, call: Call, ref: str) -> StockCount:
        context = call.context.command_context()
        await call.once(context, lambda work: counts.cancel(work.tx, context, ref))
        return await shown(call.info, ref)
