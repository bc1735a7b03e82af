"""Cases: exceptions with an owner."""

from datetime import datetime

import orjson
import strawberry

from hub import cases
from hub.access.keys import Scope
from hub.cases import CaseKind, Severity, case_views
from hub.cases import trail as trails
from hub.cases.trail import CaseAction
from hub.catalogue import reference
from hub.clock import moment
from hub.errors import InvalidInput
from hub.storage.sql import Row, Transaction
from hub_api.context import Context
from hub_api.paging import Connection, page, position
from hub_api.problems import answer

Info = strawberry.Info[Context, None]

strawberry.enum(CaseKind, description="What went wrong.")
strawberry.enum(CaseAction, description="What became of a case.")
strawberry.enum(Severity, description="How soon somebody should look.")


@strawberry.type(description="What became of a case, by whom and when.")
class CaseEvent:
    """What became of a case."""

    id: strawberry.ID
    action: CaseAction
    actor: str = strawberry.field(description="hub: nobody did it by hand.")
    rule: str | None = strawberry.field(description="The code of the rule that did it.")
    state: str = strawberry.field(description="Of the case from then on; so are the next two.")
    severity: Severity
    owner: str | None
    occurrences: int = strawberry.field(description="How often it was seen by then.")
    remark: str | None
    happened_at: datetime

    @classmethod
    def of(cls, row: Row) -> "CaseEvent":
        """Show a row."""
        given = {
            "id": strawberry.ID(row["id"]),
            "action": CaseAction(row["action"]),
            "severity": Severity(row["severity"]),
            "happened_at": moment(row["happened_at"]),
        }
        return cls(**{name: each for name, each in row.items() if name != "case_id"} | given)


@strawberry.type(description="What no rule could settle: somebody has to look at it.")
class Case:
    """What no rule could settle."""

    id: strawberry.ID
    kind: CaseKind
    subject: str
    channel: str | None
    severity: Severity
    state: str = strawberry.field(description="open, assigned or resolved.")
    summary: str
    details: strawberry.scalars.JSON
    owner: str | None
    occurrences: int
    opened_at: datetime
    newest_at: datetime
    resolution: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    age_hours: float = strawberry.field(
        description="From when it was opened until it was resolved."
    )

    @strawberry.field(
        description="All that became of it, oldest first; nothing in it is ever changed.",
        metadata={"size": 20},
    )
    async def trail(self, info: Info) -> list[CaseEvent]:
        """Load its trail."""
        rows = await info.context.loaders.of(trails.of_cases).load(str(self.id))
        return [CaseEvent.of(row) for row in rows]

    @classmethod
    def of(cls, row: Row, now: datetime) -> "Case":
        """Show a row."""
        until = moment(row["resolved_at"]) if row["resolved_at"] else now
        return cls(
            id=strawberry.ID(row["id"]),
            kind=CaseKind(row["kind"]),
            subject=row["subject"],
            channel=row["channel_code"],
            severity=Severity(row["severity"]),
            state=row["state"],
            summary=row["summary"],
            details=orjson.loads(row["details"]),
            owner=row["owner"],
            occurrences=row["occurrences"],
            opened_at=moment(row["opened_at"]),
            newest_at=moment(row["newest_at"]),
            resolution=row["resolution"],
            resolved_by=row["resolved_by"],
            resolved_at=moment(row["resolved_at"]) if row["resolved_at"] else None,
            age_hours=(until - moment(row["opened_at"])).total_seconds() / 3_600,
        )


@strawberry.type
class CaseQuery:
    """Reading cases."""

    @strawberry.field(description="Cases, the newest first; state: live (not resolved), open, …")
    async def cases(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        state: str | None = "live",
        kind: CaseKind | None = None,
    ) -> Connection[Case]:
        """List cases."""
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: case_views.cases(
                tx,
                first=first,
                before=position(after),
                state=state,
                kind=str(kind) if kind else None,
            )
        )
        now = info.context.clock()
        return page(rows, first, after, lambda row: Case.of(row, now))

    @strawberry.field(description="One case.")
    async def case(self, info: Info, id: strawberry.ID) -> Case:
        """Find one case."""
        info.context.require(Scope.OPS)

        def read(tx: Transaction) -> Case:
            reference(tx, "exception_case", "id", id)
            return case_by_id(tx, id, now)

        now = info.context.clock()
        return await info.context.read(read)


def case_by_id(tx: Transaction, case_id: str, now: datetime) -> Case:
    """Show a case that is known to exist."""
    row = tx.row(
        "SELECT exception_case.*, channel.code AS channel_code FROM exception_case "
        "LEFT JOIN channel ON channel.id = exception_case.channel_id "
        "WHERE exception_case.id = :id",
        id=case_id,
    )
    assert row is not None  # it was found by its id in the same transaction
    return Case.of(row, now)


@strawberry.type
class CaseMutation:
    """Working on cases."""

    @strawberry.mutation(
        description="Give a case to somebody.", graphql_type=answer("AssignCaseResult", Case)
    )
    async def assign_case(
        self,
        info: Info,
        id: strawberry.ID,
        owner: str,
    ) -> Case:
        """Assign a case."""
        info.context.require(Scope.OPS)
        if not 0 < len(owner.strip()) <= 100:
            raise InvalidInput("an owner has 1 to 100 characters", field="owner")

        context = info.context.command_context()

        def work(tx: Transaction) -> Case:
            cases.assign(tx, context, reference(tx, "exception_case", "id", id), owner)
            return case_by_id(tx, id, context.now)

        return await info.context.write(work)

    @strawberry.mutation(
        description="Close a case with what was done about it.",
        graphql_type=answer("ResolveCaseResult", Case),
    )
    async def resolve_case(
        self,
        info: Info,
        id: strawberry.ID,
        resolution: str,
    ) -> Case:
        """Resolve a case."""
        info.context.require(Scope.OPS)
        if not 0 < len(resolution.strip()) <= 2_000:
            raise InvalidInput("say what was done, in at most 2,000 characters", field="resolution")
        context = info.context.command_context()

        def work(tx: Transaction) -> Case:
            cases.resolve(tx, context, reference(tx, "exception_case", "id", id), resolution)
            return case_by_id(tx, id, context.now)

        return await info.context.write(work)

    @strawberry.mutation(
        description="Open a resolved case again; its owner keeps it.",
        graphql_type=answer("ReopenCaseResult", Case),
    )
    async def reopen_case(self, info: Info, id: strawberry.ID, reason: str) -> Case:
        """Reopen a case."""
        info.context.require(Scope.OPS)
        if not 0 < len(reason.strip()) <= 2_000:
            raise InvalidInput("say why, in at most 2,000 characters", field="reason")
        context = info.context.command_context()

        def work(tx: Transaction) -> Case:
            cases.reopen(tx, context, reference(tx, "exception_case", "id", id), reason)
            return case_by_id(tx, id, context.now)

        return await info.context.write(work)
