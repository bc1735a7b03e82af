"""Imports: which files of units were read in, and what became of each of their rows."""

from datetime import datetime

import strawberry

from hub import imports
from hub.clock import moment
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.common.paging import Connection, page, position


@strawberry.type(description="Result of one row of a file.")
class ImportedRow:
    number: int = strawberry.field(description="In the file, from 1, without its header.")
    serial: str = strawberry.field(description="As the row has it.")
    accepted: bool
    code: str | None = strawberry.field(
        description="Why it was refused: a code as commands give it, or one of files: SHORT_LINE, "
        "LONG_LINE, UNREADABLE, FORMULA, ROUNDED_NUMBER, MISSING_VALUE, BAD_DATE, BAD_CONDITION, "
        "UNKNOWN_PRODUCT, UNKNOWN_LOCATION, DUPLICATE_IN_FILE."
    )
    message: str | None
    warning: str | None = strawberry.field(
        description="Of an accepted row: its serial looks like a known one of the product."
    )
    unit_id: strawberry.ID | None = strawberry.field(description="Null in a dry run.")

    @classmethod
    def of(cls, row: Row) -> "ImportedRow":
        """Show a row."""
        return cls(
            number=row["number"],
            serial=row["serial"],
            accepted=row["code"] is None,
            code=row["code"],
            message=row["message"],
            warning=row["warning"],
            unit_id=strawberry.ID(row["unit_id"]) if row["unit_id"] else None,
        )


@strawberry.type(description="How many rows were refused for one reason.")
class RefusedRows:
    code: str
    rows: int
    first: int = strawberry.field(description="The first of them.")


@strawberry.type(description="A file of units that is, or was, read in.")
class ImportRun(Node):
    id: strawberry.ID
    name: str
    format: str
    dry_run: bool = strawberry.field(description="Verdicts only: nothing was changed.")
    state: str = strawberry.field(
        description="running, finished, failed or cancelled; all but finished can be resumed."
    )
    total: int | None = strawberry.field(
        description="Number of rows, as far as the file states it."
    )
    done: int
    accepted: int
    refused: int
    warned: int = strawberry.field(description="Accepted rows with a warning.")
    error: str | None
    started_by: str
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> "ImportRun":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            name=row["name"],
            format=row["format"],
            dry_run=bool(row["dry_run"]),
            state=row["state"],
            total=row["total"],
            done=row["done"],
            accepted=row["accepted"],
            refused=row["refused"],
            warned=row["warned"],
            error=row["error"],
            started_by=row["started_by"],
            started_at=moment(row["started_at"]),
            finished_at=moment(row["finished_at"]) if row["finished_at"] else None,
        )

    @strawberry.field(description="Results of the rows, in the order of the file.")
    async def rows(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        refused_only: bool = False,
        warned_only: bool = False,
        code: str | None = None,
    ) -> Connection[ImportedRow]:
        rows = await info.context.read(
            lambda tx: imports.rows_of(
                tx,
                str(self.id),
                first=first,
                after=position(after),
                refused_only=refused_only,
                warned_only=warned_only,
                code=code,
            )
        )
        return page(rows, first, after, ImportedRow.of)

    @strawberry.field(description="Its refused rows by their reasons.", metadata={"size": 10})
    async def refusals(self, info: Info) -> list[RefusedRows]:
        rows = await info.context.read(lambda tx: imports.tally(tx, str(self.id)))
        return [RefusedRows(**row) for row in rows]
