"""Signed webhook calls of simulated channels, for tests."""

from typing import Any

import httpx

from api_client import Hub
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.square.simulator.server import SquareSimulator
from connectors.testing.simulator import Webhook
from world import World

Twin = ShopifySimulator | SquareSimulator


TWINS = {"shopify": ShopifySimulator, "square": SquareSimulator}


def connected(world: World, connector: str) -> Twin:
    """Connect a twin as the channel `shop`; its webhooks go to that channel's address."""
    twin: Any = TWINS[connector]()
    address = "http://hub/webhooks/shop"
    settings = twin.settings("http://twin.test")
    if connector == "square":
        settings = twin.settings("http://twin.test", address)  # which Square signs too
    world.channel(connector=connector, settings=settings)
    twin.subscribers.append(address)
    return twin  # type: ignore[no-any-return]


def delivery_of_an_order(twin: Twin) -> Webhook:
    """Sell something and take the webhook that says so, signed and not yet sent."""
    if isinstance(twin, ShopifySimulator):
        twin.add_item("CAM", 3)
    else:
        twin.add_variation("CAM", 3)
    twin.place_order({"CAM": 1})
    return twin._pending.pop(0)


async def deliver(hub: Hub, webhook: Webhook, **changes: Any) -> httpx.Response:
    """Deliver a webhook as the twin would."""
    caller = await hub.with_secret(None)
    given: dict[str, Any] = {"content": webhook.body, "headers": dict(webhook.headers)}
    address = changes.pop("url", webhook.url)
    return await caller.http.post(address, **(given | changes))
