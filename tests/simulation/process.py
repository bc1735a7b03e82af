"""A process of the hub in the simulation: its tasks, its database, and how it dies.

Every await of the database or the wire is a point at which it may crash or stall. A crash takes
all its tasks and everything in memory; what was committed stays.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from hub.storage.database import Database
from hub.storage.sql import SqliteTransaction, Transaction
from tests.simulation.clock import PROCESS
from tests.simulation.faults import Faults

Result = TypeVar("Result")
Work = Callable[[Transaction], Result]
STALL_SECONDS = (20.0, 150.0)  # a lease lasts 60


class Process:
    """One process: alive until it crashes; a new one takes its place."""

    def __init__(self, name: str, faults: Faults, note: Callable[[str, str], None]) -> None:
        self.name = name
        self.faults = faults
        self.alive = True
        self.died = asyncio.Event()
        self._note = note
        self._stalled_until = 0.0
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def own(self, task: "asyncio.Task[Any]") -> None:
        """Note a task that dies with this process."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def start(self, work: Any) -> "asyncio.Task[Any]":
        """Start a task in this process."""
        token = PROCESS.set(self)
        try:
            return asyncio.get_running_loop().create_task(work)
        finally:
            PROCESS.reset(token)

    async def run(self, work: Any) -> Any:
        """Do something in this process for somebody outside; ConnectionError if it dies."""
        task = self.start(work)
        await asyncio.wait([task])
        if task.cancelled():
            raise ConnectionError(f"{self.name} died")
        return task.result()

    async def pause(self, seconds: float = 0.0) -> None:
        """Wait as code of this process does: it may stall meanwhile, or die."""
        loop = asyncio.get_running_loop()
        if self.faults.hits("stall"):
            self._stalled_until = loop.time() + self.faults.random.uniform(*STALL_SECONDS)
            self._note(self.name, f"stalls until {self._stalled_until:.1f}")
        wait = max(seconds, self._stalled_until - loop.time())
        await asyncio.sleep(wait + self.faults.random.expovariate(200))
        self.survive()

    def survive(self) -> None:
        """Go on, or die here."""
        if self.alive and self.faults.hits("crash"):
            self.crash()
        if not self.alive:
            raise asyncio.CancelledError(f"{self.name} is dead")

    def crash(self) -> None:
        """Die: every task ends where it waits, nothing more reaches the database or the wire."""
        self._note(self.name, "CRASH")
        self.alive = False
        self.died.set()
        for task in list(self._tasks):
            task.cancel()


class Store:
    """The database file that all processes share; it outlives them."""

    def __init__(self, template: bytes, after_commit: Callable[[Transaction], None]) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.deserialize(template)
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._after_commit = after_commit
        self.commits = 0

    def commit(self, work: Work[Result], rehearsals: int = 0) -> tuple[Result, set[str]]:
        """Run work and keep it all or not at all; a rehearsal is run and thrown away before."""
        for _ in range(rehearsals):
            self._rehearse(work)
        transaction = SqliteTransaction(self._connection)
        before = self._connection.total_changes
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(transaction)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        if self._connection.total_changes != before:
            self.commits += 1
            self._after_commit(transaction)
        return result, transaction.woken

    def _rehearse(self, work: Work[Any]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            work(SqliteTransaction(self._connection))
        except Exception:  # it will fail again, where it counts
            return
        finally:
            self._connection.execute("ROLLBACK")

    def read(self, work: Work[Result]) -> Result:
        """Read one consistent picture."""
        return work(SqliteTransaction(self._connection))

    def execute(self, statement: str) -> None:
        """Change the file behind everybody's back: for planted bugs."""
        self._connection.execute(statement)

    def close(self) -> None:
        """Throw the file away."""
        self._connection.close()


class Signals:
    """Who waits for what, told in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[tuple[tuple[str, ...], asyncio.Event]] = []

    @contextmanager
    def listen(self, *topics: str) -> Iterator[asyncio.Event]:
        """Give an event that is set after each commit that woke one of the topics."""
        entry = (topics, asyncio.Event())
        self._waiting.append(entry)
        try:
            yield entry[1]
        finally:
            self._waiting.remove(entry)

    def send(self, woken: Iterable[str]) -> None:
        """Set the events of all who wait for one of the topics."""
        topics = set(woken)
        for waiting, event in self._waiting:
            if topics.intersection(waiting):
                event.set()


class SimulatedDatabase(Database):
    """The same statements on the same file, one transaction after the other, in virtual time."""

    dialect = "sqlite"
    url = "sqlite:///simulated"

    def __init__(self, store: Store, process: Process) -> None:
        self.signals = Signals()  # type: ignore[assignment]
        self._store = store
        self._process = process

    async def write(self, work: Work[Result]) -> Result:
        await self._process.pause()
        again = self._process.faults.hits("again")
        result, woken = self._store.commit(work, rehearsals=again)
        self.signals.send(woken)
        await self._process.pause()  # kept, and perhaps nobody learns of it
        return result

    async def read(self, work: Work[Result]) -> Result:
        self._process.survive()
        return self._store.read(work)

    async def report(self, work: Work[Result]) -> Result:
        await self._process.pause()
        return self._store.read(work)

    def submit(self, work: Work[Result]) -> Any:
        raise NotImplementedError("there are no threads here")

    def read_now(self, work: Work[Result]) -> Result:
        return self._store.read(work)

    def close(self) -> None:
        """Nothing to do: the file outlives its processes."""
