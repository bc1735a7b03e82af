"""One schedule: everything that happens in it follows from its seed."""

import asyncio
import hashlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from tests.simulation.channel import KINDS, ONE_ACCOUNT, Maker, Shop
from tests.simulation.clock import VirtualLoop, determined
from tests.simulation.connector import Drifted
from tests.simulation.ending import Ending
from tests.simulation.faults import Faults
from tests.simulation.house import template
from tests.simulation.invariants import Monitor, Violation
from tests.simulation.market import Market
from tests.simulation.node import Node, Surroundings
from tests.simulation.people import People, shops
from tests.simulation.process import Store

NODES = 2
STORY_SECONDS = (120.0, 300.0)
DOWN_SECONDS = (1.0, 40.0)  # from a crash to the next start
SKEW_SECONDS = 180.0
REGISTERED_SERIALS = 200

Plant = Callable[[Store], None]


@dataclass(frozen=True)
class Outcome:
    """What came of a schedule; `failure` says which invariant broke."""

    seed: int
    failure: str | None
    digest: str
    commits: int
    steps: int
    allocations: int
    orders: int
    replayed: int
    faults: Counter[str]
    seconds: float
    trace: tuple[str, ...] = field(repr=False)


class Schedule:
    """The parts of one schedule, put together."""

    def __init__(self, seed: int, loop: VirtualLoop, plant: Plant | None = None) -> None:
        self.seed = seed
        self.loop = loop
        self.trace: list[str] = []
        self.failures: list[str] = []
        self.faults = Faults(random.Random(f"{seed}:faults"))
        self.random = random.Random(f"{seed}:story")
        self.nodes: list[Node] = []
        self.far = self._far_sides()
        self.monitor = Monitor(self.far)
        self.store = Store(template(), self.monitor.after_commit)
        if plant is not None:
            plant(self.store)
        self._watch()
        self.around = Surroundings(loop, self.store, self.far, self.faults, self.note)
        self.people = People(self.around, self.living, self.random)
        self.market = Market(self.around, self.living, self.random)

    def note(self, who: str, what: str) -> None:
        """Write a line of the trace."""
        self.trace.append(f"{self.loop.time():9.3f}  {who:8}  {what}")

    def living(self) -> list[Node]:
        """Return the nodes that are up."""
        return [node for node in self.nodes if node.process.alive]

    def _far_sides(self) -> dict[str, Shop | Maker]:
        skewed = self.faults.random.random() < 0.5
        far: dict[str, Shop | Maker] = {}
        for kind in KINDS:
            seconds = self.faults.random.uniform(-SKEW_SECONDS, SKEW_SECONDS) if skewed else 0.0
            far[kind.name] = Shop(kind, self.loop.present, timedelta(seconds=round(seconds)))
            if skewed:
                self.faults.happened("clock_skew")
        shops = [shop for shop in far.values() if isinstance(shop, Shop)]
        account = [shop for shop in shops if shop.kind.name in ONE_ACCOUNT]
        for shop in account:
            shop.others = [other for other in account if other is not shop]
        numbers = range(REGISTERED_SERIALS)
        return far | {"registry": Maker({f"CAM-{number:03}" for number in numbers})}

    def _watch(self) -> None:
        for channel in self.store.read(lambda tx: tx.rows("SELECT * FROM channel ORDER BY code")):
            listed = self.store.read(
                lambda tx, channel=channel: tx.rows(
                    "SELECT product_id, sku FROM listing WHERE channel_id = :id ORDER BY sku",
                    id=channel["id"],
                )
            )
            if listed:
                self.monitor.channels.append(channel)
                skus = {row["product_id"]: row["sku"] for row in listed}
                self.monitor.listed[channel["id"]] = skus
                for sku in skus.values():
                    self.monitor.true_levels[channel["code"], sku].add(0)
        for shop in (each for each in self.far.values() if isinstance(each, Shop)):
            shop.on_push = lambda sku, quantity, shop=shop: self.monitor.pushed(
                shop.kind.name, sku, quantity
            )

    async def run(self) -> None:
        """Tell the story, then bring it to its end."""
        keepers = [self.loop.create_task(self._keep_up(f"node-{at}")) for at in range(NODES)]
        await asyncio.sleep(0.1)
        until = self.loop.time() + self.random.uniform(*STORY_SECONDS)
        self.market.open()
        await self.people.receive("CAM", self.random.randint(2, 4), "WH")
        await self.people.receive("SAW", self.random.randint(1, 3), "WH")
        await self.people.receive("CAM", self.random.randint(1, 2), "SHOP")
        await asyncio.gather(*self._actors(until), self._late_supply(until))
        self.faults.stop()
        self.note("all", "trouble stops")
        for keeper in keepers:
            keeper.cancel()
        for node in self.living():
            node.process.crash()
        last = Node("last", self.around)
        self.nodes = [last]
        await last.inside(lambda _: Ending(last, self.people, self.monitor).run())

    def _actors(self, until: float) -> Iterator[object]:
        for shop in shops(self.around):
            yield self.market.customers(shop, until)
            yield self.market.changes(shop, until)
        yield self.people.work_in_the_warehouse(until)
        yield self.people.sell_here(until)
        yield self.people.take_returns(until)
        yield self.people.look_at_quality(until)
        yield self.people.look_after_channels(until)
        for kind, count in self.faults.storms.items():
            for _ in range(count):
                yield self.market.storm(kind, until)

    async def _late_supply(self, until: float) -> None:
        await asyncio.sleep(self.random.uniform(20, 100))
        if self.loop.time() < until:
            await self.people.receive("CAM", self.random.randint(1, 3), "WH-A1")
            await self.people.receive("SAW", 1, "WH")

    async def _keep_up(self, name: str) -> None:
        """Start a node, and another one each time that it dies."""
        for life in range(1, 1_000):
            node = Node(f"{name}.{life}", self.around)
            self.nodes = [*self.living(), node]
            node.start()
            await node.process.died.wait()
            await asyncio.sleep(self.faults.random.uniform(*DOWN_SECONDS))


def run(seed: int, plant: Plant | None = None) -> Outcome:
    """Run the schedule of a seed."""
    template()  # made once, before anything is determined
    began = time.perf_counter()
    loop = VirtualLoop()
    schedule: Schedule | None = None
    try:
        with determined(seed, loop.present), _listened_to() as errors:
            schedule = Schedule(seed, loop, plant)
            failure = _failure(loop, schedule)
            failure = failure or (f"logged: {errors[0]}" if errors else None)
    finally:
        _finish(loop)
    schedule.store.close()
    digest = hashlib.sha256("\n".join(schedule.trace).encode()).hexdigest()[:16]
    return Outcome(
        seed=seed,
        failure=failure,
        digest=digest,
        commits=schedule.monitor.commits,
        steps=len(schedule.trace),
        allocations=schedule.monitor.allocations,
        orders=sum(len(shop.orders) for shop in shops(schedule.around)),
        replayed=schedule.people.replayed,
        faults=schedule.faults.counts,
        seconds=time.perf_counter() - began,
        trace=tuple(schedule.trace),
    )


def _failure(loop: VirtualLoop, schedule: Schedule) -> str | None:
    broken: list[BaseException] = []
    schedule.monitor.broken = broken
    try:
        loop.run_until_complete(schedule.run())
    except Exception as error:
        broken.append(error)
    if not broken:
        return None
    first = broken[0]
    schedule.note("all", f"FAILED: {first}")
    return f"{type(first).__name__}: {first}"


def _finish(loop: VirtualLoop) -> None:
    asyncio.set_event_loop(None)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    for _ in range(20):
        if not asyncio.all_tasks(loop):
            break
        loop.call_soon(loop.stop)
        loop.run_forever()
    loop.close()


class _Errors(logging.Handler):
    """What the jobs log as errors is a bug, unless the channel itself changed its shape."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, Drifted):
            self.found.append(f"{record.getMessage()}: {error!r}")


@contextmanager
def _listened_to() -> Iterator[list[str]]:
    logger, handler = logging.getLogger("jobs"), _Errors()
    kept = (logger.level, logger.propagate)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield handler.found
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = kept


__all__ = ["Outcome", "Plant", "Schedule", "Violation", "run"]
