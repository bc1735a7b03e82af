"""Mutations for cases."""

import strawberry

from hub import cases
from hub.access.keys import Scope
from hub.catalogue import reference
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub_api.cases.types import Case, case_by_id
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer


@strawberry.type
class CaseMutation:
    """Working on cases."""

    @command(
        Scope.OPS, description="Give a case to somebody.", result=answer("AssignCaseResult", Case)
    )
    async def assign_case(
        self,
        call: Call,
        id: strawberry.ID,
        owner: str,
    ) -> Case:
        if not 0 < len(owner.strip()) <= 100:
            raise InvalidInput("an owner has 1 to 100 characters", field="owner")

        context = call.context.command_context()

        def do(work: Work) -> None:
            case = reference(work.tx, "exception_case", "id", id)
            cases.assign(work.tx, context, case, owner)

        await call.once(context, do)
        return await call.context.read(lambda tx: case_by_id(tx, id, context.now))

    @command(
        Scope.OPS,
        description="Close a case with what was done about it.",
        result=answer("ResolveCaseResult", Case),
    )
    async def resolve_case(
        self,
        call: Call,
        id: strawberry.ID,
        resolution: str,
    ) -> Case:
        if not 0 < len(resolution.strip()) <= 2_000:
            raise InvalidInput("say what was done, in at most 2,000 characters", field="resolution")
        context = call.context.command_context()

        def do(work: Work) -> None:
            case = reference(work.tx, "exception_case", "id", id)
            cases.resolve(work.tx, context, case, resolution)

        await call.once(context, do)
        return await call.context.read(lambda tx: case_by_id(tx, id, context.now))

    @command(
        Scope.OPS,
        description="Open a resolved case again; its owner keeps it.",
        result=answer("ReopenCaseResult", Case),
    )
    async def reopen_case(self, call: Call, id: strawberry.ID, reason: str) -> Case:
        if not 0 < len(reason.strip()) <= 2_000:
            raise InvalidInput("say why, in at most 2,000 characters", field="reason")
        context = call.context.command_context()

        def do(work: Work) -> None:
            case = reference(work.tx, "exception_case", "id", id)
            cases.reopen(work.tx, context, case, reason)

        await call.once(context, do)
        return await call.context.read(lambda tx: case_by_id(tx, id, context.now))
