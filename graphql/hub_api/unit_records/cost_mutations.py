"""Mutations for costs."""

from typing import Any

import strawberry

from hub.access.keys import Scope
from hub.errors import Refused
from hub.storage.sql import Transaction
from hub.unit_records import costs as ledger_costs
from hub.unit_records.costs import Cost
from hub_api.common.command_inputs import CommandContextInput, command_context_of, scans_of
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer, problem
from hub_api.unit_records.cost_types import CostInput, CostsRecorded, CostVerdict, UnitCost


@strawberry.type
class CostMutation:
    """Recording costs."""

    @strawberry.mutation(
        description="Record what units cost; each line is answered by itself.",
        graphql_type=answer("RecordCostsResult", CostsRecorded),
    )
    async def record_costs(
        self,
        info: Info,
        idempotency_key: str,
        costs: list[CostInput],
        context: CommandContextInput | None = None,
    ) -> CostsRecorded:
        """Record costs; the occasion's document is the invoice."""
        info.context.require(Scope.OPS)
        command_context = command_context_of(info.context, context)
        lines = [_line(each) for each in costs]

        def do(tx: Transaction, _: str) -> list[dict[str, Any]]:
            return [_kept(each) for each in ledger_costs.record(tx, command_context, lines)]

        given = [_plain(lines), vars(context) if context else None]
        done = await once(info.context, command_context, idempotency_key, "record_costs", given, do)
        verdicts = [_verdict(index, each) for index, each in enumerate(done.value)]
        return CostsRecorded(
            replayed=done.replayed,
            accepted=sum(each.problem is None for each in verdicts),
            verdicts=verdicts,
        )

    @strawberry.mutation(
        description="Take a line of costs back: a line of the negative amount is added.",
        graphql_type=answer("ReverseCostResult", UnitCost),
    )
    async def reverse_cost(
        self, info: Info, idempotency_key: str, cost_id: strawberry.ID
    ) -> UnitCost:
        """Take a line back, once."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()
        done = await once(
            info.context,
            context,
            idempotency_key,
            "reverse_cost",
            [cost_id],
            lambda tx, _: ledger_costs.reverse(tx, context, cost_id),
        )
        rows = await info.context.read(
            lambda tx: tx.rows("SELECT * FROM unit_cost WHERE id = :id", id=done.value)
        )
        return UnitCost.of(rows[0])


def _line(given: CostInput) -> Cost:
    (scan,) = scans_of([given.unit])
    return Cost(scan, given.kind, given.amount, given.currency)


def _plain(lines: list[Cost]) -> list[Any]:
    return [
        [line.scan.identifier, line.scan.sku, line.kind, line.amount, line.currency]
        for line in lines
    ]


def _kept(answered: str | Refused) -> dict[str, Any]:
    if isinstance(answered, str):
        return {"id": answered, "code": None}
    details = dict(answered.details) or None
    return {"id": None, "code": answered.code, "message": str(answered), "details": details}


def _verdict(index: int, kept: dict[str, Any]) -> CostVerdict:
    refused = kept["code"]
    return CostVerdict(
        index=index,
        cost_id=strawberry.ID(kept["id"]) if kept["id"] else None,
        problem=problem(refused, kept["message"], kept["details"]) if refused else None,
    )
