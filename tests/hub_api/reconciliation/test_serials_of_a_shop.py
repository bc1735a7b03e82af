"""A Shopify shop whose orders show wrong serials, or are gone, reconciled over the API."""

import asyncio
import json
from typing import Any

from api_client import Caller, Hub, play
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment, ship
from world import World

METAFIELD = ("serial_hub", "serials")
RECONCILE = """mutation($scope: ReconciliationScope!) {
  done: reconcile(idempotencyKey: "NEW", channel: "shop", scope: $scope) { __typename
  ... on ReconciliationStarted { runs { scope state error matched differencesFound } } } }"""
DIFFERENCES = """{ differences { nodes {
  kind subject cause fix state evidence proofs { record text } } } }"""


async def reconcile(ops: Caller, scope: str) -> dict[str, Any]:
    (run,) = (await ops.ask(RECONCILE, scope=scope))["done"]["runs"]
    assert (run["state"], run["error"]) == ("finished", None)
    return run


def test_a_serial_that_somebody_wrote_over_in_the_metafield_is_found(world: World) -> None:
    twin = ShopifySimulator(clock=lambda: world.now)
    item = twin.add_item("CAM", 0)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, name="olga")
        async with serve(twin.app) as shop_url:
            channel = world.channel(settings=twin.settings(shop_url))
            world.receive("SN-1", "SN-2")
            world.list_product(channel, remote={"inventory_item_id": item})
            ref = twin.place_order({"CAM": 1})
            world.pass_time(minutes=5)
            await reconcile(ops, "ORDERS")
            (promised,) = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
            left = promised["serial"]
            await asyncio.to_thread(send, world, left)
            run = await reconcile(ops, "SHIPMENTS")
            assert (run["matched"], run["differencesFound"]) == (1, 0)
            line = twin.orders[ref].lines[0].id
            wrong = json.dumps([{"line": line, "serials": ["SN-9"]}])
            twin.orders[ref].metafields[METAFIELD] = wrong
            world.pass_time(minutes=5)
            assert (await reconcile(ops, "SHIPMENTS"))["differencesFound"] == 1
            (found,) = (await ops.ask(DIFFERENCES))["differences"]["nodes"]
            assert (found["kind"], found["cause"], found["fix"], found["state"]) == (
                "FOREIGN_SERIALS",
                "FOREIGN_EDIT",
                "ASK",
                "OPEN",
            )
            assert "SN-9" in found["evidence"]
            assert [each["record"] for each in found["proofs"]] == ["outbox"]
            await hub.runtime.connections.aclose()
        await twin.aclose()

    play(world, story)


def send(world: World, serial: str) -> None:
    world.do(Action.PICK, serial)
    scans = [Scan(serial)]
    world.write(lambda tx: ship(Work(tx, world.context(), "c1"), scans, Shipment("UPS", "1Z")))


def test_an_order_that_was_erased_is_found_and_asked_about(world: World) -> None:
    twin = ShopifySimulator(clock=lambda: world.now)
    item = twin.add_item("CAM", 0)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, name="olga")
        async with serve(twin.app) as shop_url:
            channel = world.channel(settings=twin.settings(shop_url), gone_orders="ask")
            world.receive("SN-1")
            world.list_product(channel, remote={"inventory_item_id": item})
            ref = twin.place_order({"CAM": 1})
            world.pass_time(minutes=5)
            await reconcile(ops, "ORDERS")
            del twin.orders[ref]
            world.pass_time(minutes=5)
            await reconcile(ops, "ORDERS")
            assert (await ops.ask(DIFFERENCES))["differences"]["nodes"] == []  # one look only
            world.pass_time(minutes=5)
            await reconcile(ops, "ORDERS")
            (found,) = (await ops.ask(DIFFERENCES))["differences"]["nodes"]
            assert (found["kind"], found["cause"], found["fix"]) == (
                "UNKNOWN_ORDER",
                "REMOVED_THERE",
                "ASK",
            )
            assert len(found["proofs"]) == 2
            assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 1
            await hub.runtime.connections.aclose()
        await twin.aclose()

    play(world, story)
