"""Everything outside is away, and work goes on; when it is back it is told all, in order, once."""

from contextlib import AsyncExitStack
from datetime import date
from typing import Any

import pytest

from api_client import Caller, Hub, play
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from connectors.warranty_rest.simulator import WarrantySimulator
from hub import catalogue
from hub.access.keys import Scope
from hub.storage.sql import Row
from hub.sync import bindings
from jobs import intake, poll, relay
from jobs.warranty import lookup
from world import World

WARRANTY = """query($serial: String!) { unit(identifier: $serial) { status
  warranty { status source observedAt isStale endsOn } } }"""
CAPTURE = """query($read: String!) { capture(readings: [$read], purpose: FIND) {
  signal unit { serial } } }"""
CHECK = """mutation { done: checkReturn(idempotencyKey: "check", identifier: "SN-1",
  location: "RETURNS", reason: "changed mind") { ... on ReturnCase { id decision }
  ... on Problem { code message } } }"""
ACCEPT = """mutation($id: ID!) { done: acceptReturn(idempotencyKey: "accept", returnId: $id) {
  ... on ReturnCase { decision unit { status } } ... on Problem { code message } } }"""


class Outside:
    """A shop and a manufacturer behind ports that stay the same while they come and go."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.shop = ShopifySimulator(clock=lambda: world.now)
        self.maker = WarrantySimulator(clock=lambda: world.now)
        self.ports: dict[str, int] = {}
        self._open: AsyncExitStack | None = None

    async def come(self) -> None:
        """Let both be there."""
        self._open = AsyncExitStack()
        for name, twin in (("shop", self.shop), ("maker", self.maker)):
            url = await self._open.enter_async_context(
                serve(twin.app, port=self.ports.get(name, 0))
            )
            self.ports[name] = int(url.rpartition(":")[2])

    async def go(self) -> None:
        """Switch both off."""
        if self._open is not None:
            await self._open.aclose()
        self._open = None

    def settings(self, name: str) -> dict[str, Any]:
        """Return the settings with which the hub reaches one of them."""
        twin = self.shop if name == "shop" else self.maker
        return twin.settings(f"http://127.0.0.1:{self.ports[name]}")

    def calls(self) -> int:
        """Count what both were asked."""
        return len(self.shop.calls) + len(self.maker.calls)


def connect(world: World, outside: Outside) -> Row:
    """Register both as channels and list a product with its shop's references."""
    shop = world.channel("shop", "shopify", settings=outside.settings("shop"))
    world.channel("maker", "warranty_rest", settings=outside.settings("maker"), manufacturer="ACME")
    item = outside.shop.add_item("CAM", 0)
    remote = {"inventory_item_id": item, "location_id": outside.shop.location_id}

    def bind(tx: Any) -> None:
        product = catalogue.reference(tx, "product", "sku", "CAM")
        bindings.bind(tx, shop["id"], product["id"], "CAM", remote, world.now)

    world.write(bind)
    return shop


async def told(hub: Hub, shop: Row) -> None:
    """Let the jobs do what is due."""
    await poll.poll_all(hub.runtime)
    await intake.drain(hub.runtime)
    await relay.drain(hub.runtime, shop["id"])


async def ask(caller: Caller, serial: str) -> Any:
    return (await caller.ask(WARRANTY, serial=serial))["unit"]


def units(*serials: str) -> list[dict[str, Any]]:
    return [{"serial": serial, "product": "CAM"} for serial in serials]


@pytest.mark.slow
@pytest.mark.req("R153", "R154", "R155")
def test_work_goes_on_while_everything_outside_is_away(world: World) -> None:
    outside = Outside(world)
    for serial in ("SN-1", "SN-2", "SN-3", "SN-4"):
        outside.maker.add_unit(serial, "CAM-M1", ends_on=date(2028, 1, 1))

    async def before(hub: Hub, caller: Caller) -> tuple[Row, list[str]]:
        shop = connect(world, outside)
        await caller.command("receiveUnits", units("SN-1", "SN-2", "SN-3"), key="r", location="WH",
                             putAway=True)  # fmt: skip
        await told(hub, shop)
        assert outside.shop.quantity("CAM") == 3
        orders = [outside.shop.place_order({"CAM": 1}) for _ in range(2)]
        await told(hub, shop)
        assert (await ask(caller, "SN-1"))["warranty"]["status"] == "COVERED"
        return shop, [str(getattr(order, "id", order)) for order in orders]

    async def meanwhile(hub: Hub, caller: Caller, shop: Row) -> None:
        world.pass_time(days=8)
        asked = outside.calls()
        done = []

        async def do(name: str, *serials: str, **more: Any) -> None:
            chosen: Any = units(*serials) if name == "receiveUnits" else list(serials)
            said = await caller.command(name, chosen, key=f"{name}-{len(done)}", **more)
            assert said["__typename"] == "CommandResult", said
            assert said["accepted"] == len(serials), said
            done.append(name)

        await do("receiveUnits", "SN-4", location="WH", putAway=True)
        for serial, parcel in (("SN-1", "1Z-A"), ("SN-2", "1Z-B")):
            await do("pickUnits", serial)
            await do("packUnits", serial)
            await do("shipUnits", serial, carrier="UPS", tracking=parcel)
            await told(hub, shop)
        check = (await caller.ask(CHECK))["done"]
        assert check["decision"] == "ACCEPT", check
        back = (await caller.ask(ACCEPT, id=check["id"]))["done"]
        assert back["unit"]["status"] == "RETURNED", back
        read = (await caller.ask(CAPTURE, read="sn-4"))["capture"]
        assert read == {"signal": "ACCEPT", "unit": {"serial": "SN-4"}}
        known = (await ask(caller, "SN-1"))["warranty"]
        assert (known["status"], known["source"], known["isStale"]) == ("COVERED", "maker", True)
        assert known["observedAt"] < world.now.isoformat()
        assert (await ask(caller, "SN-4"))["warranty"] is None  # never asked, and not invented
        await lookup.refresh(hub.runtime)
        await hub.runtime.flights.settle()
        assert outside.calls() == asked  # nobody was reached
        assert world.value("SELECT COUNT(*) FROM outbox WHERE state = 'waiting'") >= 2

    async def after(hub: Hub, caller: Caller, shop: Row, orders: list[str]) -> None:
        for _ in range(3):
            world.pass_time(minutes=10)
            await told(hub, shop)
        serials = [outside.shop.serials(order) for order in orders]
        assert [list(each.values()) for each in serials] == [[["SN-1"]], [["SN-2"]]]
        for order in orders:
            shipments = outside.shop.orders[order].shipments
            assert len(shipments) == 1  # once
        numbers = [outside.shop.orders[order].shipments[0].tracking["number"] for order in orders]
        assert numbers == ["1Z-A", "1Z-B"]
        assert outside.shop.quantity("CAM") == 2  # SN-3 and SN-4
        sent = world.rows("SELECT subject, state FROM outbox WHERE topic = 'fulfillment' "
                          "ORDER BY settled_at, seq")  # fmt: skip
        assert [row["state"] for row in sent] == ["sent", "sent"]
        known = (await ask(caller, "SN-4"))["warranty"]
        assert (known["status"], known["isStale"]) == ("COVERED", False)
        await ask(caller, "SN-1")
        await hub.runtime.flights.settle()
        assert not (await ask(caller, "SN-1"))["warranty"]["isStale"]
        assert world.value("SELECT COUNT(*) FROM exception_case WHERE state <> 'resolved'") == 0

    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.ADMIN)
        await outside.come()
        try:
            shop, orders = await before(hub, caller)
            await outside.go()
            await meanwhile(hub, caller, shop)
            await outside.come()
            await after(hub, caller, shop, orders)
        finally:
            await outside.go()
            await outside.shop.aclose()

    play(world, story)
