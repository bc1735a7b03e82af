"""Records by their ids alone: each id belongs to one type, and is found by it."""

from typing import Any

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType

from api_client import Hub, play
from commanding import CORE
from hub.access.keys import Scope
from hub.clock import new_id
from hub.storage.record_kinds import KINDS
from hub_api.nodes.queries import FINDS, NODES_MAX
from world import World

# Records of their own that are reached through others: nothing refers to them by id.
WITHIN_OTHERS = {
    "ApiKey": "administration lists all of them",
    "CommandRequest": "administration lists all of them",
    "CaseEvent": "of a case",
    "ChannelReturn": "of an order",
    "CountResult": "of a count",
    "DeadLetter": "of a channel",
    "JobRun": "of the newest runs of a job",
    "OrderLine": "of an order",
    "Push": "of a channel",
    "RecalledUnit": "of a recall",
    "Refund": "of an order",
    "ServiceRecord": "of a unit",
    "UnitCost": "of a unit",
    "UnitCover": "of a unit",
    "UnitEvent": "of a unit",
    "UnserializedStock": "of a place",
    "WebhookDelivery": "of a webhook",
}


def test_each_type_with_an_id_is_a_node_or_within_another_record() -> None:
    node = CORE.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    nodes = {each.name for each in CORE.get_possible_types(node)}
    with_id = {
        each.name
        for each in CORE.type_map.values()
        if isinstance(each, GraphQLObjectType) and "id" in each.fields
    }
    assert with_id - nodes == set(WITHIN_OTHERS)
    assert len(nodes) == len(FINDS) == len(KINDS)


NODE = """query($id: ID!) { node(id: $id) { __typename id
  ... on Unit { serial } ... on Product { sku } ... on Order { number } } }"""
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


def ids(world: World) -> dict[str, str]:
    """Make records of several kinds and return their ids by type."""
    world.receive("SN-1")
    channel = world.channel()
    world.accept(channel, world.order())
    return {
        "Unit": world.unit("SN-1")["id"],
        "Product": str(world.value("SELECT id FROM product WHERE sku = 'CAM'")),
        "Location": str(world.value("SELECT id FROM location WHERE code = 'WH'")),
        "Channel": channel["id"],
        "Order": str(world.value("SELECT id FROM sales_order")),
    }


def test_records_of_every_kind_are_found_in_the_order_of_their_ids(world: World) -> None:
    made = ids(world)
    asked = [*made.values(), new_id(), "none", *made.values()]

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        for name, record in made.items():
            found = (await ops.ask(NODE, id=record))["node"]
            assert (found["__typename"], found["id"]) == (name, record)
        nodes = (await ops.ask(NODES, ids=asked))["nodes"]
        expected: list[Any] = [{"__typename": name, "id": each} for name, each in made.items()]
        assert nodes == [*expected, None, None, *expected]

    play(world, story)


def test_an_id_tells_nothing_to_whoever_may_not_read_its_record(world: World) -> None:
    made = ids(world)

    async def story(hub: Hub) -> None:
        client = await hub.caller(Scope.CLIENT)
        assert (await client.ask(NODE, id=made["Unit"]))["node"] is None
        shop = await hub.caller(Scope.STOREFRONT)
        assert (await shop.error(NODE, id=made["Order"]))["code"] == "FORBIDDEN"
        assert (await shop.ask(NODE, id=made["Product"]))["node"]["sku"] == "CAM"

    play(world, story)


@pytest.mark.parametrize("bad", ["", "x", "'; DROP TABLE unit; --", "é" * 50])
def test_what_is_no_id_is_no_record(world: World, bad: str) -> None:
    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        assert (await ops.ask(NODE, id=bad))["node"] is None

    play(world, story)


def test_more_ids_than_allowed_are_refused(world: World) -> None:
    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        asked = [new_id() for _ in range(NODES_MAX + 1)]
        assert (await ops.error(NODES, ids=asked))["code"] == "INVALID_INPUT"

    play(world, story)
