"""Mutations for cases."""

import strawberry

from hub import cases
from hub.access.keys import Scope
from hub.catalogue import reference
from hub.errors import InvalidInput
from hub.storage.sql import Transaction
from hub_api.cases.types import Case, case_by_id
from hub_api.common.context import Info
from hub_api.common.problems import answer


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
