"""Mutations for API keys and job runs."""

import strawberry

from hub.access import keys
from hub.access.keys import Scope
from hub.commands.work import Work
from hub_api.administration.types import NewApiKey, Viewer
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer


@strawberry.type
class AdministrationMutation:
    """Changing what concerns the hub itself."""

    @command(
        Scope.ADMIN,
        description="Create an API key. Its secret is shown once: the same idempotency key again "
        "answers with the id of the same key, `replayed: true`, and no secret.",
        result=answer("CreateApiKeyResult", NewApiKey),
    )
    async def create_api_key(
        self, call: Call, name: str, scopes: list[Scope], client: str | None = None
    ) -> NewApiKey:
        """Make a key and show its secret this once; one of the scope CLIENT names its client."""
        context, secrets = call.context.command_context(), list[str]()

        def do(work: Work) -> str:
            key_id, secret = keys.create(work.tx, name, scopes, context.now, client=client)
            secrets.append(secret)
            return key_id

        done = await call.once(context, do)
        secret = None if done.replayed else secrets[-1]
        return NewApiKey(id=strawberry.ID(done.value), secret=secret, replayed=done.replayed)

    @command(
        Scope.ADMIN,
        description="Refuse an API key from now on.",
        result=answer("RevokeApiKeyResult", Viewer),
    )
    async def revoke_api_key(
        self,
        call: Call,
        id: strawberry.ID,
    ) -> Viewer:
        context = call.context.command_context()

        def do(work: Work) -> None:
            keys.revoke(work.tx, id, context.now)

        await call.once(context, do)
        return Viewer.of(call.context.caller)
