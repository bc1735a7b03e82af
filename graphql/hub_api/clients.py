"""Clients of a third-party warehouse: who they are, how title passes, and what each may read."""

from datetime import datetime

import strawberry

from hub import clients
from hub.access.keys import Scope
from hub.clients import ReportColumn
from hub.clock import moment
from hub.commands.work import Work
from hub.errors import Forbidden, InvalidInput
from hub.ledger.event_writer import Verdict
from hub.storage import paging
from hub.storage.sql import Row, Transaction
from hub.unit_records import costs
from hub.unit_records.costs import By
from hub_api.command import (
    CommandContextInput,
    CommandOutcome,
    CommandResult,
    UnitInput,
    command,
    given_by,
    scans_of,
)
from hub_api.context import Context
from hub_api.costs import Valuation
from hub_api.once import once
from hub_api.paging import cursor, position
from hub_api.problems import answer

Info = strawberry.Info[Context, None]

strawberry.enum(ReportColumn, description="What a report may say of a unit.")

MIDDLE = "\x1f"  # between a SKU and a place's code in a cursor: it is in neither
USUAL_LINES = 20


@strawberry.type(description="Whose goods are kept here.")
class Client:
    """A client."""

    code: str
    name: str
    created_at: datetime

    @classmethod
    def of(cls, row: Row) -> "Client":
        """Show a row."""
        return cls(code=row["code"], name=row["name"], created_at=moment(row["created_at"]))


@strawberry.type(description="The units of one product of a client at one place.")
class ClientStockLine:
    """One line of a client's stock."""

    sku: str
    location: str
    units: int = strawberry.field(description="All that are there.")
    available: int = strawberry.field(description="In stock, unpromised, unblocked.")
    promised: int
    blocked: int
    cursor: str = strawberry.field(description="Give the last one as `after` to go on.")

    @classmethod
    def of(cls, row: Row) -> "ClientStockLine":
        """Show a row."""
        return cls(
            sku=row["sku"],
            location=row["code"],
            units=row["units"],
            available=row["available"],
            promised=row["promised"],
            blocked=row["blocked"],
            cursor=f"{row['sku']}{MIDDLE}{row['code']}",
        )


@strawberry.type(description="One page of a report on a client's units, one row for each.")
class ClientReport:
    """One page of a report."""

    header: list[str] = strawberry.field(description="The columns, then the custom fields.")
    rows: list[list[str]] = strawberry.field(description="What is unknown is an empty text.")
    after: str | None = strawberry.field(description="Where the next page begins; null: the end.")


@strawberry.type
class ClientQuery:
    """Reading what is a client's."""

    @strawberry.field(description="All clients, by code.", metadata={"size": 50})
    async def clients(self, info: Info, first: int = 100, after_code: str = "") -> list[Client]:
        """List clients."""
        info.context.require(Scope.OPS, Scope.ADMIN)
        rows = await info.context.read(
            lambda tx: tx.rows(
                "SELECT * FROM client WHERE code > :after ORDER BY code LIMIT :limit",
                after=after_code,
                limit=paging.page_size(first),
            )
        )
        return [Client.of(row) for row in rows]

    @strawberry.field(
        description="A client's stock by product and place. A client's own key names none.",
        metadata={"size": USUAL_LINES, "cost": 20},
    )
    async def client_stock(
        self, info: Info, client: str | None = None, first: int = 100, after: str = ""
    ) -> list[ClientStockLine]:
        """Count a client's units."""
        asked = _asked(info.context, client)
        sku, _, place = after.partition(MIDDLE)
        limit = paging.page_size(first)

        def read(tx: Transaction) -> list[Row]:
            client_id = _client_id(tx, info.context, asked)
            return clients.stock(tx, client_id, after=(sku, place), limit=limit)

        return [ClientStockLine.of(row) for row in await info.context.database.report(read)]

    @strawberry.field(
        description="What of a client's was in the house at an instant, and what was paid for it "
        "since it is the client's. A client's own key names none.",
        metadata={"cost": 100},
    )
    async def client_valuation(
        self, info: Info, at: datetime, client: str | None = None, by: By = By.PRODUCT
    ) -> Valuation:
        """Value a client's stock."""
        asked = _asked(info.context, client)
        if at.tzinfo is None:
            raise InvalidInput("a time comes with its zone", field="at")

        def read(tx: Transaction) -> costs.Valuation:
            return costs.valuation(tx, at, by, client=_client_id(tx, info.context, asked))

        return Valuation.of(await info.context.database.report(read))

    @strawberry.field(
        description="A client's units in the columns that it wants, custom fields among them. "
        "A client's own key names none.",
        metadata={"cost": 20},
    )
    async def client_report(
        self,
        info: Info,
        columns: list[ReportColumn],
        fields: list[str] | None = None,
        client: str | None = None,
        first: int = 100,
        after: str | None = None,
    ) -> ClientReport:
        """Read one page of a report."""
        asked = _asked(info.context, client)

        def read(tx: Transaction) -> clients.Report:
            return clients.report(
                tx,
                _client_id(tx, info.context, asked),
                columns,
                fields or [],
                first=first,
                after=position(after),
            )

        found = await info.context.database.report(read)
        return ClientReport(
            header=list(found.header),
            rows=[list(row) for row in found.rows],
            after=found.after and cursor(found.after),
        )


def _asked(context: Context, client: str | None) -> str:
    """Return the code of the client that is asked about; a client may ask about itself alone."""
    context.require(Scope.OPS, Scope.CLIENT)
    own = context.caller.client
    if own is not None:
        if client not in {None, own}:
            raise Forbidden("a client sees what is its own", needs=str(Scope.OPS))
        return own
    if client is None:
        raise InvalidInput("name the client", field="client")
    return client


def _client_id(tx: Transaction, context: Context, code: str) -> str:
    return context.caller.client_id or str(clients.named(tx, code)["id"])


@strawberry.type
class ClientMutation:
    """Changing whose goods are whose."""

    @strawberry.mutation(
        description="Register a client; the same code again renames it.",
        graphql_type=answer("RegisterClientResult", Client),
    )
    async def register_client(
        self, info: Info, idempotency_key: str, code: str, name: str
    ) -> Client:
        """Register a client."""
        info.context.require(Scope.ADMIN)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> dict[str, object]:
            row = clients.register(tx, context, code, name)
            return {"code": row["code"], "name": row["name"], "created_at": row["created_at"]}

        done = await once(
            info.context, context, idempotency_key, "register_client", [code, name], do
        )
        return Client.of(done.value)

    @strawberry.mutation(
        description="Let title to units pass to a client, or to us (null), by the document of the "
        "occasion. Refused while a unit is promised, in a kit, or not kept here.",
        graphql_type=CommandOutcome,
    )
    async def transfer_title(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        context: CommandContextInput,
        client: str | None = None,
    ) -> CommandResult:
        """Transfer title."""
        info.context.require(Scope.OPS)

        def do(work: Work) -> list[Verdict]:
            return clients.transfer_title(work, scans_of(units), client)

        given = given_by(units, context, client=client)
        return await command(info, idempotency_key, "transfer_title", given, context, do)
