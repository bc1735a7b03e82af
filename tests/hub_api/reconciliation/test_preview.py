"""A preview over the API: everything is compared, and nothing is healed."""

from api_client import Hub, play
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from hub.access.keys import Scope
from world import World

RECONCILE = """mutation($preview: Boolean!) { done: reconcile(idempotencyKey: "NEW",
  channel: "shop", scope: LEVELS, preview: $preview) { __typename
  ... on ReconciliationStarted { runs { state differencesFound healed
    differences { nodes { id kind state } } } } ... on Problem { code message } } }"""
DISMISS = """mutation { done: dismissDifferences(idempotencyKey: "NEW", channel: "shop",
  kind: QUANTITY, reason: "a test") { ... on DifferencesDismissed { dismissed } } }"""


def test_a_preview_compares_and_heals_nothing(world: World) -> None:
    twin = ShopifySimulator(clock=lambda: world.now)
    item = twin.add_item("CAM", 0)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        async with serve(twin.app) as url:
            channel = world.channel(settings=twin.settings(url))
            world.receive("SN-1", "SN-2")
            world.list_product(channel, remote={"inventory_item_id": item})
            await ops.ask(RECONCILE, preview=False)
            twin.set_quantity("CAM", 9)
            (run,) = (await ops.ask(RECONCILE, preview=True))["done"]["runs"]
            assert (run["differencesFound"], run["healed"], twin.quantity("CAM")) == (1, 0, 9)
            (first,) = run["differences"]["nodes"]
            (run,) = (await ops.ask(RECONCILE, preview=False))["done"]["runs"]
            (again,) = run["differences"]["nodes"]
            assert again == first | {"state": "HEALED"}
            assert twin.quantity("CAM") == 2
            twin.set_quantity("CAM", 7)
            await ops.ask(RECONCILE, preview=True)
            assert (await ops.ask(DISMISS))["done"] == {"dismissed": 1}
            await ops.ask(RECONCILE, preview=False)
            assert twin.quantity("CAM") == 7  # explained: it is left as it is
            await hub.runtime.connections.aclose()
        await twin.aclose()

    play(world, story)
