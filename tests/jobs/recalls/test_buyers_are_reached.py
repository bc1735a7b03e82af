"""A recall reaches the buyers of a channel without anybody typing them in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from api_client import Caller, Hub
from connectors import PrivacyKind, PrivacyRequest
from connectors.amazon.driver import AmazonDriver
from connectors.notice_rest.simulator import NoticeSimulator
from connectors.testing.serving import serve
from connectors.woocommerce.driver import WooCommerceDriver
from hub.access.keys import Scope
from hub.storage.sql import Row
from jobs import relay
from jobs.maintenance import privacy
from recalling import open_recall, sell
from world import World

NOTIFY = """mutation($ref: String!, $channel: String!) {
  done: notifyRecall(idempotencyKey: "NEW", ref: $ref, channel: $channel) { __typename
    ... on Problem { code message } } }"""
TOLD = """query($ref: String!) { recall(ref: $ref) { customers { nodes { customerRef notice
  orders { number channel } } } } }"""
ERASE = """mutation($ref: String!) { done: erasePerson(idempotencyKey: "NEW", ref: $ref,
  reason: "asked for it") { __typename ... on PersonChange { person { reachable } }
  ... on Problem { code } } }"""


@dataclass
class Stage:
    """A hub with shops of its channels and a message service, all over sockets."""

    world: World
    hub: Hub
    ops: Caller
    mail: NoticeSimulator
    shops: dict[str, Any]
    channels: dict[str, Row]

    def sell(self, code: str, serial: str, name: str, email: str, customer: str | None) -> str:
        """Sell a unit in a shop to a buyer; return the channel's reference of the order."""
        driver = self.shops[code]
        ref = str(driver.place_order("CAM", 1))
        if email:
            driver.set_buyer(ref, name, email, "")
        self.world.receive(serial)
        sell(self.world, self.channels[code], ref, serial, customer=customer)
        return ref

    async def notify(self, ref: str = "R-1", channel: str = "mail") -> None:
        assert (await self.ops.ask(NOTIFY, ref=ref, channel=channel))["done"]["__typename"] == (
            "RecallChange"
        )
        await self.relay()

    async def relay(self) -> None:
        for _ in range(2):  # a contact that is read makes a message
            for channel in self.channels.values():
                await relay.drain(self.hub.runtime, channel["id"])

    async def told(self, ref: str = "R-1") -> dict[str, str]:
        nodes = (await self.ops.ask(TOLD, ref=ref))["recall"]["customers"]["nodes"]
        return {each["customerRef"]: each["notice"] for each in nodes}

    @property
    def sent(self) -> dict[str, str]:
        """Return what was sent to each address."""
        return {each["to"]["email"]: each["text"] for each in self.mail.messages.values()}


def run(world: World, story: Callable[[Stage], Awaitable[None]], *codes: str) -> None:
    """Play a story with a WooCommerce shop for each code, and an Amazon seller as ``amazon``."""

    async def played() -> None:
        mail, hub = NoticeSimulator(clock=lambda: world.now), Hub(world)
        shops: dict[str, Any] = {
            code: (AmazonDriver if code == "amazon" else WooCommerceDriver)(
                lambda: datetime.now(UTC)
            )
            for code in codes
        }
        async with serve(mail.app) as mail_url, hub.opened:
            channels = {"mail": world.channel("mail", "notice_rest", mail.settings(mail_url))}
            await _opened(world, hub, mail, shops, channels, story, list(codes))

    asyncio.run(played())


async def _opened(
    world: World,
    hub: Hub,
    mail: NoticeSimulator,
    shops: dict[str, Any],
    channels: dict[str, Row],
    story: Callable[[Stage], Awaitable[None]],
    left: list[str],
) -> None:
    if not left:
        ops = await hub.caller(Scope.OPS, name="olga")
        try:
            await story(Stage(world, hub, ops, mail, shops, channels))
        finally:
            await hub.runtime.connections.aclose()
        return
    code, driver = left[0], shops[left[0]]
    driver.list_article("CAM", 99)
    key = "amazon" if code == "amazon" else "woocommerce"
    async with serve(driver.simulator.app) as url:
        channels[code] = world.channel(code, key, dict(driver.settings(url)))
        await _opened(world, hub, mail, shops, channels, story, left[1:])


def cases(world: World) -> set[str]:
    rows = world.rows(
        "SELECT subject FROM exception_case WHERE kind = 'unreachable_customer' "
        "AND state <> 'resolved'"
    )
    return {row["subject"] for row in rows}


def test_buyers_and_guests_of_two_shops_are_reached_by_what_their_shops_show(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def story(stage: Stage) -> None:
        stage.sell("shop", "A-1", "Ann Ekström", "ann@buyers.test", "7")
        stage.sell("outlet", "A-2", "Bob", "bob@buyers.test", "7")  # another person's number 7
        guest = stage.sell("shop", "A-3", "Guest", "guest@buyers.test", None)
        open_recall(world, ranges=[{"first": "A-1", "last": "A-9"}])
        await stage.notify()
        assert stage.sent == {
            "ann@buyers.test": "Stop using it.\n- Cam, A-1",
            "bob@buyers.test": "Stop using it.\n- Cam, A-2",
            "guest@buyers.test": "Stop using it.\n- Cam, A-3",
        }
        known = {"shop:7": "SENT", "outlet:7": "SENT", f"shop:order {guest}": "SENT"}
        assert await stage.told() == known
        await stage.notify()  # once more: nobody gets it twice
        assert len(stage.mail.messages) == 3
        stored = "".join(
            repr(world.rows(f"SELECT * FROM {table}"))
            for table in (
                "person",
                "outbox",
                "push_attempt",
                "notice",
                "recall_unit",
                "sales_order",
            )
        )
        for shown in (stored, caplog.text):
            assert "buyers.test" not in shown
            assert "Ekström" not in shown
        assert cases(world) == set()

    run(world, story, "shop", "outlet")


def test_one_buyer_who_is_not_reached_stops_no_other_and_is_tried_again(world: World) -> None:
    async def story(stage: Stage) -> None:
        gone = stage.sell("shop", "A-1", "Ann", "ann@buyers.test", "1")
        stage.sell("shop", "A-2", "Odd", "no address", "2")
        hidden = stage.sell("shop", "A-3", "", "", "3")
        stage.sell("shop", "A-4", "Dan", "dan@buyers.test", "4")
        orders = stage.shops["shop"].simulator.orders
        kept = orders.pop(int(gone))
        open_recall(world, ranges=[{"first": "A-1", "last": "A-9"}])
        await stage.notify()
        assert list(stage.sent) == ["dan@buyers.test"]
        unreached = {"R-1/shop:1", "R-1/shop:2", "R-1/shop:3"}
        assert cases(world) == unreached
        told = await stage.told()
        assert told["shop:4"] == "SENT"
        assert {told[f"shop:{number}"] for number in "123"} <= {"FAILED", "UNREACHABLE"}
        orders[int(gone)] = kept
        stage.shops["shop"].set_buyer(hidden, "Cid", "cid@buyers.test", "")
        await stage.notify()
        assert set(stage.sent) == {"dan@buyers.test", "ann@buyers.test", "cid@buyers.test"}

    run(world, story, "shop")


def test_a_channel_that_hides_its_buyers_carries_the_message(world: World) -> None:
    async def story(stage: Stage) -> None:
        ref = stage.sell("amazon", "A-1", "", "", None)
        open_recall(world, ranges=[{"first": "A-1", "last": "A-9"}])
        await stage.notify(channel="amazon")  # it needs no other channel
        ((order, text),) = stage.shops["amazon"].simulator.messages
        assert (order, text) == (ref, "R-1: Fire\nStop using it.\n- Cam, A-1")
        assert await stage.told() == {f"amazon:order {ref}": "SENT"}
        await stage.notify()
        assert len(stage.shops["amazon"].simulator.messages) == 1
        assert stage.sent == {}

    run(world, story, "amazon")


def test_erasing_a_person_reaches_what_a_channel_showed(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.sell("shop", "A-1", "Ann", "ann@buyers.test", "7")
        stage.sell("shop", "B-1", "Bob", "bob@buyers.test", "8")
        open_recall(world, ranges=[{"first": "A-1", "last": "A-9"}])
        await stage.notify()
        assert set(stage.sent) == {"ann@buyers.test"}
        assert (await stage.ops.ask(ERASE, ref="7"))["done"]["person"] == {"reachable": False}
        assert [row["contact"] for row in world.rows("SELECT * FROM person")] == [None, None]
        assert (await stage.ops.ask(ERASE, ref="7"))["done"]["code"] == "STEP_NOT_ALLOWED"
        assert (await stage.ops.ask(ERASE, ref="99"))["done"]["code"] == "UNKNOWN_REFERENCE"
        # Bob asked his shop before anything of him was read, and while the channel is asked.
        open_recall(world, "R-2", ranges=[{"first": "A-1", "last": "B-9"}])
        assert (await stage.ops.ask(NOTIFY, ref="R-2", channel="mail"))["done"]
        world.write(
            lambda tx: privacy.honour(
                tx,
                stage.hub.runtime,
                stage.channels["shop"],
                "d-1",
                PrivacyRequest(kind=PrivacyKind.ERASE_CUSTOMER, customer_ref="8", identifiers=[]),
            )
        )
        await stage.relay()
        assert set(stage.sent) == {"ann@buyers.test"}
        assert {row["ref"] for row in world.rows("SELECT * FROM person WHERE contact IS NULL")} >= {
            "7",
            "shop:7",
        }
        assert cases(world) >= {"R-2/7"}  # erased under it, whatever the channel shows

    run(world, story, "shop")
