"""Mutations for reconciliation."""

import strawberry

from hub.access.keys import Scope
from hub.catalogue import reference
from hub.errors import InvalidInput
from hub.reconciliation import differences as reconciliation
from hub.reconciliation import run_views
from hub.reconciliation.differences import Scope as Comparison
from hub.storage.sql import Transaction
from hub.sync import channels
from hub_api.common.context import Info
from hub_api.common.problems import answer
from hub_api.reconciliation.types import Difference, ReconciliationRun, ReconciliationStarted


def _difference(tx: Transaction, difference_id: str) -> Difference:
    row = tx.row(
        "SELECT difference.*, channel.code AS channel_code, channel.name AS channel_name, "
        "product.sku FROM reconciliation_difference AS difference "
        "JOIN channel ON channel.id = difference.channel_id "
        "LEFT JOIN product ON product.id = difference.product_id WHERE difference.id = :id",
        id=difference_id,
    )
    assert row is not None  # it was found by its id before
    return Difference.of(row)


@strawberry.type
class ReconciliationMutation:
    """Working on differences."""

    @strawberry.mutation(
        description="Reconcile a channel now, in one scope or in all.",
        graphql_type=answer("ReconcileResult", ReconciliationStarted),
    )
    async def reconcile(
        self, info: Info, channel: str, scope: Comparison | None = None
    ) -> ReconciliationStarted:
        """Reconcile, heal what is safe, and answer with the finished runs."""
        info.context.require(Scope.OPS)
        row = await info.context.read(lambda tx: channels.get(tx, channel))
        run_ids = await info.context.services.reconcile(row, scope, info.context.caller.name)

        def read(tx: Transaction) -> list[ReconciliationRun]:
            rows = [run_views.run(tx, run_id) for run_id in run_ids]
            return [ReconciliationRun.of(each) for each in rows if each is not None]

        return ReconciliationStarted(runs=await info.context.read(read))

    @strawberry.mutation(
        description="Heal a difference by its proposed fix.",
        graphql_type=answer("HealDifferenceResult", Difference),
    )
    async def heal_difference(
        self,
        info: Info,
        id: strawberry.ID,
    ) -> Difference:
        """Heal one difference."""
        info.context.require(Scope.OPS)
        row = await info.context.read(
            lambda tx: reference(tx, "reconciliation_difference", "id", id)
        )
        channel = await info.context.read(lambda tx: channels.by_id(tx, row["channel_id"]))
        await info.context.services.heal(channel, row, info.context.command_context())
        return await info.context.read(lambda tx: _difference(tx, id))

    @strawberry.mutation(
        description="Close a difference that a person has explained.",
        graphql_type=answer("DismissDifferenceResult", Difference),
    )
    async def dismiss_difference(
        self,
        info: Info,
        id: strawberry.ID,
        reason: str,
    ) -> Difference:
        """Dismiss one difference."""
        info.context.require(Scope.OPS)
        if not 0 < len(reason.strip()) <= 2_000:
            raise InvalidInput("say why, in at most 2,000 characters", field="reason")
        context = info.context.command_context()

        def work(tx: Transaction) -> Difference:
            row = reference(tx, "reconciliation_difference", "id", id)
            reconciliation.dismiss(tx, context, row, reason)
            return _difference(tx, id)

        return await info.context.write(work)
