"""Cases: exceptions with an owner."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from hub.cases import CaseKind, Severity
from hub.cases import trail as trails
from hub.cases.trail import CaseAction
from hub.clock import moment
from hub.storage.documents import document
from hub.storage.sql import Row, Transaction
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.engine.stored import each


@strawberry.type(description="Step that was taken on a case, with its actor and instant.")
class CaseEvent:
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


@strawberry.type(description="Exception that no rule settles: a person decides.")
class Case(Node):
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
        rows = await info.context.loaders.of(trails.of_cases).load(str(self.id))
        return each(CaseEvent.of, rows)

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
            details=JSON(document(row["details"])),
            owner=row["owner"],
            occurrences=row["occurrences"],
            opened_at=moment(row["opened_at"]),
            newest_at=moment(row["newest_at"]),
            resolution=row["resolution"],
            resolved_by=row["resolved_by"],
            resolved_at=moment(row["resolved_at"]) if row["resolved_at"] else None,
            age_hours=(until - moment(row["opened_at"])).total_seconds() / 3_600,
        )


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
