"""Reconciliation: runs, the differences they found, and what became of them."""

from datetime import datetime

import orjson
import strawberry

from hub.access.keys import Scope
from hub.cases import Severity
from hub.catalogue import reference
from hub.clock import moment
from hub.errors import InvalidInput, UnknownReference
from hub.reconciliation import differences as reconciliation
from hub.reconciliation import run_views
from hub.reconciliation.differences import Cause, Fix, Kind
from hub.reconciliation.differences import Scope as Comparison
from hub.storage.sql import Row, Transaction
from hub.sync import channels
from hub_api.context import Context
from hub_api.paging import Connection, page, position
from hub_api.problems import answer

Info = strawberry.Info[Context, None]

strawberry.enum(Comparison, name="ReconciliationScope", description="What a run compares.")
strawberry.enum(Kind, name="DifferenceKind", description="In what the two sides disagree.")
strawberry.enum(Cause, name="DifferenceCause", description="Why, where it can be proved.")
strawberry.enum(Fix, name="DifferenceFix", description="What would bring them together.")


@strawberry.type(description="Where a channel and the ledger disagree.")
class Difference:
    """Where a channel and the ledger disagree."""

    id: strawberry.ID
    run_id: strawberry.ID
    channel: str
    channel_name: str
    kind: Kind
    subject: str
    sku: str | None
    unit_id: strawberry.ID | None
    order_id: strawberry.ID | None
    ledger_claim: strawberry.scalars.JSON
    remote_claim: strawberry.scalars.JSON
    cause: Cause
    evidence: str
    severity: Severity
    fix: Fix
    state: str = strawberry.field(
        description="open, healing, healed, dismissed, or superseded by a newer run."
    )
    first_seen_at: datetime
    found_at: datetime
    healed_at: datetime | None
    resolved_by: str | None

    @classmethod
    def of(cls, row: Row) -> "Difference":
        """Show a row of `hub.views`."""
        return cls(
            id=strawberry.ID(row["id"]),
            run_id=strawberry.ID(row["run_id"]),
            channel=row["channel_code"],
            channel_name=row["channel_name"],
            kind=Kind(row["kind"]),
            subject=row["subject"],
            sku=row["sku"],
            unit_id=row["unit_id"],
            order_id=row["order_id"],
            ledger_claim=orjson.loads(row["ledger_claim"]),
            remote_claim=orjson.loads(row["remote_claim"]),
            cause=Cause(row["cause"]),
            evidence=row["evidence"],
            severity=Severity(row["severity"]),
            fix=Fix(row["fix"]),
            state=row["state"],
            first_seen_at=moment(row["first_seen_at"]),
            found_at=moment(row["found_at"]),
            healed_at=moment(row["healed_at"]) if row["healed_at"] else None,
            resolved_by=row["resolved_by"],
        )


@strawberry.type(description="One comparison: compared = matched + inFlight + differences.")
class ReconciliationRun:
    """One comparison."""

    id: strawberry.ID
    channel: str
    channel_name: str
    scope: Comparison
    state: str = strawberry.field(description="running, finished or failed.")
    trigger: str
    compared: int
    matched: int
    in_flight: int = strawberry.field(description="Still on its way when it was looked at.")
    differences_found: int
    healed: int
    error: str | None
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> "ReconciliationRun":
        """Show a row of `hub.views`."""
        return cls(
            id=strawberry.ID(row["id"]),
            channel=row["channel_code"],
            channel_name=row["channel_name"],
            scope=Comparison(row["scope"]),
            state=row["state"],
            trigger=row["trigger"],
            compared=row["compared"],
            matched=row["matched"],
            in_flight=row["in_flight"],
            differences_found=row["differences"],
            healed=row["healed"],
            error=row["error"],
            started_at=moment(row["started_at"]),
            finished_at=moment(row["finished_at"]) if row["finished_at"] else None,
        )

    @strawberry.field(description="What it found.")
    async def differences(
        self, info: Info, first: int = 100, after: str | None = None
    ) -> Connection[Difference]:
        """List what it found."""
        rows = await info.context.read(
            lambda tx: run_views.differences(tx, first=first, after=position(after), run=self.id)
        )
        return page(rows, first, after, Difference.of)


@strawberry.type(description="The runs that were started.")
class ReconciliationStarted:
    """The runs that were started."""

    runs: list[ReconciliationRun] = strawberry.field(
        metadata={"size": len(Comparison)}, description="One for each scope."
    )


@strawberry.type
class ReconciliationQuery:
    """Reading reconciliation."""

    @strawberry.field(description="Runs, the newest first.")
    async def reconciliation_runs(
        self, info: Info, first: int = 50, after: str | None = None, channel: str | None = None
    ) -> Connection[ReconciliationRun]:
        """List runs."""
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: run_views.runs(tx, first=first, before=position(after), channel=channel)
        )
        return page(rows, first, after, ReconciliationRun.of)

    @strawberry.field(description="One run.")
    async def reconciliation_run(
        self,
        info: Info,
        id: strawberry.ID,
    ) -> ReconciliationRun:
        """Find one run."""
        info.context.require(Scope.OPS)
        row = await info.context.read(lambda tx: run_views.run(tx, id))
        if row is None:
            raise UnknownReference(f"there is no run {id}", field="id")
        return ReconciliationRun.of(row)

    @strawberry.field(description="Differences of all runs: open, healing, healed, …")
    async def differences(
        self,
        info: Info,
        first: int = 100,
        after: str | None = None,
        state: str | None = "open",
        channel: str | None = None,
    ) -> Connection[Difference]:
        """List differences."""
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: run_views.differences(
                tx, first=first, after=position(after), state=state, channel=channel
            )
        )
        return page(rows, first, after, Difference.of)

    @strawberry.field(description="Since when the oldest open difference is known.")
    async def oldest_open_difference_at(self, info: Info) -> datetime | None:
        """Measure the service level."""
        info.context.require(Scope.OPS)
        value = await info.context.read(run_views.oldest_unexplained)
        return None if value is None else moment(value)


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
