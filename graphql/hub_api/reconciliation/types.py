"""Reconciliation: runs, the differences they found, and what became of them."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from hub.cases import Severity
from hub.clock import moment
from hub.reconciliation import run_views
from hub.reconciliation.kinds import CHOICES, Cause, Fix, Kind, State
from hub.reconciliation.kinds import Scope as Comparison
from hub.reconciliation.listing_imports import IMPORTED_MAX
from hub.reconciliation.plans import Planned
from hub.storage.documents import document, readable, values
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each


@strawberry.type(description="A record that proves the cause of a difference.")
class DifferenceProof:
    record: str = strawberry.field(
        description="Kind of the record: push_attempt, sales_order, channel_return, inbox, …"
    )
    record_id: strawberry.ID = strawberry.field(description="Id of the record.")
    at: datetime
    text: str = strawberry.field(description="Statement of the record.")


@strawberry.type(
    description="Where a channel and the ledger disagree. It lasts while both claims stay as they "
    "are."
)
class Difference(Node):
    id: strawberry.ID
    run_id: strawberry.ID
    channel: str
    channel_name: str
    scope: Comparison
    kind: Kind
    subject: str = strawberry.field(description="Subject by the name that people use.")
    about: str = strawberry.field(description="Subject by the channel's own reference.")
    sku: str | None
    unit_id: strawberry.ID | None
    order_id: strawberry.ID | None
    ledger_claim: strawberry.scalars.JSON
    remote_claim: strawberry.scalars.JSON
    surplus: int | None = strawberry.field(
        description="Units that the channel has more than the ledger; fewer are negative."
    )
    cause: Cause
    evidence: str
    proofs: list[DifferenceProof] = strawberry.field(
        metadata={"size": 10}, description="Records that prove the cause."
    )
    severity: Severity
    fix: Fix
    choices: list[Fix] = strawberry.field(
        metadata={"size": 5}, description="Fixes that a person may choose instead."
    )
    state: State
    first_seen_at: datetime
    found_at: datetime
    last_seen_at: datetime = strawberry.field(description="When a run found it last.")
    times: int = strawberry.field(description="Runs that found it.")
    heal_attempts: int = strawberry.field(
        description="Fixes that the channel took and that did not hold."
    )
    heal_error: str | None = strawberry.field(
        description="Why the last fix was refused or did not hold."
    )
    healed_at: datetime | None = strawberry.field(
        description="When a look at the channel after the fix showed that both sides agree."
    )
    closed_at: datetime | None = strawberry.field(description="When it ended.")
    closed_run_id: strawberry.ID | None = strawberry.field(
        description="The run that found it no more, or with other claims."
    )
    previous_id: strawberry.ID | None = strawberry.field(
        description="The difference about the same subject before one of the claims changed."
    )
    resolved_by: str | None
    fix_rule: str | None = strawberry.field(
        description="The rule that applied the fix; null: a person did."
    )
    resolution: str | None = strawberry.field(
        description="The words of the person who dismissed it."
    )

    @classmethod
    def of(cls, row: run_views.DifferenceRow) -> "Difference":
        """Show a difference."""
        return cls(
            id=strawberry.ID(row["id"]),
            run_id=strawberry.ID(row["run_id"]),
            channel=row["channel_code"],
            channel_name=row["channel_name"],
            scope=Comparison(row["scope"]),
            kind=Kind(row["kind"]),
            subject=row["subject"],
            about=row["about"],
            sku=row["sku"],
            unit_id=identity(row["unit_id"]),
            order_id=identity(row["order_id"]),
            ledger_claim=JSON(document(row["ledger_claim"])),
            remote_claim=JSON(document(row["remote_claim"])),
            surplus=row["surplus"],
            cause=Cause(row["cause"]),
            evidence=row["evidence"],
            proofs=readable(_proof, values(row["proofs"])),
            severity=Severity(row["severity"]),
            fix=Fix(row["fix"]),
            choices=list(CHOICES.get(Kind(row["kind"]), ())),
            state=State(row["state"]),
            first_seen_at=moment(row["first_seen_at"]),
            found_at=moment(row["found_at"]),
            last_seen_at=moment(row["last_seen_at"]),
            times=row["times"],
            heal_attempts=row["heal_attempts"],
            heal_error=row["heal_error"],
            healed_at=moment(row["healed_at"]) if row["healed_at"] else None,
            closed_at=moment(row["closed_at"]) if row["closed_at"] else None,
            closed_run_id=identity(row["closed_run_id"]),
            previous_id=identity(row["previous_id"]),
            resolved_by=row["resolved_by"],
            fix_rule=row["fix_rule"],
            resolution=row["resolution"],
        )


def identity(value: str | None) -> strawberry.ID | None:
    """Return an id, or null."""
    return None if value is None else strawberry.ID(value)


def _proof(stored: dict[str, str]) -> DifferenceProof:
    return DifferenceProof(
        record=stored["record"],
        record_id=strawberry.ID(stored["id"]),
        at=datetime.fromisoformat(stored["at"]),
        text=stored["text"],
    )


def _not_compared(stored: dict[str, str]) -> "NotCompared":
    return NotCompared(subject=stored["subject"], reason=stored["reason"])


@strawberry.type(description="Differences of one kind, cause and fix on one channel.")
class DifferenceGroup:
    channel: str
    channel_name: str
    kind: Kind
    cause: Cause
    fix: Fix
    choices: list[Fix] = strawberry.field(
        metadata={"size": 5}, description="Fixes that a person may choose instead."
    )
    number: int = strawberry.field(description="Number of differences.")
    surplus: int = strawberry.field(
        description="Units that the channel offers more than the ledger has, over all of them."
    )
    shortage: int = strawberry.field(
        description="Units that the channel offers less than the ledger has, over all of them."
    )
    oldest_at: datetime = strawberry.field(description="When the oldest of them was first found.")
    sample: str = strawberry.field(description="Evidence of one of them.")

    @classmethod
    def of(cls, row: run_views.GroupRow) -> "DifferenceGroup":
        """Show a group."""
        return cls(
            channel=row["channel_code"],
            channel_name=row["channel_name"],
            kind=Kind(row["kind"]),
            cause=Cause(row["cause"]),
            fix=Fix(row["fix"]),
            choices=list(CHOICES.get(Kind(row["kind"]), ())),
            number=row["number"],
            surplus=row["surplus"] or 0,
            shortage=row["shortage"] or 0,
            oldest_at=moment(row["oldest"]),
            sample=row["sample"],
        )


@strawberry.type(description="A difference with the fix that the policy would apply to it.")
class PlannedFix:
    difference_id: strawberry.ID = strawberry.field(description="Id of the difference.")
    kind: Kind
    subject: str
    fix: Fix | None = strawberry.field(description="Fix to apply; null: a person decides.")
    rule: str = strawberry.field(description="Code of the rule that decides.")
    effect: str = strawberry.field(description="Result of the fix, in words.")
    surplus: int | None = strawberry.field(
        description="Units that the channel has more than the ledger; fewer are negative."
    )

    @classmethod
    def of(cls, planned: Planned) -> "PlannedFix":
        """Show a planned fix."""
        return cls(
            difference_id=strawberry.ID(planned.difference["id"]),
            kind=Kind(planned.difference["kind"]),
            subject=planned.difference["subject"],
            fix=planned.fix,
            rule=planned.rule,
            effect=planned.effect,
            surplus=planned.difference["surplus"],
        )


@strawberry.type(description="A subject that a run could not compare, with the reason.")
class NotCompared:
    subject: str
    reason: str


@strawberry.type(
    description="One comparison; each subject is counted once: compared = matched + inFlight + "
    "explained + differencesFound."
)
class ReconciliationRun(Node):
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
    explained: int = strawberry.field(
        description="They differ, and a person dismissed exactly this difference before."
    )
    differences_found: int
    not_compared: int = strawberry.field(description="They could not be compared.")
    skipped: list[NotCompared] = strawberry.field(
        metadata={"size": 100}, description="The first of those that could not be compared."
    )
    healed: int
    closed: int = strawberry.field(
        description="Differences of earlier runs that this one found no more."
    )
    error: str | None
    window_from: datetime | None = strawberry.field(
        description="Begin of the period whose orders were compared."
    )
    window_until: datetime | None = strawberry.field(
        description="End of the period whose orders were compared."
    )
    started_at: datetime
    finished_at: datetime | None
    resumes: int = strawberry.field(
        description="Times that another process went on with it, as the one before had died."
    )
    resumed_at: datetime | None = strawberry.field(
        description="When another process went on with it last; what was counted before is not "
        "compared again."
    )

    @classmethod
    def of(cls, row: run_views.RunRow) -> "ReconciliationRun":
        """Show a run."""
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
            explained=row["explained"],
            not_compared=row["not_compared"],
            skipped=readable(_not_compared, values(row["skipped"])),
            closed=row["closed"],
            window_from=moment(row["window_from"]) if row["window_from"] else None,
            window_until=moment(row["window_until"]) if row["window_until"] else None,
            differences_found=row["differences"],
            healed=row["healed"],
            error=row["error"],
            started_at=moment(row["started_at"]),
            finished_at=moment(row["finished_at"]) if row["finished_at"] else None,
            resumes=row["resumes"],
            resumed_at=moment(row["resumed_at"]) if row["resumed_at"] else None,
        )

    @strawberry.field(description="Differences that the run found.")
    async def differences(
        self,
        info: Info,
        first: int = 100,
        after: str | None = None,
        kind: Annotated[
            Kind | None, strawberry.argument(description="Only differences of this kind.")
        ] = None,
    ) -> Connection[Difference]:
        wanted = run_views.Wanted(str(self.id), first, position(after), kind)
        rows = await info.context.loaders.of(run_views.differences_of_runs).load(wanted)
        return page(rows, first, after, Difference.of)

    @strawberry.field(description="Differences that the run found, by kind, cause and fix.")
    async def groups(self, info: Info) -> list[DifferenceGroup]:
        rows = await info.context.loaders.of(run_views.groups_of_runs).load(str(self.id))
        return each(DifferenceGroup.of, rows)


@strawberry.type(description="The runs that were started.")
class ReconciliationStarted:
    runs: list[ReconciliationRun] = strawberry.field(
        metadata={"size": len(Comparison)}, description="One for each scope."
    )


@strawberry.type(description="How many differences one command healed.")
class DifferencesHealed:
    healed: int = strawberry.field(description="Differences that were seen to agree after the fix.")
    applied: int = strawberry.field(description="Differences whose fix is applied or queued.")
    refused: int = strawberry.field(description="Differences whose fix was refused.")


@strawberry.type(description="How many differences one command dismissed.")
class DifferencesDismissed:
    dismissed: int = strawberry.field(description="Differences that are dismissed now.")


@strawberry.type(description="A listing that became no product, with the reason.")
class ListingRefused:
    sku: str
    reason: str = strawberry.field(description="Why it became no product.")


@strawberry.type(description="Products that were made of listings.")
class ListingsImported:
    registered: list[str] = strawberry.field(
        metadata={"size": IMPORTED_MAX}, description="SKUs that became products."
    )
    refused: list[ListingRefused] = strawberry.field(
        metadata={"size": IMPORTED_MAX}, description="Listings that became no products."
    )
