"""Differences page by page: each once, in order, and none beyond the last."""

from api_client import Hub, play
from hub.access.keys import Scope as Right
from hub.reconciliation.kinds import Scope
from reconciling import Shop, run
from recording import stage
from world import World

PAGE = """query($after: String) {
  differences(first: 1, after: $after, state: OPEN, channel: "rec") {
    nodes { id sku } pageInfo { hasNextPage endCursor } } }"""


def test_every_difference_is_on_one_page(world: World) -> None:
    connector, runtime, channel = stage(world, Shop)
    assert isinstance(connector, Shop)
    world.receive("SN-1")
    connector.listed = {"a": ("CAM", 1), "b": ("X-1", 1), "c": ("X-2", 1), "d": ("X-3", 1)}
    _, found = run(world, runtime, channel, Scope.LEVELS)
    open_ones = [row["id"] for row in found if row["state"] == "open"]
    assert len(open_ones) >= 3

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Right.OPS)
        seen: list[str] = []
        after = None
        for place in range(1, len(open_ones) + 1):
            page = (await ops.ask(PAGE, after=after))["differences"]
            (node,) = page["nodes"]
            seen.append(node["id"])
            after = page["pageInfo"]["endCursor"]
            assert page["pageInfo"]["hasNextPage"] == (place < len(open_ones))
        assert seen == open_ones

    play(world, story)
