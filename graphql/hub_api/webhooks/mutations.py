"""Mutations for webhooks."""

from datetime import datetime, timedelta

import strawberry

from hub import webhooks
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.webhooks import messages, signing
from hub.webhooks.signing import Signature
from hub_api.common.commands import Call, command
from hub_api.common.context import Context
from hub_api.common.problems import answer
from hub_api.webhooks.types import WebhookDelivery, WebhookEndpoint, WebhookInput


@strawberry.type(description="An address after a change.")
class WebhookChange:
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )
    endpoint: WebhookEndpoint
    secret: str | None = strawberry.field(
        description="Secret that verifies signatures, shown this once: whsec_…, or whpk_… for "
        "Ed25519.",
        default=None,
    )


@strawberry.type(description="A message that was put in the queue.")
class WebhookQueued:
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was queued again."
    )
    delivery: WebhookDelivery


@strawberry.type(description="An address that was deleted.")
class WebhookDeleted:
    webhook_id: strawberry.ID = strawberry.field(description="Id that the webhook had.")
    replayed: bool


WebhookChangeResult = answer("WebhookChangeResult", WebhookChange)
WebhookQueuedResult = answer("WebhookQueuedResult", WebhookQueued)


@strawberry.type
class WebhookMutation:
    """Changing webhooks."""

    @command(
        Scope.ADMIN,
        description="Create a webhook endpoint. The answer shows its secret, once.",
        result=WebhookChangeResult,
        secret=True,
    )
    async def create_webhook(
        self,
        call: Call,
        webhook: WebhookInput,
        signature: Signature = Signature.HMAC,
        secret: str | None = None,
    ) -> WebhookChange:
        """Make an endpoint; a shared secret may be brought along."""
        context, command_context = call.context, call.context.command_context()
        made = webhooks.new_secret(signature, secret)
        sealed, private = webhooks.seal(context.vault, made), context.private_webhooks

        def do(work: Work) -> str:
            return webhooks.create(
                work.tx, command_context, webhook.plain(), sealed, private=private
            )

        done = await call.once(command_context, do)
        return await _changed(context, done.value, done.replayed, made)

    @command(
        Scope.ADMIN,
        description="Change the address and the subscription of an endpoint.",
        result=WebhookChangeResult,
    )
    async def update_webhook(
        self, call: Call, id: strawberry.ID, webhook: WebhookInput
    ) -> WebhookChange:
        context, private = call.context.command_context(), call.context.private_webhooks

        def do(work: Work) -> str:
            webhooks.change(work.tx, context, id, webhook.plain(), private=private)
            return id

        done = await call.once(context, do)
        return await _changed(call.context, id, done.replayed)

    @command(
        Scope.ADMIN,
        description="Give an endpoint a new secret, shown once; for some hours messages have the "
        "signatures of both.",
        result=WebhookChangeResult,
        secret=True,
    )
    async def rotate_webhook_secret(
        self,
        call: Call,
        id: strawberry.ID,
        signature: Signature = Signature.HMAC,
        secret: str | None = None,
        overlap_hours: int = 24,
    ) -> WebhookChange:
        """Rotate the secret of an endpoint; the way of signing may change with it."""
        context, command_context = call.context, call.context.command_context()
        made = webhooks.new_secret(signature, secret)

        def do(work: Work) -> str:
            overlap = timedelta(hours=overlap_hours)
            webhooks.rotate(work.tx, command_context, context.vault, id, made, overlap)
            return id

        done = await call.once(command_context, do)
        return await _changed(context, id, done.replayed, made)

    @command(
        Scope.OPS,
        description="Disable an endpoint; events keep their place in its queue.",
        result=WebhookChangeResult,
    )
    async def disable_webhook(self, call: Call, id: strawberry.ID, reason: str) -> WebhookChange:
        context = call.context.command_context(reason=reason)

        def do(work: Work) -> str:
            webhooks.get(work.tx, id)
            webhooks.disable(work.tx, id, reason, context.now)
            return id

        done = await call.once(context, do)
        return await _changed(call.context, id, done.replayed)

    @command(
        Scope.OPS,
        description="Enable an endpoint, from the event where it stopped; or, skipping, from now "
        "on.",
        result=WebhookChangeResult,
    )
    async def enable_webhook(
        self, call: Call, id: strawberry.ID, skip_missed: bool = False
    ) -> WebhookChange:
        context = call.context.command_context()

        def do(work: Work) -> str:
            webhooks.enable(work.tx, context, id, skip_missed=skip_missed)
            return id

        done = await call.once(context, do)
        return await _changed(call.context, id, done.replayed)

    @command(
        Scope.ADMIN,
        description="Delete an endpoint, with its secret.",
        result=answer("WebhookDeletedResult", WebhookDeleted),
    )
    async def delete_webhook(self, call: Call, id: strawberry.ID) -> WebhookDeleted:
        context = call.context.command_context()

        def do(work: Work) -> str:
            webhooks.remove(work.tx, context, id)
            return id

        done = await call.once(context, do)
        return WebhookDeleted(webhook_id=id, replayed=done.replayed)

    @command(
        Scope.OPS,
        description="Send an empty test message once; also to a disabled endpoint.",
        result=WebhookQueuedResult,
    )
    async def test_webhook(self, call: Call, id: strawberry.ID) -> WebhookQueued:
        context = call.context.command_context()

        def do(work: Work) -> str:
            return messages.test(work.tx, context, id)

        done = await call.once(context, do)
        return await _queued(call.context, done.value, done.replayed)

    @command(
        Scope.OPS,
        description="Send one message again under its id, whatever became of it.",
        result=WebhookQueuedResult,
    )
    async def replay_webhook(self, call: Call, delivery: strawberry.ID) -> WebhookQueued:
        context = call.context.command_context()

        def do(work: Work) -> str:
            messages.replay(work.tx, context, delivery)
            return delivery

        done = await call.once(context, do)
        return await _queued(call.context, delivery, done.replayed)

    @command(
        Scope.OPS,
        description="Send everything again that was recorded since a time, under the same ids.",
        result=WebhookChangeResult,
    )
    async def recover_webhooks(
        self, call: Call, id: strawberry.ID, since: datetime
    ) -> WebhookChange:
        if since.tzinfo is None:
            raise InvalidInput("a time comes with its zone", field="since")
        context = call.context.command_context()

        def do(work: Work) -> str:
            webhooks.recover(work.tx, context, id, since)
            return id

        done = await call.once(context, do)
        return await _changed(call.context, id, done.replayed)


async def _changed(
    context: Context, endpoint_id: str, replayed: bool, secret: str | None = None
) -> WebhookChange:
    row = await context.read(lambda tx: webhooks.get(tx, endpoint_id))
    shown = None if secret is None or replayed else signing.shown(secret)
    return WebhookChange(replayed=replayed, endpoint=WebhookEndpoint.of(row), secret=shown)


async def _queued(context: Context, message_id: str, replayed: bool) -> WebhookQueued:
    row = await context.read(lambda tx: messages.get(tx, message_id))
    return WebhookQueued(replayed=replayed, delivery=WebhookDelivery.of(row))
