"""Mutations for costs."""

from typing import Any

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.errors import Refused
from hub.unit_records import costs as ledger_costs
from hub.unit_records.costs import Cost
from hub_api.common.command_inputs import CommandContextInput, command_context_of, scans_of
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer, problem
from hub_api.unit_records.cost_types import CostInput, CostResult, CostsRecorded, UnitCost


@strawberry.type
class CostMutation:
    """Recording costs."""

    @command(
        Scope.OPS,
        description="Record what units cost; each line is answered by itself.",
        result=answer("RecordCostsResult", CostsRecorded),
    )
    async def record_costs(
        self,
        call: Call,
        costs: list[CostInput],
        context: CommandContextInput | None = None,
    ) -> CostsRecorded:
        """Record costs; the document of the command context is the invoice."""
        command_context = command_context_of(call.context, context)
        lines = [_line(each) for each in costs]

        def do(work: Work) -> list[dict[str, Any]]:
            return [_kept(each) for each in ledger_costs.record(work.tx, command_context, lines)]

        done = await call.once(command_context, do)
        results = [_verdict(index, each) for index, each in enumerate(done.value)]
        return CostsRecorded(
            replayed=done.replayed,
            accepted=sum(each.problem is None for each in results),
            results=results,
        )

    @command(
        Scope.OPS,
        description="Take a line of costs back: a line of the negative amount is added.",
        result=answer("ReverseCostResult", UnitCost),
    )
    async def reverse_cost(self, call: Call, cost_id: strawberry.ID) -> UnitCost:
        context = call.context.command_context()
        done = await call.once(
            context, lambda work: ledger_costs.reverse(work.tx, context, cost_id)
        )
        rows = await call.context.read(
            lambda tx: tx.rows("SELECT * FROM unit_cost WHERE id = :id", id=done.value)
        )
        return UnitCost.of(rows[0])


def _line(given: CostInput) -> Cost:
    (scan,) = scans_of([given.unit])
    return Cost(scan, given.kind, given.amount, given.currency)


def _kept(answered: str | Refused) -> dict[str, Any]:
    if isinstance(answered, str):
        return {"id": answered, "code": None}
    details = dict(answered.details) or None
    return {"id": None, "code": answered.code, "message": str(answered), "details": details}


def _verdict(index: int, kept: dict[str, Any]) -> CostResult:
    refused = kept["code"]
    return CostResult(
        index=index,
        cost_id=strawberry.ID(kept["id"]) if kept["id"] else None,
        problem=problem(refused, kept["message"], kept["details"]) if refused else None,
    )
