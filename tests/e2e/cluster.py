"""A cluster under load: one API, three workers, PostgreSQL and two channels, behind wires."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from connectors.shopify.simulator.server import ShopifySimulator
from connectors.square.simulator.server import SquareSimulator
from connectors.testing.serving import serve
from e2e.private_postgres import PrivateServer
from e2e.processes import HubProcess, start
from e2e.tcp_proxy import Pair, Wire, wire
from hub import catalogue
from hub.access import keys
from hub.access.keys import Scope
from hub.ledger import hash_chain
from hub.proof import conservation
from hub.storage.database import open_database
from hub.storage.migrations import migrate
from hub.storage.sql import Row, Transaction
from hub.sync import bindings
from world import World

WORKERS = 3
LEASE_SECONDS = 4
UNITS = 150  # of each product: more than are sold
SECONDS_MAX = 60.0  # until something must have happened
BACKLOG_MAX = 16  # orders that wait to be shipped
POLL_SECONDS = 0.05
PACE_SECONDS = 0.1  # between two orders of one channel
SHIPPERS = 3
STEPS = ("pickUnits", "packUnits", "shipUnits")
COMMAND = """mutation($key: String!, $units: [UnitInput!]!) {
  done: %s(idempotencyKey: $key, units: $units) {
    __typename ... on CommandResult { commandId accepted results { accepted problem { message } } }
    ... on Problem { code message } } }"""
AGAIN = {"TRY_AGAIN", "TIMEOUT"}


@dataclass
class Cluster:
    """Everything that runs, and what its people did."""

    world: World
    server: PrivateServer
    folder: Path
    chance: random.Random
    shop: ShopifySimulator
    till: SquareSimulator
    to_database: Wire
    to_shop: Wire
    to_till: Wire
    api: HubProcess
    secret: str
    workers: list[HubProcess] = field(default_factory=list)
    ended: list[HubProcess] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)  # command ids by key
    codes_seen: set[str] = field(default_factory=set)
    selling: bool = True
    _taken: set[str] = field(default_factory=set)

    def database_url(self) -> str:
        """Return how the processes reach PostgreSQL: over the wire."""
        return f"postgresql://postgres@127.0.0.1:{self.to_database.port}/postgres"

    def start_worker(self) -> HubProcess:
        """Start one more worker."""
        worker = start(
            "worker",
            self.database_url(),
            self.folder,
            poll_seconds="1",
            log_level="warning",
            lease_seconds=str(LEASE_SECONDS),
        )
        self.workers.append(worker)
        return worker

    async def kill_one(self) -> None:
        """Kill a worker in the middle of whatever it does, and start another in its place."""
        victim = self.chance.choice(self.workers)
        self.workers.remove(victim)
        victim.kill()
        self.ended.append(victim)
        self.start_worker()

    async def rows(self, statement: str, **values: Any) -> list[Row]:
        """Read rows by the short way, without holding up the twins."""
        return await asyncio.to_thread(self.world.rows, statement, **values)

    async def value(self, statement: str, **values: Any) -> Any:
        """Read one value by the short way."""
        return await asyncio.to_thread(self.world.value, statement, **values)

    async def sell(self) -> None:
        """Place orders at both channels; some of the webhooks come twice, some never."""
        while self.selling:
            if self.backlog() >= BACKLOG_MAX:
                await asyncio.sleep(POLL_SECONDS)
                continue
            for twin in (self.shop, self.till):
                twin.lose_webhooks = self.chance.random() < 0.2
                twin.duplicate_webhooks = self.chance.random() < 0.3
                twin.place_order({self.chance.choice(["CAM", "LENS"]): 1})
            await asyncio.sleep(PACE_SECONDS)

    async def ship(self) -> None:
        """Ship what is promised, unit by unit, each step until it is acknowledged."""
        headers = {"authorization": f"Bearer {self.secret}"}
        async with httpx.AsyncClient(base_url=self.api.url, headers=headers, timeout=10) as http:
            while True:
                unit = await self._next_promised()
                if unit is None:
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                for step in STEPS:
                    await self._command(http, step, unit)

    async def _next_promised(self) -> str | None:
        found = await self.rows(
            "SELECT id FROM unit WHERE promised_to IS NOT NULL AND status = 'in_stock' "
            "ORDER BY id LIMIT 50"
        )
        free = [row["id"] for row in found if row["id"] not in self._taken]
        if not free:
            return None
        self._taken.add(free[0])
        return str(free[0])

    async def _command(self, http: httpx.AsyncClient, step: str, unit: str) -> None:
        key = f"{step}:{unit}"
        asked = {
            "query": COMMAND % step,
            "variables": {"key": key, "units": [{"identifier": unit}]},
        }
        while True:
            try:
                answer = await http.post("/graphql", json=asked)
                said = answer.json()
            except httpx.TransportError:
                said = {"errors": [{"extensions": {"code": "TIMEOUT"}}]}
            if "errors" not in said:
                break
            codes = {error["extensions"]["code"] for error in said["errors"]}
            self.codes_seen |= codes
            assert codes <= AGAIN, said
            await asyncio.sleep(0.1)
        assert said["data"]["done"]["accepted"] == 1, said
        self.acknowledged[key] = said["data"]["done"]["commandId"]

    def backlog(self) -> int:
        """Count the orders that are not shipped yet."""
        return len(self.shop.orders) + len(self.till.orders) - self.shipped()

    def shipped(self) -> int:
        """Count the acknowledged shipments."""
        return sum(key.startswith("shipUnits") for key in self.acknowledged)

    def told(self) -> int:
        """Count the shipments that the channels know of."""
        return sum(len(order.shipments) for order in self.shop.orders.values()) + sum(
            bool(order.attributes) for order in self.till.orders.values()
        )

    async def goes_on(self) -> None:
        """Wait until shipments are acknowledged and told that were not before."""
        shipped, told = self.shipped(), self.told()
        await self.until(lambda: self.shipped() > shipped + 2, "nothing is shipped")
        await self.until(lambda: self.told() > told + 2, "nothing is told")

    async def until(
        self, reached: Callable[[], bool | Awaitable[bool]], what: str = "it did not happen"
    ) -> None:
        """Wait for what the cluster brings about; show the logs if it does not."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            answer = reached()
            if answer if isinstance(answer, bool) else await answer:
                return
            assert time.monotonic() < deadline, f"{what}\n{await self.state()}\n{self.logs()}"
            await asyncio.sleep(POLL_SECONDS)

    async def is_done(self) -> bool:
        """Say whether everything sold is shipped and told, and nothing waits."""
        orders = len(self.shop.orders) + len(self.till.orders)
        if self.shipped() < orders:
            return False
        waiting = await self.rows(
            "SELECT 'fact' AS what FROM outbox WHERE state IN ('waiting', 'leased') UNION ALL "
            "SELECT 'message' FROM inbox WHERE state IN ('waiting', 'leased') UNION ALL "
            "SELECT 'level' FROM listing_level WHERE wanted_version > done_version"
        )
        return not waiting

    async def state(self) -> str:
        """Say where everything stands."""
        counts = [
            f"{len(self.shop.orders) + len(self.till.orders)} orders, {self.shipped()} shipped, "
            f"{self.told()} told"
        ]
        for table in ("outbox", "inbox", "listing_level"):
            counts += [
                f"{table}: {row}"
                for row in await self.rows(
                    f"SELECT state, COUNT(*) AS rows, MAX(last_error) AS error, "
                    f"MAX(attempts) AS attempts FROM {table} GROUP BY state"
                )
            ]
        return "\n".join(counts)

    def logs(self) -> str:
        """Return the ends of all logs."""
        every = [self.api, *self.workers, *self.ended]
        return "\n".join(f"--- {each.log.name}\n{each.log.read_text()[-4000:]}" for each in every)


async def assert_nothing_lost(cluster: Cluster) -> None:
    """Check the ledger and the channels against what was sold and what was acknowledged."""
    world = cluster.world
    placed = {*cluster.shop.orders, *cluster.till.orders}
    assert {row["ref"] for row in await cluster.rows("SELECT ref FROM sales_order")} == placed
    for table in ("outbox", "inbox"):
        dead = await cluster.rows(f"SELECT * FROM {table} WHERE state = 'dead'")
        assert dead == []
    known = await cluster.rows("SELECT key, id FROM command WHERE key LIKE '%Units:%'")
    assert {row["key"]: row["id"] for row in known} == cluster.acknowledged
    effects = await cluster.rows(
        "SELECT command_id, COUNT(*) AS units FROM event WHERE command_id IN (:ids...) "
        "GROUP BY command_id",
        ids=list(cluster.acknowledged.values()),
    )
    assert {row["units"] for row in effects} == {1}
    assert len(effects) == len(cluster.acknowledged)
    balance = await asyncio.to_thread(world.read, conservation.check)
    assert (balance.breaches, balance.holds) == ((), True)
    proof = await asyncio.to_thread(world.read, hash_chain.verify)
    assert proof.breaks == ()


async def assert_nothing_twice(cluster: Cluster) -> None:
    """Check that no unit was sold twice, nothing told twice and no job run twice."""
    many = (
        "SELECT unit_id FROM event WHERE action = 'ship' GROUP BY unit_id HAVING COUNT(*) > 1",
        "SELECT unit_id FROM hold WHERE released_at IS NULL AND kind = 'sale' "
        "GROUP BY unit_id HAVING COUNT(*) > 1",
        "SELECT job, slot FROM job_run GROUP BY job, slot HAVING COUNT(*) > 1",
    )
    for statement in many:
        assert await cluster.rows(statement) == []
    for order in cluster.shop.orders.values():
        assert [sum(each.quantities.values()) for each in order.shipments] == [1], order
    runs = await cluster.rows("SELECT * FROM job_run ORDER BY job, started_at")
    for before, after in pairwise(runs):
        if before["job"] == after["job"]:
            assert before["finished_at"] is not None, before
            assert before["finished_at"] <= after["started_at"], (before, after)


async def assert_channels_agree(cluster: Cluster) -> None:
    """Check that both channels show the ledger's quantities and the serials that left."""
    for sku in ("CAM", "LENS"):
        available = await cluster.value(
            "SELECT COUNT(*) FROM unit JOIN product ON product.id = unit.product_id "
            "WHERE sku = :sku AND status = 'in_stock' AND promised_to IS NULL",
            sku=sku,
        )
        assert (cluster.shop.quantity(sku), cluster.till.quantity(sku)) == (available, available)
    sold = await cluster.rows(
        "SELECT sales_order.ref AS ref, order_line.ref AS line, serial FROM unit "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN sales_order ON sales_order.id = order_line.order_id WHERE unit.status = 'shipped'"
    )
    assert len(sold) == len(cluster.shop.orders) + len(cluster.till.orders)
    for row in sold:
        twin: Any = cluster.shop if row["ref"] in cluster.shop.orders else cluster.till
        assert twin.serials(row["ref"]) == {row["line"]: [row["serial"]]}


@asynccontextmanager
async def cluster(server: PrivateServer, folder: Path, seed: int) -> AsyncIterator[Cluster]:
    """Run a cluster under load; everything it started ends with the block."""
    began = time.monotonic()
    print(f"seed {seed} (set SERIAL_HUB_TEST_SEED to repeat)")
    migrate(server.url)
    async with AsyncExitStack() as stack:
        database = open_database(server.url)
        stack.callback(database.close)
        world = World.build(database)
        world.now = datetime.now(UTC)
        running = await _connect(stack, world, server, folder, seed)
        stack.callback(_end, running)
        for _ in range(WORKERS):
            running.start_worker()
        print(f"started: {time.monotonic() - began:.1f} s")
        yield running


async def _connect(
    stack: AsyncExitStack, world: World, server: PrivateServer, folder: Path, seed: int
) -> Cluster:
    shop, till = ShopifySimulator(), SquareSimulator()
    wires = [await stack.enter_async_context(wire(lambda: _by_socket(server.socket)))]
    for twin in (shop, till):
        url = urlsplit(await stack.enter_async_context(serve(twin.app)))
        stack.push_async_callback(twin.aclose)
        assert url.hostname is not None
        wires.append(await stack.enter_async_context(wire(_by_port(url.hostname, url.port))))
    address = f"postgresql://postgres@127.0.0.1:{wires[0].port}/postgres"
    api = start("api", address, folder, log_level="warning")
    _, secret = world.write(lambda tx: keys.create(tx, "people", [Scope.SCANNER], world.now))
    running = Cluster(
        world, server, folder, random.Random(seed), shop, till, *wires, api=api, secret=secret
    )
    _stock(running)
    async with httpx.AsyncClient(base_url=api.url) as client:
        await running.until(lambda: is_ready(client), "the API does not start")
    return running


def _stock(running: Cluster) -> None:
    """Stock both products, list them at both channels, and let these tell of their orders."""
    world, shop, till = running.world, running.shop, running.till
    for sku in ("CAM", "LENS"):
        world.receive(*[f"{sku}-{number}" for number in range(UNITS)], sku=sku)
    hooks = {name: f"{running.api.url}/webhooks/{name}" for name in ("shop", "till")}
    at_shop = shop.settings(f"http://127.0.0.1:{running.to_shop.port}")
    at_till = till.settings(f"http://127.0.0.1:{running.to_till.port}", hooks["till"])
    channels = {
        "shop": world.channel("shop", "shopify", at_shop),
        "till": world.channel("till", "square", at_till),
    }
    for sku in ("CAM", "LENS"):
        _bind(world, channels["shop"], sku, {"inventory_item_id": shop.add_item(sku, UNITS)})
        _bind(world, channels["till"], sku, {"catalog_object_id": till.add_variation(sku, UNITS)})
    shop.subscribers.append(hooks["shop"])
    till.subscribers.append(hooks["till"])


def _bind(world: World, channel: Row, sku: str, remote: dict[str, str]) -> None:
    def work(tx: Transaction) -> None:
        product = catalogue.reference(tx, "product", "sku", sku)
        bindings.bind(tx, channel["id"], product["id"], sku, remote, world.now, observed=UNITS)

    world.write(work)


async def is_ready(client: httpx.AsyncClient) -> bool:
    """Say whether the API calls itself ready."""
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def _by_socket(path: str) -> Pair:
    return await asyncio.open_unix_connection(path)


def _by_port(host: str, port: int | None) -> Callable[[], Awaitable[Pair]]:
    async def onward() -> Pair:
        return await asyncio.open_connection(host, port)

    return onward


def _end(running: Cluster) -> None:
    for hub in (running.api, *running.workers):
        if hub.process.poll() is None:
            hub.kill()


@asynccontextmanager
async def load(running: Cluster) -> AsyncIterator[None]:
    """Sell and ship while the block lasts; then ship the rest, and wait until all is told."""
    async with asyncio.TaskGroup() as group:
        shippers = [group.create_task(running.ship()) for _ in range(SHIPPERS)]
        seller = group.create_task(running.sell())
        try:
            yield
            running.selling = False
            await seller
            began = time.monotonic()
            await running.until(running.is_done, "something is not told")
            print(f"the rest: {time.monotonic() - began:.1f} s")
        finally:
            for task in (*shippers, seller):
                task.cancel()


def seed() -> int:
    """Return the seed of this run."""
    return int(os.environ.get("SERIAL_HUB_TEST_SEED", random.SystemRandom().randrange(10**6)))
