"""Reconciliation: runs, the differences they found, and what became of them."""

from datetime import datetime

import orjson
import strawberry

from hub.cases import Severity
from hub.clock import moment
from hub.reconciliation import run_views
from hub.reconciliation.differences import Cause, Fix, Kind
from hub.reconciliation.differences import Scope as Comparison
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position


@strawberry.type(description="Where a channel and the ledger disagree.")
class Difference:
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
    id: strawberry.ID
    channel: str
    channel_name: str
    scope: Comparison
    state: str = strawberry.field(description="running, finished or failed.")
    trigger: str
    compared: int
    matched: int
    not_kept: int = strawberry.field(
        description="Listings whose quantity the channel keeps; they are not compared."
    )
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
            not_kept=row["not_kept"],
            in_flight=row["in_flight"],
            differences_found=row["differences"],
            healed=row["healed"],
            error=row["error"],
            started_at=moment(row["started_at"]),
            finished_at=moment(row["finished_at"]) if row["finished_at"] else None,
        )

    @strawberry.field(description="Differences that the run found.")
    async def differences(
        self, info: Info, first: int = 100, after: str | None = None
    ) -> Connection[Difference]:
        rows = await info.context.read(
            lambda tx: run_views.differences(tx, first=first, after=position(after), run=self.id)
        )
        return page(rows, first, after, Difference.of)


@strawberry.type(description="The runs that were started.")
class ReconciliationStarted:
    runs: list[ReconciliationRun] = strawberry.field(
        metadata={"size": len(Comparison)}, description="One for each scope."
    )


@strawberry.type(description="How many differences one command healed.")
class DifferencesHealed:
    healed: int = strawberry.field(description="Differences whose fix is applied or queued.")
    refused: int = strawberry.field(description="Differences whose fix was refused.")
