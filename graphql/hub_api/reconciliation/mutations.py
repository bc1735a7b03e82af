"""Mutations for reconciliation."""

from dataclasses import asdict
from typing import Annotated, Any, Union

import strawberry

from hub.access.keys import Scope
from hub.catalogue import Tracking
from hub.commands.work import Work
from hub.errors import InvalidInput, UnknownReference
from hub.reconciliation import healing, listing_imports, run_views
from hub.reconciliation.kinds import Fix, Kind
from hub.reconciliation.kinds import Scope as Comparison
from hub.storage.sql import Transaction
from hub.sync import channels
from hub_api.common.commands import Call, command
from hub_api.common.problems import AnyProblem, RunUnderWay, answer
from hub_api.reconciliation.types import (
    Difference,
    DifferencesDismissed,
    DifferencesHealed,
    ListingRefused,
    ListingsImported,
    ReconciliationRun,
    ReconciliationStarted,
)

ReconcileResult = Annotated[
    Union[ReconciliationStarted, AnyProblem, RunUnderWay],  # noqa: UP007 # of a computed union
    strawberry.union("ReconcileResult"),
]
HEALED_MAX = 1_000  # by one command
REASON_MAX = 2_000  # characters


def _difference(tx: Transaction, difference_id: str) -> Difference:
    return Difference.of(_known(tx, difference_id))


def _known(tx: Transaction, difference_id: str) -> run_views.DifferenceRow:
    row = run_views.difference(tx, difference_id)
    if row is None:
        raise UnknownReference(f"there is no difference {difference_id}", field="id")
    return row


def _check(reason: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_MAX:
        raise InvalidInput(f"a reason has 1 to {REASON_MAX:,} characters", field="reason")


@strawberry.type
class ReconciliationMutation:
    """Working on differences."""

    @command(
        Scope.OPS,
        description="Reconcile a channel now, in one scope or in all.",
        result=ReconcileResult,
    )
    async def reconcile(
        self,
        call: Call,
        channel: str,
        scope: Comparison | None = None,
        preview: Annotated[
            bool, strawberry.argument(description="Compare only, and heal nothing.")
        ] = False,
    ) -> ReconciliationStarted:
        """Reconcile, heal what is safe, and answer with the finished runs."""
        row = await call.context.read(lambda tx: channels.get(tx, channel))

        async def compare() -> list[str]:
            return await call.context.services.reconcile(
                row, scope, call.context.caller.name, heal=not preview
            )

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
        fix: Fix | None = None,
    ) -> Difference:
        """Apply the proposed fix, or one of its choices; the answer shows whether it holds."""
        context = call.context.command_context()

        async def heal() -> None:
            row = await call.context.read(lambda tx: _known(tx, id))
            channel = await call.context.read(lambda tx: channels.by_id(tx, row["channel_id"]))
            await call.context.services.heal(channel, row["id"], fix, context)

        await call.once_outside(context, heal)
        return await call.context.read(lambda tx: _difference(tx, id))

    @command(
        Scope.OPS,
        description="Heal all open differences of a channel that one fix settles, such as listings "
        "whose SKU differs in case and blanks.",
        result=answer("HealDifferencesResult", DifferencesHealed),
    )
    async def heal_differences(
        self,
        call: Call,
        channel: str,
        fix: Fix,
        kind: Annotated[
            Kind | None, strawberry.argument(description="Only differences of this kind.")
        ] = None,
    ) -> DifferencesHealed:
        """Heal up to 1,000 differences at once; those that are refused stay open."""
        row = await call.context.read(lambda tx: channels.get(tx, channel))
        context = call.context.command_context()

        async def heal() -> list[int]:
            services = call.context.services
            return list(await services.heal_many(row, fix, context, kind, limit=HEALED_MAX))

        applied, healed, refused = (await call.once_outside(context, heal)).value
        return DifferencesHealed(applied=applied, healed=healed, refused=refused)

    @command(
        Scope.OPS,
        description="Dismiss all open differences of a channel that are of one kind.",
        result=answer("DismissDifferencesResult", DifferencesDismissed),
    )
    async def dismiss_differences(
        self, call: Call, channel: str, kind: Kind, reason: str
    ) -> DifferencesDismissed:
        """Dismiss up to 1,000 differences at once, with one reason."""
        _check(reason)
        context = call.context.command_context()

        def do(work: Work) -> int:
            row = channels.get(work.tx, channel)
            return healing.dismiss_all(work.tx, context, row["id"], kind, reason, limit=HEALED_MAX)

        return DifferencesDismissed(dismissed=(await call.once(context, do)).value)

    @command(
        Scope.OPS,
        description="Dismiss a difference that a person has explained; it holds until one of the "
        "two claims changes.",
        result=answer("DismissDifferenceResult", Difference),
    )
    async def dismiss_difference(
        self,
        call: Call,
        id: strawberry.ID,
        reason: str,
    ) -> Difference:
        _check(reason)
        context = call.context.command_context()

        def do(work: Work) -> None:
            healing.dismiss(work.tx, context, _known(work.tx, id), reason)

        await call.once(context, do)
        return await call.context.read(lambda tx: _difference(tx, id))

    @command(
        Scope.ADMIN,
        description="Register products from the open unknown listings of a channel; the next run "
        "binds them. Up to 500 at once.",
        result=answer("ImportListingsResult", ListingsImported),
    )
    async def import_listings(
        self,
        call: Call,
        channel: str,
        manufacturer: Annotated[
            str, strawberry.argument(description="Code of the manufacturer of all of them.")
        ],
        tracking: Annotated[
            Tracking, strawberry.argument(description="Level of tracking of all of them.")
        ],
        skus: Annotated[
            list[str] | None,
            strawberry.argument(description="Only these SKUs; null: all."),
        ] = None,
    ) -> ListingsImported:
        """Register up to 500 products at once; those that are refused are named."""
        context = call.context.command_context()

        def do(work: Work) -> dict[str, Any]:
            row = channels.get(work.tx, channel)
            return asdict(
                listing_imports.register(
                    work, row, manufacturer=manufacturer, tracking=tracking, skus=skus
                )
            )

        done = (await call.once(context, do)).value
        return ListingsImported(
            registered=done["registered"],
            refused=[ListingRefused(**each) for each in done["refused"]],
        )
