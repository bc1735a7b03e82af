"""Opening the example shop beside a hub, with keys and documents of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from connectors.testing.serving import serve
from serial_hub.shop.server import ShopSettings, create_shop, documents

Ask = Callable[..., Awaitable[dict[str, Any]]]

PREPARE = """mutation($pages: String!, $server: String!, $push: String!, $origins: [String!]!,
  $documents: [TrustedDocumentInput!]!) {
  pages: createPublishableKey(idempotencyKey: $pages, name: "example shop", origins: $origins) {
    ... on NewApiKey { secret } ... on Problem { code message } }
  server: createApiKey(idempotencyKey: $server, name: "example shop's server", scopes: [ORDERS]) {
    ... on NewApiKey { secret } ... on Problem { code message } }
  pushDocuments(idempotencyKey: $push, documents: $documents) {
    __typename ... on Problem { code message } } }"""


@asynccontextmanager
async def opened_shop(hub_url: str, ask: Ask, port: int) -> AsyncIterator[str]:
    """Serve the shop at a port (0: any) while the block runs; yields its address.

    `ask` sends a document to the hub with an admin key, and raises for a problem.
    """
    settings = ShopSettings(hub_url=hub_url)
    async with serve(create_shop(settings), port=port) as url:
        made = await ask(
            PREPARE,
            pages="example-shop-pages",
            server="example-shop-server",
            push="example-shop-documents",
            # People open it by either name.
            origins=[url, url.replace("127.0.0.1", "localhost")],
            documents=[{"name": name, "text": text} for name, text in documents().items()],
        )
        settings.publishable_key = made["pages"]["secret"]
        settings.server_key = made["server"]["secret"]
        yield url
