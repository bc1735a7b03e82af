"""Mutations for imports."""

import strawberry

from hub import imports
from hub.access.keys import Scope
from hub.commands.work import Work
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.imports.types import ImportRun


@strawberry.type
class ImportMutation:
    """Stopping imports."""

    @command(
        Scope.OPS,
        description="Stop an import behind the batch that is being written. Its rows and their "
        "units stay; the same file, sent again, goes on from there.",
        result=answer("CancelImportResult", ImportRun),
    )
    async def cancel_import(self, call: Call, id: strawberry.ID) -> ImportRun:
        context = call.context.command_context()

        def do(work: Work) -> str:
            imports.cancel(work.tx, context, str(id))
            return str(id)

        run_id = (await call.once(context, do)).value
        return ImportRun.of(await call.context.read(lambda tx: imports.by_id(tx, run_id)))
