"""Mutations for reconciliation."""

import strawberry

from hub.access.keys import Scope
from hub.catalogue import reference
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.reconciliation import differences as reconciliation
from hub.reconciliation import run_views
from hub.reconciliation.differences import Fix
from hub.reconciliation.differences import Scope as Comparison
from hub.storage.sql import Transaction
from hub.sync import channels
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.reconciliation.types import (
    Difference,
    DifferencesHealed,
    ReconciliationRun,
    ReconciliationStarted,
)

HEALED_MAX = 1_000  # by one command


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

    @command(
        Scope.OPS,
        description="Reconcile a channel now, in one scope or in all.",
        result=answer("ReconcileResult", ReconciliationStarted),
    )
    async def reconcile(
        self, call: Call, channel: str, scope: Comparison | None = None
    ) -> ReconciliationStarted:
        """Reconcile, heal what is safe, and answer with the finished runs."""
        row = await call.context.read(lambda tx: channels.get(tx, channel))

        async def compare() -> list[str]:
            return await call.context.services.reconcile(row, scope, call.context.caller.name)

        run_ids = (await call.once_outside(call.context.command_context(), compare)).value

        def read(tx: Transaction) -> list[ReconciliationRun]:
            rows = [run_views.run(tx, run_id) for run_id in run_ids]
            return [ReconciliationRun.of(each) for each in rows if each is not None]

        return ReconciliationStarted(runs=await call.context.read(read))

    @command(
        Scope.OPS,
        description="Heal a difference by its proposed fix.",
        result=answer("HealDifferenceResult", Difference),
    )
    async def heal_difference(
        self,
        call: Call,
        id: strawberry.ID,
    ) -> Difference:
        context = call.context.command_context()

        async def heal() -> None:
            row = await call.context.read(
                lambda tx: reference(tx, "reconciliation_difference", "id", id)
            )
            channel = await call.context.read(lambda tx: channels.by_id(tx, row["channel_id"]))
            await call.context.services.heal(channel, row, context)

        await call.once_outside(context, heal)
        return await call.context.read(lambda tx: _difference(tx, id))

    @command(
        Scope.OPS,
        description="Heal all open differences of a channel that one fix settles, such as listings "
        "whose SKU differs in case and blanks.",
        result=answer("HealDifferencesResult", DifferencesHealed),
    )
    async def heal_differences(self, call: Call, channel: str, fix: Fix) -> DifferencesHealed:
        """Heal up to 1,000 differences at once; those that are refused stay open."""

        def do(work: Work) -> list[int]:
            channel_id = channels.get(work.tx, channel)["id"]
            return list(
                reconciliation.heal_all(work.tx, work.context, channel_id, fix, limit=HEALED_MAX)
            )

        healed, refused = (await call.once(call.context.command_context(), do)).value
        return DifferencesHealed(healed=healed, refused=refused)

    @command(
        Scope.OPS,
        description="Close a difference that a person has explained.",
        result=answer("DismissDifferenceResult", Difference),
    )
    async def dismiss_difference(
        self,
        call: Call,
        id: strawberry.ID,
        reason: str,
    ) -> Difference:
        if not 0 < len(reason.strip()) <= 2_000:
            raise InvalidInput("say why, in at most 2,000 characters", field="reason")
        context = call.context.command_context()

        def do(work: Work) -> None:
            row = reference(work.tx, "reconciliation_difference", "id", id)
            reconciliation.dismiss(work.tx, context, row, reason)

        await call.once(context, do)
        return await call.context.read(lambda tx: _difference(tx, id))
