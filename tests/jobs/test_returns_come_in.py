"""Returns of channels come in by polling and by webhooks, beside their orders."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from connectors import AuthFailed, Page
from connectors.registry import connect
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from connectors.woocommerce.simulator.server import WooCommerceSimulator
from hub.commands.work import Work
from hub.fulfillment.picking import pick_list
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.orders import ship as ship_units
from hub.storage.sql import Row
from hub.sync import channels, inbox
from hub.vocabulary import Fulfillment, FulfillmentLine, ReturnLine, ReturnState
from jobs import intake, poll
from jobs.maintenance import sweep
from jobs.runtime import Runtime
from recording import _Fixed, stage
from world import World


def polled(runtime: Runtime, channel: Row) -> int:
    async def work() -> int:
        new = await poll.poll(runtime, channel)
        await intake.drain(runtime)
        return new

    return asyncio.run(work())


def cursor(world: World, channel: Row, stream: str) -> str:
    return world.read(lambda tx: channels.cursor(tx, channel["id"], stream))


def test_returns_are_pulled_by_a_cursor_of_their_own_and_come_in_once(world: World) -> None:
    connector, runtime, channel = stage(world)
    said = world.returned()
    connector.pages = [Page((world.order(),), "o1")]
    connector.return_pages = [Page((said,), "r1", more=True), Page((said,), "r2")]
    assert polled(runtime, channel) == 2
    assert cursor(world, channel, poll.STREAM) == "o1"
    assert cursor(world, channel, poll.RETURN_STREAM) == "r2"
    connector.return_pages = [Page((said,), "r2")]
    assert polled(runtime, channel) == 0
    assert world.value("SELECT COUNT(*) FROM channel_return") == 1
    assert world.value("SELECT order_id FROM channel_return") is not None


def test_a_channel_without_the_right_to_returns_still_gives_its_orders(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.returns_forbidden = AuthFailed("ACCESS_DENIED")
    connector.pages = [Page((world.order(),), "o1")]
    assert polled(runtime, channel) == 1
    assert world.value("SELECT state FROM channel") == "active"
    assert ("sync_failure", "returns") in world.open_cases()
    connector.returns_forbidden = None
    connector.return_pages = [Page((), "r1")]
    polled(runtime, channel)
    assert ("sync_failure", "returns") not in world.open_cases()


def test_a_channel_that_was_connected_before_is_not_asked_for_returns(world: World) -> None:
    connector, runtime, channel = stage(world)
    older = {**channel, "capabilities": '["pull_orders"]'}
    connector.return_pages = [Page((world.returned(),), "r1")]
    polled(runtime, older)
    assert world.value("SELECT COUNT(*) FROM channel_return") == 0


def test_one_poisoned_return_holds_up_no_other(world: World) -> None:
    connector, runtime, channel = stage(world)
    bad = inbox.Message(channel["id"], "bad", "pull", "return", b'{"ref": 1}')
    world.write(lambda tx: inbox.accept(tx, [bad], world.now))
    connector.return_pages = [Page((world.returned(),), "r1")]
    polled(runtime, channel)
    assert world.value("SELECT COUNT(*) FROM channel_return") == 1
    assert world.value("SELECT state FROM inbox WHERE delivery = 'bad'") == "dead"


class Shop:
    """A twin of Shopify, connected to a hub that ships what it sold."""

    def __init__(self, world: World) -> None:
        self.world, self.twin = world, ShopifySimulator(clock=lambda: world.now)
        self.channel = world.channel()
        self.twin.add_item("CAM", 5)
        self.order = self.twin.place_order({"CAM": 2})
        self.line = self.twin.orders[self.order].lines[0].id

    def play(self, *hooks: str) -> None:
        """Poll and work everything in; or only what webhooks of these topics say."""

        async def work() -> None:
            async with serve(self.twin.app) as url:
                connector: Any = connect(self.channel["connector"], self.twin.settings(url))
                runtime = Runtime(
                    self.world.database, _Fixed(connector), clock=lambda: self.world.now
                )
                for nth, topic in enumerate(hooks):
                    body = f'{{"order_id": "{self.order}"}}'.encode()
                    hint = inbox.Message(
                        self.channel["id"], f"{self.world.now}{nth}", "webhook", topic, body
                    )
                    self.world.write(lambda tx, hint=hint: inbox.accept(tx, [hint], self.world.now))
                if not hooks:
                    await poll.poll(runtime, self.channel)
                await intake.drain(runtime)
                await sweep.sweep(runtime)
                await connector.api.aclose()

        self.world.pass_time(minutes=1)
        asyncio.run(work())

    def ship(self, *serials: str) -> None:
        self.world.do(Action.PICK, *serials)
        scans = [Scan(serial) for serial in serials]
        self.world.write(
            lambda tx: ship_units(Work(tx, self.world.context(), serials[0]), scans, Shipment())
        )
        self.twin.ship(self.order, {self.line: len(serials)})


class WooShop(Shop):
    """A simulator of WooCommerce, connected to a hub that ships what it sold."""

    def __init__(self, world: World) -> None:
        self.world, self.twin = world, WooCommerceSimulator(clock=lambda: world.now)
        self.channel = world.channel(connector="woocommerce")
        self.twin.add_product("CAM", 5)
        self.order = self.twin.place_order({"CAM": 2})
        self.line = self.twin.orders[int(self.order)]["line_items"][0]["id"]

    def to_pick(self) -> list[str]:
        """Return the serials of the pick list."""
        order = self.world.value("SELECT id FROM sales_order")
        listed = self.world.read(
            lambda tx: pick_list(tx, self.world.now, order_id=order, site_id=None, first=9)
        )
        return [row["serial"] for row in listed]

    def ship(self, *serials: str) -> None:
        """Ship from the hub, and write it to the shop as the push does."""
        self.world.do(Action.PICK, *serials)
        scans = [Scan(serial) for serial in serials]
        self.world.write(
            lambda tx: ship_units(Work(tx, self.world.context(), serials[0]), scans, Shipment())
        )
        self.world.pass_time(minutes=1)

        async def push() -> None:
            async with serve(self.twin.app) as url:
                connector: Any = connect("woocommerce", self.twin.settings(url))
                left = FulfillmentLine(order_line_ref=str(self.line), serials=serials)
                await connector.push_fulfillment(
                    Fulfillment(
                        reference="F1",
                        order_ref=self.order,
                        lines=(left,),
                        shipped_at=self.world.now,
                    )
                )
                await connector.api.aclose()

        asyncio.run(push())


@pytest.mark.parametrize("first_seen", ["before the refund", "after the refund"])
def test_a_unit_refunded_at_woocommerce_before_it_leaves_is_not_picked(
    world: World, first_seen: str
) -> None:
    shop = WooShop(world)
    world.receive("SN-1", "SN-2")
    if first_seen == "before the refund":
        shop.play()
        assert shop.to_pick() == ["SN-1", "SN-2"]
    world.pass_time(minutes=1)
    shop.twin.refund(shop.order, {shop.line: 1})
    shop.play()
    assert shop.to_pick() == ["SN-1"]
    assert world.open_cases() == []
    assert world.value("SELECT COUNT(*) FROM channel_return") == 0

    shop.ship("SN-1")
    shop.play()
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    assert (shop.to_pick(), world.open_cases()) == ([], [])
    world.pass_time(minutes=1)
    shop.twin.refund(shop.order, {shop.line: 1})
    shop.play()
    (line,) = world.rows("SELECT * FROM channel_return_line")
    assert (line["quantity"], line["arrived"], line["taken_off"]) == (1, 1, 0)
    assert [kind for kind, _ in world.open_cases()] == ["return_not_scanned"]
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS")
    shop.play()
    assert (shop.to_pick(), world.open_cases()) == ([], [])
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 0
    assert world.value("SELECT state FROM sales_order") == "cancelled"


@pytest.mark.req("R142", "R144")
@pytest.mark.parametrize("by_webhook", [False, True])
def test_a_return_at_shopify_goes_its_whole_way(world: World, by_webhook: bool) -> None:
    shop = Shop(world)
    world.receive("SN-1", "SN-2", "SN-3")
    shop.play()
    shop.ship("SN-1", "SN-2")
    hooks = {True: ("returns/approve", "refunds/create"), False: ()}[by_webhook]
    goods = shop.twin.open_return(shop.order, {shop.line: 1})
    shop.play(*hooks[:1])
    assert world.value("SELECT state FROM channel_return") == "open"
    world.pass_time(minutes=1)
    shop.twin.process_return(shop.order, goods)
    shop.twin.refund(shop.order, {shop.line: 1}, return_id=goods)
    shop.twin.set_return_status(shop.order, goods, "CLOSED")
    shop.play(*hooks[1:])
    assert [kind for kind, _ in world.open_cases()] == ["return_not_scanned"]
    world.do(Action.ACCEPT_RETURN, "SN-2", place="RETURNS")
    shop.play()
    assert world.open_cases() == []
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 0
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    (line,) = world.rows("SELECT * FROM channel_return_line")
    assert (line["arrived"], line["refunded"], line["taken_off"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("restock_type", "still_promised"), [("CANCEL", []), ("NO_RESTOCK", ["SN-2"])]
)
def test_a_refund_takes_a_unit_from_the_order_only_if_none_had_left_for_it(
    world: World, restock_type: str, still_promised: list[str]
) -> None:
    """Two ordered, one shipped, one refunded: the other one, or the one that left and is kept."""
    shop = Shop(world)
    world.receive("SN-1", "SN-2")
    shop.play()
    shop.ship("SN-1")
    world.pass_time(minutes=1)
    shop.twin.refund(shop.order, {shop.line: 1}, restock_type)
    for _ in range(2):
        shop.play("refunds/create")
    rows = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    assert [row["serial"] for row in rows] == still_promised
    assert world.open_cases() == []


def test_a_return_read_before_may_name_serials_later(world: World) -> None:
    """The same return is worked in anew, not beside its first version."""
    _, _, channel = stage(world)
    part = ReturnLine(order_line_ref="l-1", quantity=1)
    world.announce(channel, world.returned(line=part))
    world.announce(
        channel, world.returned(line=replace(part, serials=("SN-1",)), state=ReturnState.CLOSED)
    )
    (row,) = world.rows("SELECT * FROM channel_return_line")
    assert row["serials"] == '["SN-1"]'
