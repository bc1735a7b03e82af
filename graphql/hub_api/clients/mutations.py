"""Mutations for clients."""

import strawberry

from hub import clients
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.storage.sql import Transaction
from hub_api.clients.types import Client
from hub_api.common.command_inputs import CommandContextInput, UnitInput, given_by, scans_of
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.units.results import CommandOutcome, CommandResult, command


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
