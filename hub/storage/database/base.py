"""What every database of the hub is: reads that never wait, writes that commit in groups."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hub.storage.sql import Transaction

Result = TypeVar("Result")
Work = Callable[[Transaction], Result]

GROUP_MAX = 256  # pieces of work in one commit
READ_SECONDS_MAX = 5.0


class DatabaseClosed(RuntimeError):
    """The database was closed while work was waiting; nothing of it was written."""


class DatabaseLost(RuntimeError):
    """The server went away in the middle of a commit: it may have been kept, or not.

    Next: give the same command again with the same key.
    """


class DatabaseAway(RuntimeError):
    """The server can not be reached, and was waited for; nothing of the work was written.

    Next: give the same command again, a little later.
    """


class ReadTooLong(RuntimeError):
    """A read went over its time limit and was stopped."""


class Signals:
    """Who waits for what: a commit that woke a topic sets the events of those who wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def count(self, topic: str) -> int | None:
        """Return how often a topic was woken since somebody first asked; None: not known now."""
        return self._counts.setdefault(topic, 0)

    @contextmanager
    def listen(self, *topics: str) -> Iterator[asyncio.Event]:
        """Give an event that is set after each commit that woke one of the topics."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            for topic in topics:
                self._waiting.setdefault(topic, set()).add(entry)
        try:
            yield entry[1]
        finally:
            with self._lock:
                for topic in topics:
                    self._waiting[topic].discard(entry)

    def send(self, topics: Iterable[str]) -> None:
        """Set the events of all who wait for one of the topics; any thread may call it."""
        topics = set(topics)
        with self._lock:
            for topic in topics:
                if topic in self._counts:
                    self._counts[topic] += 1
            entries = {entry for topic in topics for entry in self._waiting.get(topic, ())}
        for loop, event in entries:
            with suppress(RuntimeError):  # the loop is closing; nobody waits there any more
                loop.call_soon_threadsafe(event.set)


@dataclass(slots=True)
class Job(Generic[Result]):
    """A piece of work that waits for its turn, and the future of its result."""

    work: Work[Result]
    future: "Future[Result]"

    def resolve(self, result: Any, failure: BaseException | None) -> None:
        """Tell whoever waits what became of it."""
        if not self.future.set_running_or_notify_cancel():
            return  # nobody waits any more; what was written stays written
        if failure is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(failure)


class Database(ABC):
    """One ledger's database. Open with `open_database`, close with `close`."""

    url: str
    dialect: str

    def __init__(self, signals: Signals | None = None) -> None:
        self.signals = signals or Signals()

    async def write(self, work: Work[Result]) -> Result:
        """Run work that writes: all of it is kept, or nothing. It may be run more than once."""
        return await asyncio.wrap_future(self.submit(work))

    def write_now(self, work: Work[Result]) -> Result:
        """As `write`, for callers without an event loop."""
        return self.submit(work).result()

    @abstractmethod
    def submit(self, work: Work[Result]) -> "Future[Result]":
        """Queue work that writes and return its future."""

    @abstractmethod
    async def read(self, work: Work[Result]) -> Result:
        """Run a short, indexed read on one consistent picture."""

    async def read_once(self, work: Work[Result]) -> Result:
        """Run a short read of one statement, which is a consistent picture by itself."""
        return await self.read(work)

    def mark(self, topic: str) -> int | None:  # noqa: ARG002 - for those that know
        """Return a number that stays the same while no commit woke a topic; None: not known now.

        Another commit may change it, too.
        """
        return None

    async def report(self, work: Work[Result]) -> Result:
        """Run a long read in a thread of its own; it holds up nobody."""
        return await asyncio.get_running_loop().run_in_executor(None, self.read_now, work)

    @abstractmethod
    def read_now(self, work: Work[Result]) -> Result:
        """Read without an event loop, without a time limit."""

    @abstractmethod
    def close(self) -> None:
        """Finish what was accepted, then close every connection."""
