"""A channel whose settings are not valid any more: everybody learns why, and nothing breaks."""

import pytest

from api_client import Hub, play
from hub.access.keys import Scope
from world import World

CALLS = {
    "reconcile": 'reconcile(idempotencyKey: "NEW", channel: "shop")',
    "pull": 'pullOrders(idempotencyKey: "NEW", channel: "shop", '
    'since: "2026-11-01T00:00:00Z", until: "2026-11-02T00:00:00Z")',
    "heal": 'healDifferences(idempotencyKey: "NEW", channel: "shop", fix: PUSH_LEVEL)',
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_names_what_is_wrong_with_the_settings(world: World, name: str) -> None:
    world.channel()  # without any setting

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        document = (
            f"mutation {{ done: {CALLS[name]} {{ __typename ... on Problem {{ message }} }} }}"
        )
        done = (await admin.ask(document))["done"]
        assert done["__typename"] == "StepNotAllowed", done
        assert "shop_url" in done["message"]

    play(world, story)
