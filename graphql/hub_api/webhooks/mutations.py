"""Mutations for webhooks."""

from datetime import datetime, timedelta

import strawberry

from hub import webhooks
from hub.access.keys import Scope
from hub.errors import InvalidInput
from hub.storage.sql import Transaction
from hub.webhooks import messages, signing
from hub.webhooks.signing import Signature
from hub_api.common.context import Context, Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.webhooks.types import WebhookDelivery, WebhookEndpoint, WebhookInput


@strawberry.type(description="An address after a change.")
class WebhookChange:
    """An endpoint after a change."""

    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )
    endpoint: WebhookEndpoint
    secret: str | None = strawberry.field(
        description="What verifies signatures, shown this once: whsec_…, or whpk_… for Ed25519.",
        default=None,
    )


@strawberry.type(description="A message that was put in the queue.")
class WebhookQueued:
    """A message that was put in the queue."""

    replayed: bool = strawberry.field(
        description="The key was used before: nothing was queued again."
    )
    delivery: WebhookDelivery


@strawberry.type(description="An address that was deleted.")
class WebhookDeleted:
    """An endpoint that was deleted."""

    id: strawberry.ID
    replayed: bool


WebhookChangeResult = answer("WebhookChangeResult", WebhookChange)
WebhookQueuedResult = answer("WebhookQueuedResult", WebhookQueued)


@strawberry.type
class WebhookMutation:
    """Changing webhooks."""

    @strawberry.mutation(
        description="Tell an address of events from now on. The answer shows its secret, once.",
        graphql_type=WebhookChangeResult,
    )
    async def create_webhook(
        self,
        info: Info,
        idempotency_key: str,
        webhook: WebhookInput,
        signature: Signature = Signature.HMAC,
        secret: str | None = None,
    ) -> WebhookChange:
        """Make an endpoint; a shared secret may be brought along."""
        info.context.require(Scope.ADMIN)
        context, command_context = info.context, info.context.command_context()
        made = webhooks.new_secret(signature, secret)
        sealed, private = webhooks.seal(context.vault, made), context.private_webhooks

        def do(tx: Transaction, _: str) -> str:
            return webhooks.create(tx, command_context, webhook.plain(), sealed, private=private)

        given = [*webhook.given(), signature]
        done = await once(context, command_context, idempotency_key, "create_webhook", given, do)
        return await _changed(context, done.value, done.replayed, made)

    @strawberry.mutation(
        description="Change where an address is and what it is told of from now on.",
        graphql_type=WebhookChangeResult,
    )
    async def update_webhook(
        self, info: Info, idempotency_key: str, id: strawberry.ID, webhook: WebhookInput
    ) -> WebhookChange:
        """Change an endpoint."""
        info.context.require(Scope.ADMIN)
        context, private = info.context.command_context(), info.context.private_webhooks

        def do(tx: Transaction, _: str) -> str:
            webhooks.change(tx, context, id, webhook.plain(), private=private)
            return id

        given = [id, *webhook.given()]
        done = await once(info.context, context, idempotency_key, "update_webhook", given, do)
        return await _changed(info.context, id, done.replayed)

    @strawberry.mutation(
        description="Give an address a new secret, shown once; for some hours messages bear the "
        "signatures of both.",
        graphql_type=WebhookChangeResult,
    )
    async def rotate_webhook_secret(
        self,
        info: Info,
        idempotency_key: str,
        id: strawberry.ID,
        signature: Signature = Signature.HMAC,
        secret: str | None = None,
        overlap_hours: int = 24,
    ) -> WebhookChange:
        """Rotate the secret of an endpoint; the way of signing may change with it."""
        info.context.require(Scope.ADMIN)
        context, command_context = info.context, info.context.command_context()
        made = webhooks.new_secret(signature, secret)

        def do(tx: Transaction, _: str) -> str:
            overlap = timedelta(hours=overlap_hours)
            webhooks.rotate(tx, command_context, context.vault, id, made, overlap)
            return id

        given = [id, signature, overlap_hours]
        done = await once(
            context, command_context, idempotency_key, "rotate_webhook_secret", given, do
        )
        return await _changed(context, id, done.replayed, made)

    @strawberry.mutation(
        description="Tell an address nothing more; what is recorded keeps its place.",
        graphql_type=WebhookChangeResult,
    )
    async def disable_webhook(
        self, info: Info, idempotency_key: str, id: strawberry.ID, reason: str
    ) -> WebhookChange:
        """Disable an endpoint."""
        info.context.require(Scope.OPS)
        context = info.context.command_context(reason=reason)

        def do(tx: Transaction, _: str) -> str:
            webhooks.get(tx, id)
            webhooks.disable(tx, id, reason, context.now)
            return id

        given = [id, reason]
        done = await once(info.context, context, idempotency_key, "disable_webhook", given, do)
        return await _changed(info.context, id, done.replayed)

    @strawberry.mutation(
        description="Tell an address again, from where it stopped; or, skipping, from now on.",
        graphql_type=WebhookChangeResult,
    )
    async def enable_webhook(
        self, info: Info, idempotency_key: str, id: strawberry.ID, skip_missed: bool = False
    ) -> WebhookChange:
        """Enable an endpoint."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            webhooks.enable(tx, context, id, skip_missed=skip_missed)
            return id

        given = [id, skip_missed]
        done = await once(info.context, context, idempotency_key, "enable_webhook", given, do)
        return await _changed(info.context, id, done.replayed)

    @strawberry.mutation(
        description="Forget an address, with its secret.",
        graphql_type=answer("WebhookDeletedResult", WebhookDeleted),
    )
    async def delete_webhook(
        self, info: Info, idempotency_key: str, id: strawberry.ID
    ) -> WebhookDeleted:
        """Delete an endpoint."""
        info.context.require(Scope.ADMIN)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            webhooks.remove(tx, context, id)
            return id

        done = await once(info.context, context, idempotency_key, "delete_webhook", id, do)
        return WebhookDeleted(id=id, replayed=done.replayed)

    @strawberry.mutation(
        description="Send a message that says nothing, once; also to a disabled address.",
        graphql_type=WebhookQueuedResult,
    )
    async def test_webhook(
        self, info: Info, idempotency_key: str, id: strawberry.ID
    ) -> WebhookQueued:
        """Try an endpoint out."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            return messages.test(tx, context, id)

        done = await once(info.context, context, idempotency_key, "test_webhook", id, do)
        return await _queued(info.context, done.value, done.replayed)

    @strawberry.mutation(
        description="Send one message again under its id, whatever became of it.",
        graphql_type=WebhookQueuedResult,
    )
    async def replay_webhook(
        self, info: Info, idempotency_key: str, delivery: strawberry.ID
    ) -> WebhookQueued:
        """Replay a message."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            messages.replay(tx, context, delivery)
            return delivery

        done = await once(info.context, context, idempotency_key, "replay_webhook", delivery, do)
        return await _queued(info.context, delivery, done.replayed)

    @strawberry.mutation(
        description="Send everything again that was recorded since a time, under the same ids.",
        graphql_type=WebhookChangeResult,
    )
    async def recover_webhooks(
        self, info: Info, idempotency_key: str, id: strawberry.ID, since: datetime
    ) -> WebhookChange:
        """Recover an endpoint."""
        info.context.require(Scope.OPS)
        if since.tzinfo is None:
            raise InvalidInput("a time comes with its zone", field="since")
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            webhooks.recover(tx, context, id, since)
            return id

        given = [id, since.isoformat()]
        done = await once(info.context, context, idempotency_key, "recover_webhooks", given, do)
        return await _changed(info.context, id, done.replayed)


async def _changed(
    context: Context, endpoint_id: str, replayed: bool, secret: str | None = None
) -> WebhookChange:
    row = await context.read(lambda tx: webhooks.get(tx, endpoint_id))
    shown = None if secret is None or replayed else signing.shown(secret)
    return WebhookChange(replayed=replayed, endpoint=WebhookEndpoint.of(row), secret=shown)


async def _queued(context: Context, message_id: str, replayed: bool) -> WebhookQueued:
    row = await context.read(lambda tx: messages.get(tx, message_id))
    return WebhookQueued(replayed=replayed, delivery=WebhookDelivery.of(row))
