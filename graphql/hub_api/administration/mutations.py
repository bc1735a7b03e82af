"""Mutations for API keys and job runs."""

import strawberry

from hub.access import keys
from hub.access.keys import Scope
from hub.storage.sql import Transaction
from hub_api.administration.types import NewApiKey, Viewer
from hub_api.common.context import Info
from hub_api.common.problems import answer


@strawberry.type
class AdministrationMutation:
    """Changing what concerns the hub itself."""

    @strawberry.mutation(
        description="Make an API key.", graphql_type=answer("CreateApiKeyResult", NewApiKey)
    )
    async def create_api_key(
        self, info: Info, name: str, scopes: list[Scope], client: str | None = None
    ) -> NewApiKey:
        """Make a key and show its secret this once; one of the scope CLIENT names its client."""
        info.context.require(Scope.ADMIN)
        now = info.context.clock()
        key_id, secret = await info.context.write(
            lambda tx: keys.create(tx, name, scopes, now, client=client)
        )
        return NewApiKey(id=strawberry.ID(key_id), secret=secret)

    @strawberry.mutation(
        description="Refuse an API key from now on.",
        graphql_type=answer("RevokeApiKeyResult", Viewer),
    )
    async def revoke_api_key(
        self,
        info: Info,
        id: strawberry.ID,
    ) -> Viewer:
        """Revoke a key."""
        info.context.require(Scope.ADMIN)
        now = info.context.clock()

        def work(tx: Transaction) -> None:
            keys.revoke(tx, id, now)

        await info.context.write(work)
        return Viewer.of(info.context.caller)
