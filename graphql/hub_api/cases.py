"""Cases: exceptions with an owner."""

from datetime import datetime

import orjson
import strawberry

from hub import cases, views
from hub.cases import CaseKind, Severity
from hub.catalogue import reference
from hub.clock import moment
from hub.errors import InvalidInput
from hub.keys import Scope
from hub.sql import Row, Transaction
from hub_api.context import Context
from hub_api.paging import Connection, page, position
from hub_api.problems import answer

Info = strawberry.Info[Context, None]

strawberry.enum(CaseKind, description="What went wrong.")
strawberry.enum(Severity, description="How soon somebody should look.")


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

    @classmethod
    def of(cls, row: Row) -> "Case":
        """Show a row."""
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
            lambda tx: views.cases(
                tx,
                first=first,
                before=position(after),
                state=state,
                kind=str(kind) if kind else None,
            )
        )
        return page(rows, first, after, Case.of)

    @strawberry.field(description="One case.")
    async def case(self, info: Info, id: strawberry.ID) -> Case:
        """Find one case."""
        info.context.require(Scope.OPS)

        def read(tx: Transaction) -> Case:
            reference(tx, "exception_case", "id", id)
            return case_by_id(tx, id)

        return await info.context.read(read)


def case_by_id(tx: Transaction, case_id: str) -> Case:
    """Show a case that is known to exist."""
    row = tx.row(
        "SELECT exception_case.*, channel.code AS channel_code FROM exception_case "
        "LEFT JOIN channel ON channel.id = exception_case.channel_id "
        "WHERE exception_case.id = :id",
        id=case_id,
    )
    assert row is not None  # it was found by its id in the same transaction
    return Case.of(row)


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

        def work(tx: Transaction) -> Case:
            cases.assign(tx, reference(tx, "exception_case", "id", id), owner)
            return case_by_id(tx, id)

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
        occasion = info.context.occasion()

        def work(tx: Transaction) -> Case:
            cases.resolve(tx, occasion, reference(tx, "exception_case", "id", id), resolution)
            return case_by_id(tx, id)

        return await info.context.write(work)
