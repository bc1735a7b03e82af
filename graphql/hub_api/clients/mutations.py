"""Mutations for clients."""

import strawberry

from hub import clients
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub_api.clients.types import Client
from hub_api.common.command_inputs import CommandContextInput, UnitInput, scans_of
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.units.results import CommandOutcome, CommandResult, record_units


@strawberry.type
class ClientMutation:
    """Changing whose goods are whose."""

    @command(
        Scope.ADMIN,
        description="Register a client; the same code again renames it.",
        result=answer("RegisterClientResult", Client),
    )
    async def register_client(self, call: Call, code: str, name: str) -> Client:
        context = call.context.command_context()

        def do(work: Work) -> dict[str, object]:
            row = clients.register(work.tx, context, code, name)
            return {"code": row["code"], "name": row["name"], "created_at": row["created_at"]}

        done = await call.once(context, do)
        return Client.of(done.value)

    @command(
        Scope.OPS,
        description="Let title to units pass to a client, or to us (null), by the document of the "
        "command context. Refused while a unit is promised, in a kit, or not kept here.",
        result=CommandOutcome,
    )
    async def transfer_title(
        self,
        call: Call,
        units: list[UnitInput],
        context: CommandContextInput,
        client: str | None = None,
    ) -> CommandResult:
        def do(work: Work) -> list[Verdict]:
            return clients.transfer_title(work, scans_of(units), client)

        return await record_units(call, context, do)
