"""Queries for webhooks."""

import strawberry

from hub import webhooks
from hub.access.keys import Scope
from hub.errors import Forbidden, InvalidInput
from hub.storage.paging import page_size
from hub.storage.sql import Row, Transaction
from hub.webhooks import messages
from hub_api.common import paging
from hub_api.common.context import Context, Info
from hub_api.engine.stored import each
from hub_api.webhooks.types import WebhookDelivery, WebhookEndpoint

DELIVERY_STATES = ("waiting", "delivered", "given_up")


def _reader(context: Context) -> str | None:
    """Return the client as which somebody reads; None sees all."""
    context.require(Scope.OPS, Scope.CLIENT)
    if not context.caller.may(Scope.OPS) and context.caller.client_id is None:
        raise Forbidden("this needs a key with the scope ops", needs=str(Scope.OPS))
    return context.caller.client_id


@strawberry.type
class WebhookQuery:
    """Reading webhooks."""

    @strawberry.field(
        description="Webhook endpoints; the key of a client sees the client's own.",
        metadata={"size": 20},
    )
    async def webhooks(self, info: Info) -> list[WebhookEndpoint]:
        client = _reader(info.context)
        rows = await info.context.read(lambda tx: webhooks.listed(tx, client))
        return each(WebhookEndpoint.of, rows)

    @strawberry.field(description="One webhook endpoint.")
    async def webhook(self, info: Info, id: strawberry.ID) -> WebhookEndpoint:
        client = _reader(info.context)
        return WebhookEndpoint.of(await info.context.read(lambda tx: webhooks.get(tx, id, client)))

    @strawberry.field(description="Topics of events that an endpoint may subscribe to.")
    async def webhook_topics(self, info: Info) -> list[str]:
        info.context.require(Scope.OPS, Scope.CLIENT)
        return list(webhooks.payload.TOPICS)

    @strawberry.field(description="Messages for an address in the last month, the newest first.")
    async def webhook_deliveries(
        self,
        info: Info,
        endpoint: strawberry.ID,
        state: str | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> paging.Connection[WebhookDelivery]:
        client = _reader(info.context)
        if state not in (None, *DELIVERY_STATES):
            raise InvalidInput(f"a state is one of {', '.join(DELIVERY_STATES)}", field="state")
        limit, before = page_size(first) + 1, paging.position(after)

        def work(tx: Transaction) -> list[Row]:
            webhooks.get(tx, endpoint, client)
            return messages.page(tx, endpoint, state, before, limit)

        rows = await info.context.read(work)
        return paging.page(rows, first, after, WebhookDelivery.of)
