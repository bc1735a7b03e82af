"""The database: reads that never wait, and writes that commit in groups.

`Database.write(work)` hands a synchronous function of an open transaction to a writer. On SQLite
there is one writer; it drains what is waiting, runs each piece of work in its own savepoint and
commits once, so that one flush to the disk keeps many scans (`synchronous=FULL` by default: an
acknowledged scan is a kept scan). On PostgreSQL several writers run side by side and the server
groups the flushes; work that loses a race over locks is run again from its beginning.

A transaction that will write begins before it reads (`BEGIN IMMEDIATE`): with SQLite's default two
scanners could both read "available" and both promise.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from hub.errors import InvalidInput
from hub.sql import PostgresTransaction, Row, SqliteTransaction, Transaction

Result = TypeVar("Result")
Work = Callable[[Transaction], Result]

GROUP_MAX = 256  # pieces of work in one commit
SQLITE_BUSY_MS = 30_000
SQLITE_CACHE_KIB = 65_536
READ_SECONDS_MAX = 5.0
PROGRESS_STEPS = 10_000  # SQLite instructions between two looks at the clock
POSTGRES_WRITERS = 8
POSTGRES_READERS = 8
# Said once at the start of a reader's connection, not at the start of every read.
READER_OPTIONS = (
    "-c default_transaction_read_only=on "
    "-c default_transaction_isolation=repeatable\\ read "
    f"-c statement_timeout={int(READ_SECONDS_MAX * 1000)}"
)
ATTEMPTS_MAX = 10  # of work that lost a race over locks on PostgreSQL
RACES = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,
)
# Texts that PostgreSQL does not take: too long for their column, or with the character U+0000, of
# which psycopg complains before the server does.
UNFIT = (None, "22001", "22021")


class DatabaseClosed(RuntimeError):
    """The database was closed while work was waiting; nothing of it was written."""


class ReadTooLong(RuntimeError):
    """A read went over its time limit and was stopped."""


class Signals:
    """Who waits for what: a commit that woke a topic sets the events of those who wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._lock = threading.Lock()

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
        with self._lock:
            entries = {entry for topic in topics for entry in self._waiting.get(topic, ())}
        for loop, event in entries:
            with suppress(RuntimeError):  # the loop is closing; nobody waits there any more
                loop.call_soon_threadsafe(event.set)


@dataclass(slots=True)
class _Job(Generic[Result]):
    work: Work[Result]
    future: "Future[Result]"


class Database(ABC):
    """One ledger's database. Open with `open_database`, close with `close`."""

    url: str
    dialect: str

    def __init__(self) -> None:
        self.signals = Signals()

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

    async def report(self, work: Work[Result]) -> Result:
        """Run a long read in a thread of its own; it holds up nobody."""
        return await asyncio.get_running_loop().run_in_executor(None, self.read_now, work)

    @abstractmethod
    def read_now(self, work: Work[Result]) -> Result:
        """Read without an event loop, without a time limit."""

    @abstractmethod
    def close(self) -> None:
        """Finish what was accepted, then close every connection."""


class SqliteDatabase(Database):
    """The embedded default: one file, one writer thread, readers that never wait for it."""

    dialect = "sqlite"

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        super().__init__()
        self.url = f"sqlite:///{path}"
        self.path = path
        self._synchronous = synchronous
        self._queue: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._reader: sqlite3.Connection | None = None
        self._deadline = 0.0
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
            self._queue.put(_Job(work, future))
        return future

    async def read(self, work: Work[Result]) -> Result:
        # On the loop's own thread: a look-up costs 8 us here, a hop to a thread 65 to 140 us.
        if self._reader is None:
            self._reader = self._connect(read_only=True)
            self._reader.set_progress_handler(self._too_late, PROGRESS_STEPS)
        self._deadline = time.monotonic() + READ_SECONDS_MAX
        try:
            return _snapshot(self._reader, work)
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

    def _drain(self, first: _Job[Any]) -> tuple[list[_Job[Any]], bool]:
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

    def _commit(self, connection: sqlite3.Connection, group: list[_Job[Any]]) -> None:
        outcomes: list[tuple[_Job[Any], Any, BaseException | None]]
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
            _resolve(job.future, result, failure)


def _in_savepoint(
    connection: sqlite3.Connection, job: _Job[Any], woken: set[str]
) -> tuple[_Job[Any], Any, BaseException | None]:
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


def _resolve(future: "Future[Any]", result: Any, failure: BaseException | None) -> None:
    if not future.set_running_or_notify_cancel():
        return  # nobody waits any more; what was written stays written
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)


def _snapshot(connection: sqlite3.Connection, work: Work[Result]) -> Result:
    connection.execute("BEGIN")
    try:
        return work(SqliteTransaction(connection))
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


class PostgresDatabase(Database):
    """For several processes or machines: writers and readers are threads with a connection each."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self._local = threading.local()
        self._connections: list[psycopg.Connection[Row]] = []
        self._lock = threading.Lock()
        self._writers = ThreadPoolExecutor(POSTGRES_WRITERS, thread_name_prefix="writer")
        self._readers = ThreadPoolExecutor(POSTGRES_READERS, thread_name_prefix="reader")
        self._writers.submit(self._connection).result()

    def submit(self, work: Work[Result]) -> "Future[Result]":
        try:
            return self._writers.submit(self._write, work)
        except RuntimeError as error:
            raise DatabaseClosed(self.url) from error

    async def read(self, work: Work[Result]) -> Result:
        return await asyncio.wrap_future(self._readers.submit(self._read, work, READ_SECONDS_MAX))

    async def report(self, work: Work[Result]) -> Result:
        return await asyncio.wrap_future(self._readers.submit(self._read, work, 0))

    def read_now(self, work: Work[Result]) -> Result:
        return self._readers.submit(self._read, work, 0).result()

    def close(self) -> None:
        self._writers.shutdown()
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()

    def _connection(self, options: str | None = None) -> psycopg.Connection[Row]:
        connection: psycopg.Connection[Row] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = psycopg.connect(
                _with_options(self.url, options), autocommit=True, row_factory=dict_row
            )
            with self._lock:
                self._connections = [each for each in self._connections if not each.closed]
                self._connections.append(connection)
            self._local.connection = connection
        return connection

    def _write(self, work: Work[Result]) -> Result:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            connection = self._connection()
            transaction = PostgresTransaction(connection)
            try:
                with connection.transaction():
                    result = work(transaction)
            except RACES:
                if attempt == ATTEMPTS_MAX:
                    raise
                time.sleep(0.002 * attempt)
            except psycopg.DataError as error:
                raise _unfit(error) from error
            else:
                self.signals.send(transaction.woken)
                return result
        raise AssertionError("the loop returns or raises")

    def _read(self, work: Work[Result], seconds_max: float) -> Result:
        connection = self._connection(READER_OPTIONS)
        try:
            with connection.transaction():
                if not seconds_max:
                    connection.execute("SET LOCAL statement_timeout = 0")
                return work(PostgresTransaction(connection))
        except psycopg.errors.QueryCanceled as error:
            raise ReadTooLong(f"a read took more than {seconds_max} s") from error
        except psycopg.DataError as error:
            raise _unfit(error) from error


def _unfit(error: psycopg.DataError) -> Exception:
    """Turn a text that can not be stored into a refusal; anything else is our own mistake."""
    if error.sqlstate not in UNFIT:
        return error
    return InvalidInput("a text is too long, or holds a character that can not be stored")


def _with_options(url: str, options: str | None) -> str:
    """Add server options to those that the operator put into the URL."""
    if options is None:
        return url
    given = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(url, options=f"{given} {options}".strip())


def open_database(url: str) -> Database:
    """Open ``sqlite:///path`` or ``postgresql://…``; `hub.migrations` makes the tables."""
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")))
    if scheme in {"postgresql", "postgres"}:
        return PostgresDatabase(url)
    raise ValueError(f"not a database this hub can use: {scheme or url!r}")
