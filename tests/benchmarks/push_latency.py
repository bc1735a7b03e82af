"""From the commit of a sale to the beginning of the push that tells a channel, p95.

A channel in this process notes when it is told. A level carries the version that is wanted, so
each sale finds the very push that told of it, however many sales were told at once.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from pydantic import BaseModel

from connectors.connections import Connections
from connectors.contract import Connector, PushedLevel, PushStock
from connectors.remote import Remote, RemoteApi
from hub import catalogue, ledger
from hub.clock import new_id
from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.database import Database
from hub.storage.sql import Transaction
from hub.sync import bindings, channels
from hub.sync.channels import ChannelCard
from hub.vocabulary import StockLevel
from jobs import relay
from jobs.runtime import Runtime
from tests.benchmarks.harness import (
    Ground,
    Measurement,
    context,
    fresh_ground,
    opened,
    p95,
    receive,
    register,
    run,
    say,
)

PRODUCTS = 20
UNITS = 2_500
WARM_UP = 20
IDLE_SALES = 150
LOADED_SALES = 1_600
SALES_PER_SECOND = 200
TOLD_SECONDS_MAX = 10.0


class NoSettings(BaseModel):
    """Nothing to set."""


class Recorder(Connector[NoSettings], PushStock):
    """A channel that accepts everything and notes when it was told which version."""

    key = "recorder"
    settings_model = NoSettings

    def __init__(self) -> None:
        settings = NoSettings()
        super().__init__(settings, RemoteApi(self.remote(settings)))
        self.told: dict[str, list[tuple[int, float]]] = {}
        self.heard = asyncio.Event()

    @classmethod
    def remote(cls, settings: NoSettings) -> Remote:
        """Describe nobody."""
        return Remote(base_url="http://127.0.0.1")

    async def check(self) -> None:
        """Nothing can be wrong."""

    async def push_stock(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
        """Note the time, and show what was asked for."""
        started = time.perf_counter()
        for level in levels:
            version = int(level.key.rsplit(":", 1)[1])
            self.told.setdefault(level.listing, []).append((version, started))
        self.heard.set()
        return [PushedLevel(level.listing, level.available) for level in levels]

    def told_at(self, listing: str, version: int) -> float | None:
        """Return when the push began that first told a version or a later one."""
        return next((at for told, at in self.told.get(listing, ()) if told >= version), None)


class OnlyRecorder(Connections):
    """Every channel is the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(lambda _: {})
        self._recorder = recorder

    def of(self, channel: Any) -> Recorder:
        """Return the recorder."""
        return self._recorder


@dataclass
class Shop:
    """A channel with stock, and what was sold of it."""

    database: Database
    recorder: Recorder
    serials: Iterator[str]

    async def sell(self) -> tuple[str, int, float]:
        """Sell the next unit; return its listing, the version to be told, and when it was kept."""
        serial = next(self.serials)

        def work(tx: Transaction) -> tuple[str, int]:
            command = UnitCommand(action=Action.SELL)
            verdict = ledger.record(Work(tx, context(), new_id()), command, [Scan(serial)])[0]
            assert verdict.accepted, verdict.message
            level = tx.row(
                "SELECT listing_id, wanted_version FROM listing_level "
                "JOIN unit ON unit.product_id = listing_level.product_id WHERE unit.id = :id",
                id=verdict.unit_id,
            )
            assert level is not None
            return level["listing_id"], level["wanted_version"]

        kept: list[float] = []
        future = self.database.submit(work)
        # Called in the writer's thread: this is when the commit is done, not when we hear of it.
        future.add_done_callback(lambda _: kept.append(time.perf_counter()))
        listing, version = await asyncio.wrap_future(future)
        return listing, version, kept[0]

    async def latency(self, sale: tuple[str, int, float]) -> float:
        """Wait until a sale was told; return how many milliseconds that took to begin."""
        listing, version, kept = sale
        async with asyncio.timeout(TOLD_SECONDS_MAX):
            while (told := self.recorder.told_at(listing, version)) is None:
                self.recorder.heard.clear()
                await self.recorder.heard.wait()
        return (told - kept) * 1e3


def push_latency(backend: str) -> Measurement:
    """Measure one sale at a time; the yardstick is a wake-up and one flushed commit."""
    with fresh_ground(backend) as ground:
        value = run(lambda: _measured(ground, _idle))
        yardstick = run(lambda: _floor(ground))
    return Measurement("push_latency", value, "ms p95", yardstick, value / yardstick)


def push_latency_loaded(backend: str) -> Measurement:
    """Measure at a steady rate of sales; the yardstick is one at a time, in the same run."""
    with fresh_ground(backend) as ground:
        idle, loaded = run(lambda: _measured(ground, _both))
    return Measurement("push_latency_loaded", loaded, "ms p95", idle, loaded / idle)


async def _measured(ground: Ground, measure: Callable[[Shop], Awaitable[Any]]) -> Any:
    with opened(ground) as database:
        async with _opened_shop(database) as shop:
            for _ in range(WARM_UP):
                await shop.latency(await shop.sell())
            return await measure(shop)


@asynccontextmanager
async def _opened_shop(database: Database) -> AsyncIterator[Shop]:
    recorder = Recorder()
    serials = [f"P{number:07}" for number in range(UNITS)]
    database.write_now(lambda tx: _stock(tx, serials))
    runtime = Runtime(database, OnlyRecorder(recorder))
    telling = asyncio.create_task(relay.run(runtime))
    try:
        yield Shop(database, recorder, iter(serials))
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await recorder.api.aclose()


def _stock(tx: Transaction, serials: Sequence[str]) -> None:
    skus = register(tx, PRODUCTS)
    card = ChannelCard(
        code="shop", name="Shop", connector="recorder", settings="", capabilities=["push_stock"]
    )
    channel = channels.register(tx, context(), card)
    receive(tx, serials, skus)
    for sku in skus:
        product = catalogue.reference(tx, "product", "sku", sku)
        bindings.bind(tx, channel, product["id"], sku, {}, context().now)


async def _idle(shop: Shop) -> float:
    found = []
    for _ in range(IDLE_SALES):
        found.append(await shop.latency(await shop.sell()))
        await asyncio.sleep(0.02)  # what was told is acknowledged, and nothing is left to do
    _tell("one at a time", found)
    return p95(found)


async def _both(shop: Shop) -> tuple[float, float]:
    return await _idle(shop), await _loaded(shop)


async def _loaded(shop: Shop) -> float:
    started = time.perf_counter()
    selling = []
    for number in range(LOADED_SALES):
        await asyncio.sleep(max(0.0, started + number / SALES_PER_SECOND - time.perf_counter()))
        selling.append(asyncio.create_task(shop.sell()))
    sales = await asyncio.gather(*selling)
    rate = LOADED_SALES / (time.perf_counter() - started)
    found = [await shop.latency(sale) for sale in sales]
    _tell(f"at {rate:.0f} sales/s", found)
    return p95(found)


def _tell(how: str, found: Sequence[float]) -> None:
    ordered = sorted(found)
    say(
        f"{how}: p50 {ordered[len(found) // 2]:.2f}, p95 {p95(found):.2f}, max {ordered[-1]:.2f} ms"
    )


async def _floor(ground: Ground) -> float:
    """Measure what can not be spared: a thread wakes the loop, which has one row flushed."""
    loop, found = asyncio.get_running_loop(), []
    with _bare_writer(ground) as write:
        for number in range(IDLE_SALES + WARM_UP):
            woken = asyncio.Event()
            started = await loop.run_in_executor(None, _wake, loop, woken)
            await woken.wait()
            await loop.run_in_executor(None, write)
            if number >= WARM_UP:
                found.append((time.perf_counter() - started) * 1e3)
            await asyncio.sleep(0.02)
    _tell("a wake-up and a bare commit", found)
    return p95(found)


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> float:
    started = time.perf_counter()
    loop.call_soon_threadsafe(woken.set)
    return started


@contextmanager
def _bare_writer(ground: Ground) -> Iterator[Callable[[], object]]:
    if ground.backend == "sqlite":
        path = ground.folder / "hub.db"
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as lite:
            lite.execute("PRAGMA synchronous = FULL")
            lite.execute("CREATE TABLE bare_lease(taken_at REAL)")
            yield lambda: lite.execute("INSERT INTO bare_lease VALUES(?)", (time.time(),))
        return
    with psycopg.connect(ground.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare_lease(taken_at DOUBLE PRECISION)")
        yield lambda: connection.execute("INSERT INTO bare_lease VALUES(%s)", (time.time(),))
