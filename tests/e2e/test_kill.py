"""The worker is killed between push and acknowledgement: nothing is lost, nothing told twice.

The worker is the real process, on a file and on a server; the shop is a twin over real HTTP, whose
answer to one chosen call is held until the worker that waits for it is dead.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.registry import connect
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from e2e.processes import POLL_SECONDS, SECONDS_MAX, HubProcess, hub_process
from hub import catalogue, orders
from hub.clock import new_id
from hub.commands.work import Work
from hub.ledger import hash_chain
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.storage.sql import Row, Transaction
from hub.sync import bindings
from hub.sync.leases import LEASE
from world import World

SERIALS = [f"SN-{number}" for number in range(5)]
LEVEL, FULFILLMENT, RECORD = "inventorySetQuantities", "fulfillmentCreate", "metafieldsSet"
LOOK = "fulfillmentOrders"  # what is read of an order before it is fulfilled


@dataclass
class Gate:
    """Stands before the twin: notes every call, and holds the answer to one of them.

    With `performs` the call takes its effect first; without, it is as if it had never arrived.
    """

    inner: ASGIApp
    holds: str
    performs: bool = True
    calls: list[dict[str, Any]] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = await receive()
        assert not first.get("more_body")
        call = json.loads(first["body"])
        self.calls.append(call)
        if self.reached.is_set() or not asked_for(call, self.holds):
            await self.inner(scope, _replay(first, receive), send)
            return
        if self.performs:
            await self.inner(scope, _replay(first, receive), _nowhere)
        self.reached.set()
        # The worker is killed now; its connection is gone before anything can be answered.
        await self.opened.wait()

    def asked(self, what: str) -> list[dict[str, Any]]:
        """Return the calls of one kind."""
        return [call for call in self.calls if asked_for(call, what)]


def asked_for(call: dict[str, Any], what: str) -> bool:
    return re.search(rf"\b{what}\b", call["query"]) is not None


def _replay(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


async def _nowhere(_: Message) -> None:
    return


@dataclass
class Story:
    """One shop that sold one camera, and a hub that has shipped it and was not yet told so."""

    world: World
    twin: ShopifySimulator
    gate: Gate
    channel: Row
    order_ref: str
    line_ref: str
    folder: Path
    database_url: str

    def worker(self) -> AbstractContextManager[HubProcess]:
        """Run the worker process."""
        return hub_process("worker", self.database_url, self.folder)

    async def kill_in_the_middle(self) -> None:
        """Run a worker and kill it while it waits for the held answer."""
        with self.worker() as worker:
            try:
                async with asyncio.timeout(SECONDS_MAX):
                    await self.gate.reached.wait()
            except TimeoutError:
                raise AssertionError(f"never asked:\n{worker.log.read_text()}") from None
            worker.kill()
            self.gate.opened.set()
        assert worker.process.returncode == -9

    async def run_until_told(self) -> None:
        """Run another worker until nothing is left to tell, and end it properly."""
        with self.worker() as worker:
            await eventually(self.is_told, worker)
            code = await asyncio.to_thread(worker.stop)
        log = worker.log.read_text()
        assert (code, "Traceback" in log) == (0, False), log

    def is_told(self) -> bool:
        return self.level()["waiting"] == 0 and self.fact()["state"] == "sent"

    def level(self) -> Row:
        """Read the level and how many of its changes wait."""
        (row,) = self.world.rows(
            "SELECT listing_level.*, wanted_version - done_version AS waiting FROM listing_level"
        )
        return row

    def fact(self) -> Row:
        """Read the one fact in the outbox."""
        (row,) = self.world.rows("SELECT * FROM outbox")
        return row

    def let_leases_end(self) -> None:
        """Take the dead worker's leases away, as the passing of `LEASE` would."""
        assert LEASE.total_seconds() == 60
        self.world.write(lambda tx: tx.run("UPDATE outbox SET lease_until = 0"))
        self.world.write(lambda tx: tx.run("UPDATE listing_level SET lease_until = 0"))


async def eventually(reached: Callable[[], bool], worker: HubProcess) -> None:
    """Wait for what the worker brings about, while the twin goes on answering in this loop."""
    deadline = time.monotonic() + SECONDS_MAX
    while not reached():
        assert worker.process.poll() is None, worker.log.read_text()
        assert time.monotonic() < deadline, worker.log.read_text()
        await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def story(
    world: World, url: str, folder: Path, holds: str, *, performs: bool = True
) -> AsyncIterator[Story]:
    """Five cameras, one of them sold by the shop, picked, packed and shipped."""
    world.now = datetime.now(UTC)  # the worker has the clock of its process
    twin = ShopifySimulator()
    item = twin.add_item("CAM", 3)
    order_ref = twin.place_order({"CAM": 1})
    gate = Gate(twin.app, holds, performs)
    async with serve(gate) as shop_url:
        channel = world.channel(settings=twin.settings(shop_url))
        world.write(lambda tx: _list(tx, world, channel, item, twin.quantity("CAM")))
        world.receive(*SERIALS)
        line_ref = await _take_in(world, channel, twin.settings(shop_url), order_ref)
        _ship_what_is_promised(world)
        gate.calls.clear()
        yield Story(world, twin, gate, channel, order_ref, line_ref, folder, url)
        gate.opened.set()
    await twin.aclose()


def _list(tx: Transaction, world: World, channel: Row, item: str, shown: int) -> None:
    product = catalogue.reference(tx, "product", "sku", "CAM")
    remote = {"inventory_item_id": item}
    bindings.bind(tx, channel["id"], product["id"], "CAM", remote, world.now, observed=shown)


async def _take_in(world: World, channel: Row, settings: dict[str, Any], order_ref: str) -> str:
    connector: Any = connect("shopify", settings)
    try:
        order = await connector.read_order(order_ref)
    finally:
        await connector.api.aclose()
    assert world.accept(channel, order) is not None
    return str(order.lines[0].ref)


def _ship_what_is_promised(world: World) -> None:
    serial = shipped_serial(world)
    for action in (Action.PICK, Action.PACK):
        assert world.do(action, serial)[0].accepted
    shipment = Shipment(carrier="UPS", tracking="1Z999")
    world.write(
        lambda tx: orders.ship(Work(tx, world.context(), new_id()), [Scan(serial)], shipment)
    )


def shipped_serial(world: World) -> str:
    return str(world.value("SELECT serial FROM unit WHERE order_line_id IS NOT NULL"))


def sell_another(world: World) -> None:
    other = next(serial for serial in SERIALS if serial != shipped_serial(world))
    assert world.do(Action.SELL, other)[0].accepted


def assert_told_once(told: Story, available: int) -> None:
    """The shop shows what the ledger says, once; and the ledger holds."""
    serial = shipped_serial(told.world)
    assert told.twin.quantity("CAM") == available
    (shipment,) = told.twin.orders[told.order_ref].shipments
    assert shipment.quantities == {told.line_ref: 1}
    assert shipment.tracking["number"] == "1Z999"
    assert told.twin.serials(told.order_ref) == {told.line_ref: [serial]}
    fact, level = told.fact(), told.level()
    assert (fact["state"], fact["lease_until"]) == ("sent", 0)
    assert fact["settled_at"] is not None
    assert (level["acknowledged"], level["observed"], level["state"]) == (
        available,
        available,
        "live",
    )
    assert (level["lease_until"], level["waiting"]) == (0, 0)
    assert told.world.value("SELECT COUNT(*) FROM exception_case") == 0
    proof = told.world.read(hash_chain.verify)
    assert (proof.units, proof.breaks) == (len(SERIALS), ())


def keys_of(calls: list[dict[str, Any]]) -> list[str]:
    return [call["variables"]["key"] for call in calls]


def expected_of(calls: list[dict[str, Any]]) -> list[int]:
    inputs = [call["variables"]["input"]["quantities"] for call in calls]
    return [quantities[0]["changeFromQuantity"] for quantities in inputs]


def test_a_level_whose_acknowledgement_was_lost_is_repeated_with_the_same_key(
    world: World, url: str, tmp_path: Path
) -> None:
    async def telling() -> None:
        async with story(world, url, tmp_path, LEVEL) as told:
            await told.kill_in_the_middle()
            assert told.twin.quantity("CAM") == 4  # it took effect
            assert told.level()["acknowledged"] is None  # and nobody here knows
            assert told.fact()["state"] == "waiting"
            told.let_leases_end()
            await told.run_until_told()
            assert_told_once(told, available=4)
            pushed = told.gate.asked(LEVEL)
            assert len(pushed) == 2
            assert len(set(keys_of(pushed))) == 1
            assert expected_of(pushed) == [2, 2]
            assert len(told.twin.idempotent) == 1  # one request, as the shop counts them

    asyncio.run(telling())


def test_a_level_that_changed_while_the_worker_was_dead_is_told_as_it_is_now(
    world: World, url: str, tmp_path: Path
) -> None:
    async def telling() -> None:
        async with story(world, url, tmp_path, LEVEL) as told:
            await told.kill_in_the_middle()
            sell_another(world)
            told.let_leases_end()
            await told.run_until_told()
            assert_told_once(told, available=3)
            pushed = told.gate.asked(LEVEL)
            # The first repeat still expects what was observed before the lost answer; it is
            # refused, and the next one is compared with what the shop really shows.
            assert expected_of(pushed) == [2, 2, 4]
            assert len(set(keys_of(pushed))) == 3

    asyncio.run(telling())


@pytest.mark.parametrize("last_call", [FULFILLMENT, RECORD])
def test_a_fulfillment_whose_acknowledgement_was_lost_is_told_again_and_exists_once(
    world: World, url: str, tmp_path: Path, last_call: str
) -> None:
    async def telling() -> None:
        async with story(world, url, tmp_path, last_call) as told:
            await told.kill_in_the_middle()
            assert len(told.twin.orders[told.order_ref].shipments) == 1  # it took effect
            assert told.fact()["state"] == "leased"  # and nobody here knows
            assert told.level()["waiting"] == 0
            told.let_leases_end()
            await told.run_until_told()
            assert_told_once(told, available=4)
            assert told.fact()["fence"] == 2  # it was told twice
            assert len(told.gate.asked(LOOK)) == 2  # and looked for first, each time
            assert len(told.gate.asked(FULFILLMENT)) == 1
            assert len(told.gate.asked(LEVEL)) == 1  # what was acknowledged is not told again

    asyncio.run(telling())


def test_a_fulfillment_that_never_arrived_is_told_by_the_next_worker(
    world: World, url: str, tmp_path: Path
) -> None:
    async def telling() -> None:
        async with story(world, url, tmp_path, FULFILLMENT, performs=False) as told:
            await told.kill_in_the_middle()
            assert told.twin.orders[told.order_ref].shipments == []
            told.let_leases_end()
            await told.run_until_told()
            assert_told_once(told, available=4)
            assert len(told.gate.asked(FULFILLMENT)) == 2

    asyncio.run(telling())


def test_a_lease_that_still_runs_is_left_alone_by_the_next_worker(
    world: World, url: str, tmp_path: Path
) -> None:
    async def telling() -> None:
        async with story(world, url, tmp_path, FULFILLMENT) as told:
            await told.kill_in_the_middle()
            # Something else to tell shows that the next worker is at work.
            sell_another(world)
            with told.worker() as worker:
                await eventually(lambda: told.twin.quantity("CAM") == 3, worker)
                await eventually(lambda: told.level()["waiting"] == 0, worker)
                fact = told.fact()
                assert (fact["state"], fact["fence"]) == ("leased", 1)
                assert len(told.gate.asked(LOOK)) == 1
                told.let_leases_end()
                await eventually(told.is_told, worker)
                await asyncio.to_thread(worker.stop)
            assert_told_once(told, available=3)

    asyncio.run(telling())
