"""The embedded default: one file, one writer thread, readers that never wait for it."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from hub.storage.database.base import (
    GROUP_MAX,
    READ_SECONDS_MAX,
    Database,
    DatabaseClosed,
    Job,
    ReadTooLong,
    Result,
    Work,
)
from hub.storage.sql import SqliteTransaction

SQLITE_BUSY_MS = 30_000
SQLITE_CACHE_KIB = 65_536
LOOK_SECONDS = 0.05  # how soon the commits of other processes are noticed
PROGRESS_STEPS = 10_000  # SQLite instructions between two looks at the clock


class SqliteDatabase(Database):
    """The embedded default: one file, one writer thread, readers that never wait for it."""

    dialect = "sqlite"

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        super().__init__()
        self.url = f"sqlite:///{path}"
        self.path = path
        self._synchronous = synchronous
        self._queue: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._reader: sqlite3.Connection | None = None
        self._deadline = 0.0
        self._look_at = 0.0
        self._version = self._seen = 0
        self._closed = False
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._write_loop, args=(ready,), name="writer")
        self._thread.start()
        ready.result()

    def submit(self, work: Work[Result]) -> "Future[Result]":
        future: Future[Result] = Future()
        if self._closed:
            future.set_exception(DatabaseClosed(self.url))
        else:
            self._queue.put(Job(work, future))
        return future

    async def read(self, work: Work[Result]) -> Result:
        # On the loop's own thread: a look-up costs 8 us here, a hop to a thread 65 to 140 us.
        return self._timed(_snapshot, work)

    async def read_once(self, work: Work[Result]) -> Result:
        return self._timed(_bare, work)

    def mark(self, topic: str) -> int | None:
        # What this process commits is known at once; to see what others did takes a look.
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            found: int = self._own_reader().execute("PRAGMA data_version").fetchone()[0]
            self._seen += found != self._version
            self._version = found
        return (self.signals.count(topic) or 0) + self._seen

    def _own_reader(self) -> sqlite3.Connection:
        if self._reader is None:
            self._reader = self._connect(read_only=True)
            self._reader.set_progress_handler(self._too_late, PROGRESS_STEPS)
        return self._reader

    def _timed(
        self, how: Callable[[sqlite3.Connection, Work[Result]], Result], work: Work[Result]
    ) -> Result:
        self._deadline = time.monotonic() + READ_SECONDS_MAX
        try:
            return how(self._reader or self._own_reader(), work)
        except sqlite3.OperationalError as error:
            if str(error) == "interrupted":
                raise ReadTooLong(f"a read took more than {READ_SECONDS_MAX} s") from error
            raise

    def read_now(self, work: Work[Result]) -> Result:
        connection = self._connect(read_only=True)
        try:
            return _snapshot(connection, work)
        finally:
            connection.close()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        if self._reader is not None:
            self._reader.close()

    def _too_late(self) -> bool:
        return time.monotonic() > self._deadline

    def _connect(self, *, read_only: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        return connection

    def _write_loop(self, ready: "Future[None]") -> None:
        try:
            connection = self._connect(read_only=False)
        except BaseException as error:
            ready.set_exception(error)
            return
        ready.set_result(None)
        open_for_work = True
        while open_for_work:
            job = self._queue.get()
            if job is None:
                break
            group, open_for_work = self._drain(job)
            self._commit(connection, group)
        connection.close()

    def _drain(self, first: Job[Any]) -> tuple[list[Job[Any]], bool]:
        group = [first]
        while len(group) < GROUP_MAX:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, False
            group.append(job)
        return group, True

    def _commit(self, connection: sqlite3.Connection, group: list[Job[Any]]) -> None:
        outcomes: list[tuple[Job[Any], Any, BaseException | None]]
        woken: set[str] = set()
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_in_savepoint(connection, job, woken) for job in group]
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            outcomes = [(job, None, error) for job in group]
            woken = set()
        self.signals.send(woken)
        for job, result, failure in outcomes:
            job.resolve(result, failure)


def _in_savepoint(
    connection: sqlite3.Connection, job: Job[Any], woken: set[str]
) -> tuple[Job[Any], Any, BaseException | None]:
    transaction = SqliteTransaction(connection)
    connection.execute("SAVEPOINT work")
    try:
        result = job.work(transaction)
    except BaseException as error:
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
        return job, None, error
    connection.execute("RELEASE work")
    woken |= transaction.woken
    return job, result, None


def _bare(connection: sqlite3.Connection, work: Work[Result]) -> Result:
    return work(SqliteTransaction(connection))


def _snapshot(connection: sqlite3.Connection, work: Work[Result]) -> Result:
    connection.execute("BEGIN")
    try:
        return work(SqliteTransaction(connection))
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
