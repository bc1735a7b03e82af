"""A node of the hub: one process with the loops and jobs that it runs in production."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from hub.storage.sql import Row
from hub.sync import inbox
from jobs import intake, poll, relay, schedule
from jobs.maintenance import sweep
from jobs.reconciliation import run as reconcile
from jobs.runtime import Runtime
from jobs.schedule import Job
from tests.simulation.channel import Maker, Shop
from tests.simulation.clock import VirtualLoop
from tests.simulation.connector import SimulatedConnections
from tests.simulation.faults import Faults
from tests.simulation.process import Process, SimulatedDatabase, Store

Note = Callable[[str, str], None]

TIMETABLE = (
    Job("poll", timedelta(seconds=25), poll.poll_all),
    Job("sweep", timedelta(seconds=30), sweep.sweep),
    Job(
        "reconcile",
        timedelta(seconds=110),
        partial(reconcile.reconcile_due, timedelta(seconds=100)),
    ),
)


@dataclass(frozen=True)
class Surroundings:
    """What all nodes share, and what outlives them."""

    loop: VirtualLoop
    store: Store
    far: Mapping[str, Shop | Maker]
    faults: Faults
    note: Note


class Node:
    """One process, from its start to its crash."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self.process = Process(name, around.faults, around.note)
        self.around = around
        self.database = SimulatedDatabase(around.store, self.process)
        connections = SimulatedConnections(self.process, around.far, around.note)
        self.runtime = Runtime(self.database, connections, clock=around.loop.present, holder=name)

    def start(self) -> None:
        """Start the loops and the clock of the jobs."""
        self.process.start(relay.run(self.runtime))
        self.process.start(intake.run(self.runtime))
        for job in TIMETABLE:
            self.process.start(self._keep_time(job))

    async def _keep_time(self, job: Job) -> None:
        every = job.every.total_seconds()
        await asyncio.sleep(self.around.faults.random.uniform(0, every))
        while True:
            outcome = await schedule.fire(self.runtime, job)
            if outcome is not None:
                self.around.note(self.process.name, f"{job.name}: {outcome}")
            await asyncio.sleep(every)

    async def receive(self, code: str, delivery: str, headers: dict[str, str], body: bytes) -> bool:
        """Take a webhook in as the API does; say whether it was new."""
        channel: Row = await self.database.read(
            lambda tx: tx.rows("SELECT * FROM channel WHERE code = :code", code=code)[0]
        )
        connector = self.runtime.connections.of(channel)
        now = self.runtime.clock()
        proven = connector.verify(headers | {"id": delivery}, body, now)  # type: ignore[attr-defined]
        message = inbox.Message(channel["id"], proven.id, "webhook", proven.topic, body)
        return bool(await self.database.write(lambda tx: inbox.accept(tx, [message], now)))

    async def inside(self, work: Callable[["Node"], Awaitable[object]]) -> object:
        """Do something in this process for somebody outside; ConnectionError if it dies."""
        return await self.process.run(work(self))
