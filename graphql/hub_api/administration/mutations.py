"""Mutations for API keys and job runs."""

from collections.abc import Sequence

import strawberry

from hub.access import keys, sessions
from hub.access.keys import Creator, Narrowing, Scope
from hub.access.sessions import Owner, OwnerKind
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub_api.administration.types import KeyNarrowingInput, NewApiKey, Viewer
from hub_api.common.commands import COMMANDS, Call, command
from hub_api.common.problems import answer


def creator_of(call: Call) -> Creator:
    """Return who makes a key by a call."""
    return Creator(call.context.caller.name, call.context.caller.key_id)


def known_commands() -> set[str]:
    """Return the names of all mutations, and of the groups that keys may be narrowed to."""
    return {name for each in COMMANDS.values() for name in (each.field, each.group)}


def _check_commands(names: Sequence[str] | None) -> None:
    """Raise InvalidInput for what is neither a mutation nor a group of them."""
    known = known_commands()
    for name in names or ():
        if name not in known:
            groups = ", ".join(sorted({each.group for each in COMMANDS.values()}))
            text = f"{name[:60]!r} is no mutation and no group of them ({groups})"
            raise InvalidInput(text, field="commands")


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
        self,
        call: Call,
        name: str,
        scopes: list[Scope],
        client: str | None = None,
        narrowing: KeyNarrowingInput | None = None,
    ) -> NewApiKey:
        """Make a key and show its secret this once; one of the scope CLIENT names its client."""
        context, secrets = call.context.command_context(), list[str]()
        given = narrowing or KeyNarrowingInput()
        _check_commands(given.commands)
        narrows = Narrowing(
            client=client,
            site=given.site,
            commands=given.commands,
            addresses=given.addresses,
            expires_at=given.expires_at,
        )

        def do(work: Work) -> str:
            key_id, secret = keys.create(
                work.tx, name, scopes, context.now, narrowing=narrows, creator=creator_of(call)
            )
            secrets.append(secret)
            return key_id

        done = await call.once(context, do)
        secret = None if done.replayed else secrets[-1]
        return NewApiKey(key_id=strawberry.ID(done.value), secret=secret, replayed=done.replayed)

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
            sessions.end_all(work.tx, Owner(OwnerKind.KEY, id), context.now)

        await call.once(context, do)
        return Viewer.of(call.context.caller)
