"""Told to stop, a process finishes what it holds, gives the rest back, and ends with 0."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from e2e.processes import POLL_SECONDS, SECONDS_MAX, HubProcess, api_process, hub_process
from hub import orders
from hub.access import keys
from hub.access.keys import Scope as Permission
from hub.clock import new_id
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.storage.sql import Transaction
from hub.sync.leases import LEASE
from hub.vocabulary import OrderLine
from world import World

ORDERS = 6
FULFILLMENT = b"fulfillmentCreate"
HELD = (
    "SELECT (SELECT COUNT(*) FROM outbox WHERE lease_until > 0) "
    "+ (SELECT COUNT(*) FROM inbox WHERE lease_until > 0) "
    "+ (SELECT COUNT(*) FROM listing_level WHERE lease_until > 0) "
    "+ (SELECT COUNT(*) FROM job_run WHERE finished_at IS NULL AND lease_until > 0)"
)

on_a_server = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


@dataclass
class Door:
    """Stands before the twin and lets no shipment in until it is opened."""

    inner: ASGIApp
    came: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = await receive()
        if FULFILLMENT in first["body"]:
            self.came.set()
            await self.opened.wait()
        waiting = [first]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        await self.inner(scope, again, send)


@dataclass
class Shop:
    """Orders that were shipped, and of which their shop does not know yet."""

    world: World
    twin: ShopifySimulator
    door: Door

    def states(self) -> list[str]:
        return [row["state"] for row in self.world.rows("SELECT state FROM outbox ORDER BY seq")]

    def is_told(self) -> bool:
        return self.states() == ["sent"] * ORDERS

    def assert_told_once(self) -> None:
        assert [len(order.shipments) for order in self.twin.orders.values()] == [1] * ORDERS


@asynccontextmanager
async def shop(world: World) -> AsyncIterator[Shop]:
    """Sell and ship some cameras."""
    world.now = datetime.now(UTC)  # the worker has the clock of its process
    twin = ShopifySimulator()
    twin.add_item("CAM", ORDERS)
    door = Door(twin.app)
    async with serve(door) as url:
        channel = world.channel(settings=twin.settings(url))
        world.receive(*[f"SN-{number}" for number in range(ORDERS)])
        for _ in range(ORDERS):
            sold = twin.orders[twin.place_order({"CAM": 1})]
            line = OrderLine(ref=sold.lines[0].id, sku="CAM", quantity=1)
            world.accept(channel, world.order(sold.id, [line]))
        for number in range(ORDERS):
            _ship(world, f"SN-{number}")
        yield Shop(world, twin, door)
        door.opened.set()
    await twin.aclose()


def _ship(world: World, serial: str) -> None:
    for action in (Action.PICK, Action.PACK):
        assert world.do(action, serial)[0].accepted
    world.write(
        lambda tx: orders.ship(Work(tx, world.context(), new_id()), [Scan(serial)], Shipment())
    )


async def eventually(reached: Any, hub: HubProcess) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not reached():
        assert time.monotonic() < deadline, hub.log.read_text()
        await asyncio.sleep(POLL_SECONDS)


async def come(told: Shop, worker: HubProcess) -> None:
    """Wait until the worker is in the middle of telling a shipment."""
    await eventually(told.door.came.is_set, worker)


def test_a_worker_finishes_what_it_tells_and_gives_back_the_rest(
    world: World, url: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with shop(world) as told:
            with hub_process("worker", url, tmp_path) as worker:
                await come(told, worker)
                assert told.states() == ["leased"] * ORDERS
                worker.process.terminate()
                told.door.opened.set()
                code = await asyncio.to_thread(worker.process.wait, SECONDS_MAX)
            log = worker.log.read_text()
            assert (code, "Traceback" in log, "released their work" in log) == (0, False, False), (
                log
            )
            assert told.states() == ["sent"] + ["waiting"] * (ORDERS - 1)
            assert world.value(HELD) == 0
            began = time.monotonic()
            with hub_process("worker", url, tmp_path) as worker:
                await eventually(told.is_told, worker)
            assert time.monotonic() - began < LEASE.total_seconds()
            told.assert_told_once()
            assert world.value("SELECT MAX(attempts) FROM outbox") == 0

    asyncio.run(story())


@on_a_server
def test_a_worker_that_can_not_finish_in_time_gives_everything_back(
    world: World, url: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with shop(world) as told:
            with hub_process("worker", url, tmp_path, drain_seconds="1") as worker:
                await come(told, worker)
                code = await asyncio.to_thread(worker.stop)
            log = worker.log.read_text()
            assert (code, "Traceback" in log, "released their work" in log) == (0, False, True), log
            assert told.states() == ["waiting"] * ORDERS
            assert world.value(HELD) == 0
            # What was cut off arrives after all; who repeats it looks first, and finds it.
            told.door.opened.set()
            with hub_process("worker", url, tmp_path) as worker:
                await eventually(told.is_told, worker)
            told.assert_told_once()

    asyncio.run(story())


@on_a_server  # SQLite does not show who waits for it
def test_an_api_finishes_its_requests_and_takes_no_new_ones(
    world: World, url: str, tmp_path: Path
) -> None:
    world.receive("SN-1")
    _, secret = world.write(lambda tx: keys.create(tx, "p", [Permission.SCANNER], world.now))
    move = (
        'mutation { done: pickUnits(idempotencyKey: "k", units: [{identifier: "SN-1"}]) '
        "{ __typename ... on CommandResult { accepted } } }"
    )
    held, free = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> None:
        tx.run("UPDATE unit SET version = version")
        held.set()
        free.wait(SECONDS_MAX)

    with api_process(url, tmp_path) as hub:
        blocking = world.database.submit(hold)
        assert held.wait(SECONDS_MAX)
        answers: list[httpx.Response] = []

        def ask() -> None:
            headers = {"authorization": f"Bearer {secret}"}
            with httpx.Client(base_url=hub.url, headers=headers, timeout=SECONDS_MAX) as client:
                answers.append(client.post("/graphql", json={"query": move}))

        asking = threading.Thread(target=ask)
        asking.start()
        _until_it_waits(world)
        hub.process.terminate()
        _until_refused(hub)
        assert hub.process.poll() is None
        free.set()
        blocking.result(SECONDS_MAX)
        asking.join(SECONDS_MAX)
        assert hub.process.wait(SECONDS_MAX) == 0
    assert answers[0].status_code == 200
    assert orjson.loads(answers[0].content)["data"]["done"]["__typename"] == "CommandResult"


@on_a_server
def test_an_open_subscription_does_not_hold_up_the_end(
    world: World, url: str, tmp_path: Path
) -> None:
    _, secret = world.write(lambda tx: keys.create(tx, "p", [Permission.SCANNER], world.now))
    headers = {"authorization": f"Bearer {secret}", "accept": "text/event-stream"}
    watch = {"query": "subscription { unitEvents { id } }"}
    with (
        api_process(url, tmp_path, drain_seconds="600") as hub,
        httpx.Client(base_url=hub.url, headers=headers, timeout=SECONDS_MAX) as client,
        client.stream("POST", "/graphql", json=watch) as events,
    ):
        assert events.status_code == 200
        hub.process.terminate()
        assert b"complete" not in events.read()  # it is to be asked for again, elsewhere
        assert hub.process.wait(SECONDS_MAX) == 0


def _until_it_waits(world: World) -> None:
    """Wait until the request is in the middle of its work."""
    deadline = time.monotonic() + SECONDS_MAX
    waiting = (
        "SELECT COUNT(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while not world.value(waiting):
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)


def _until_refused(hub: HubProcess) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            httpx.get(f"{hub.url}/healthz")
        except httpx.ConnectError:
            return
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)
