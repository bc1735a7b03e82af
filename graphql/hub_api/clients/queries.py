"""Queries for clients."""

from datetime import datetime

import strawberry

from hub import clients
from hub.access.keys import Scope
from hub.clients import ReportColumn
from hub.errors import Forbidden, InvalidInput
from hub.storage import paging
from hub.storage.sql import Row, Transaction
from hub.unit_records import costs
from hub.unit_records.costs import By
from hub_api.clients.types import MIDDLE, Client, ClientReport, ClientStockLine
from hub_api.common.context import Context, Info
from hub_api.common.paging import cursor, position
from hub_api.engine.stored import each
from hub_api.unit_records.cost_types import Valuation

USUAL_LINES = 20


@strawberry.type
class ClientQuery:
    """Reading what is a client's."""

    @strawberry.field(description="All clients, by code.", metadata={"size": 50})
    async def clients(self, info: Info, first: int = 100, after_code: str = "") -> list[Client]:
        info.context.require(Scope.OPS, Scope.ADMIN)
        rows = await info.context.read(
            lambda tx: tx.rows(
                "SELECT * FROM client WHERE code > :after ORDER BY code LIMIT :limit",
                after=after_code,
                limit=paging.page_size(first),
            )
        )
        return each(Client.of, rows)

    @strawberry.field(
        description="A client's stock by product and place. A client's own key names none.",
        metadata={"size": USUAL_LINES, "cost": 20},
    )
    async def client_stock(
        self, info: Info, client: str | None = None, first: int = 100, after: str = ""
    ) -> list[ClientStockLine]:
        asked = _asked(info.context, client)
        sku, _, place = after.partition(MIDDLE)
        limit = paging.page_size(first)

        def read(tx: Transaction) -> list[Row]:
            client_id = _client_id(tx, info.context, asked)
            return clients.stock(tx, client_id, after=(sku, place), limit=limit)

        return each(ClientStockLine.of, await info.context.database.report(read))

    @strawberry.field(
        description="Value of the goods of a client at an instant: units and costs since the "
        "client owns them. A client's own key names no client.",
        metadata={"cost": 100},
    )
    async def client_valuation(
        self, info: Info, at: datetime, client: str | None = None, by: By = By.PRODUCT
    ) -> Valuation:
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
