"""For several processes or machines: writers and readers are threads with connections of their own.

One writer serves as long as it keeps up: it drains what is waiting and commits once, which costs an
interpreter a fraction of what threads that take turns cost it. When something has waited, because
the writer is busy with a long command or waits for a lock, another one joins. In company a piece
of work waits only a moment for a lock, since the others would wait with it; then it is run again
alone, as is what lost a race.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from hub.errors import InvalidInput
from hub.storage.database.base import (
    GROUP_MAX,
    READ_SECONDS_MAX,
    Database,
    DatabaseAway,
    DatabaseClosed,
    DatabaseLost,
    Job,
    ReadTooLong,
    Result,
    Work,
)
from hub.storage.database.cluster_signals import ClusterSignals
from hub.storage.database.connecting import watchful
from hub.storage.database.retries import RACES, Patience
from hub.storage.sql import PostgresTransaction, Row

POSTGRES_WRITERS = 8  # each with a connection for company, and one to be alone
POSTGRES_READERS = 8
THREADS_MIN = 2  # of each, however many processes share
PATIENCE_SECONDS = 0.05  # something has waited: another writer joins
LOCK_MS_MAX = 10  # how long work in company waits for a lock
# Said once at the start of a connection, not at the start of every transaction.
COMPANY_OPTIONS = f"-c lock_timeout={LOCK_MS_MAX}"
READER_OPTIONS = (
    "-c default_transaction_read_only=on "
    "-c default_transaction_isolation=repeatable\\ read "
    f"-c statement_timeout={int(READ_SECONDS_MAX * 1000)}"
)
# Texts that PostgreSQL does not take: too long for their column, or with the character U+0000, of
# which psycopg complains before the server does.
UNFIT = (None, "22001", "22021")

Connection = psycopg.Connection[Row]
Done = list[tuple[Job[Any], Any, BaseException | None]]


class PostgresDatabase(Database):
    """A ledger on PostgreSQL."""

    dialect = "postgresql"
    signals: ClusterSignals

    def __init__(self, url: str, processes: int = 1) -> None:
        self._conninfo = watchful(url)
        super().__init__(ClusterSignals(self._conninfo))
        self.url = url
        self._patience = Patience()
        self._local = threading.local()
        self._connections: list[Connection] = []
        self._lock = threading.Lock()
        self._readers = ThreadPoolExecutor(
            max(THREADS_MIN, POSTGRES_READERS // processes), thread_name_prefix="reader"
        )
        self._writers = _Writers(self._commit, max(THREADS_MIN, POSTGRES_WRITERS // processes))
        try:
            self._readers.submit(self._connection, READER_OPTIONS).result()
        except BaseException:
            self.close()  # or the threads that wait for work keep the process from ending
            raise

    def submit(self, work: Work[Result]) -> "Future[Result]":
        future: Future[Result] = Future()
        if not self._writers.put(Job(work, future)):
            future.set_exception(DatabaseClosed(self.url))
        return future

    async def read(self, work: Work[Result]) -> Result:
        return await asyncio.wrap_future(self._readers.submit(self._read, work, READ_SECONDS_MAX))

    async def read_once(self, work: Work[Result]) -> Result:
        return await asyncio.wrap_future(self._readers.submit(self._read_bare, work))

    def mark(self, topic: str) -> int | None:
        return self.signals.count(topic)

    async def report(self, work: Work[Result]) -> Result:
        return await asyncio.wrap_future(self._readers.submit(self._read, work, 0))

    def read_now(self, work: Work[Result]) -> Result:
        return self._readers.submit(self._read, work, 0).result()

    def close(self) -> None:
        self._writers.close()
        self._readers.shutdown()
        self.signals.close()
        for connection in self._connections:
            connection.close()

    def _connection(self, options: str) -> Connection:
        """Return this thread's connection with these options; open it anew if it broke."""
        mine: dict[str, Connection] = self._local.__dict__
        connection = mine.get(options)
        if connection is None or connection.closed:
            connection = psycopg.connect(
                _with_options(self._conninfo, options), autocommit=True, row_factory=dict_row
            )
            with self._lock:
                self._connections = [each for each in self._connections if not each.closed]
                self._connections.append(connection)
            mine[options] = connection
        return connection

    def _commit(self, group: list[Job[Any]]) -> None:
        """Run a group in one transaction; what can not be run in company is run by itself."""
        done: Done = []
        alone, woken = group, set[str]()
        if len(group) > 1:
            try:
                done, alone, woken = _together(self._connection(COMPANY_OPTIONS), group)
            except DatabaseLost as lost:
                done, alone = [(job, None, lost) for job in group], []
            except psycopg.Error:
                pass  # the server went away before the commit: nothing was kept
        self.signals.send(woken)
        for job, result, failure in done:
            job.resolve(result, failure)
        away: DatabaseAway | None = None
        for job in alone:
            if away is None:
                away = self._serve(job)
            else:
                job.resolve(None, away)  # it has waited as long, and would again

    def _serve(self, job: Job[Any]) -> DatabaseAway | None:
        """Run a piece of work by itself; say so if the server stays away."""
        try:
            result, woken = self._patience.run(lambda: _by_itself(self._connection(""), job.work))
        except BaseException as error:
            job.resolve(None, error)
            return error if isinstance(error, DatabaseAway) else None
        self.signals.send(woken)
        job.resolve(result, None)
        return None

    def _read(self, work: Work[Result], seconds_max: float) -> Result:
        return self._patience.run(lambda: self._read_once(work, seconds_max))

    def _read_bare(self, work: Work[Result]) -> Result:
        return self._patience.run(lambda: self._read_statement(work))

    def _read_statement(self, work: Work[Result]) -> Result:
        try:
            return work(PostgresTransaction(self._connection(READER_OPTIONS)))
        except psycopg.errors.QueryCanceled as error:
            raise ReadTooLong(f"a read took more than {READ_SECONDS_MAX} s") from error
        except psycopg.DataError as error:
            raise _said(error) from error

    def _read_once(self, work: Work[Result], seconds_max: float) -> Result:
        connection = self._connection(READER_OPTIONS)
        first = [b"BEGIN"] if seconds_max else [b"BEGIN", b"SET LOCAL statement_timeout = 0"]
        try:
            return work(PostgresTransaction(connection, *first))
        except psycopg.errors.QueryCanceled as error:
            raise ReadTooLong(f"a read took more than {seconds_max} s") from error
        except psycopg.DataError as error:
            raise _said(error) from error
        finally:
            _roll_back(connection)


class _Writers:
    """Threads that drain one queue: the first alone, others only when something has waited."""

    def __init__(self, commit: Callable[[list[Job[Any]]], None], count: int) -> None:
        self._commit = commit
        self._queue: deque[tuple[float, Job[Any]]] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"writer-{number}") for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, job: Job[Any]) -> bool:
        """Queue a piece of work; False if nobody serves any more."""
        with self._changed:
            if self._closed:
                return False
            self._queue.append((time.monotonic(), job))
            if len(self._queue) == 1:  # whoever was woken for the first sees the others
                self._changed.notify()
        return True

    def close(self) -> None:
        """Serve what was accepted, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            with self._changed:
                if not self._my_turn():
                    return
                group = [self._queue.popleft()[1] for _ in range(min(len(self._queue), GROUP_MAX))]
                self._busy += 1
            try:
                self._commit(group)
            finally:
                with self._changed:
                    self._busy -= 1

    def _my_turn(self) -> bool:
        """Wait until there is work for one more writer; False at the end."""
        while True:
            if not self._queue:
                if self._closed:
                    return False
                self._changed.wait()
                continue
            waits = PATIENCE_SECONDS - (time.monotonic() - self._queue[0][0])
            if not self._busy or waits <= 0:
                return True
            self._changed.wait(waits)


def _together(
    connection: Connection, group: list[Job[Any]]
) -> tuple[Done, list[Job[Any]], set[str]]:
    """Run a group and commit it once: what is done, what is to be run alone, and what woke."""
    done: Done = []
    alone: list[Job[Any]] = []
    woken: set[str] = set()
    connection.execute("BEGIN; SAVEPOINT work")
    try:
        for job in group:
            transaction = PostgresTransaction(connection)
            try:
                result = job.work(transaction)
                transaction.flush(b"RELEASE work", b"SAVEPOINT work")
            except RACES:
                connection.execute("ROLLBACK TO work")
                alone.append(job)
            except psycopg.OperationalError:
                raise
            except BaseException as error:
                connection.execute("ROLLBACK TO work")
                done.append((job, None, _said(error)))
            else:
                done.append((job, result, None))
                woken |= transaction.woken
    except BaseException:
        _roll_back(connection)
        raise
    _keep(PostgresTransaction(connection))
    return done, alone, woken


def _by_itself(connection: Connection, work: Work[Result]) -> tuple[Result, set[str]]:
    """Run one piece of work and commit it; return its result and what it woke."""
    transaction = PostgresTransaction(connection, b"BEGIN")
    try:
        result = work(transaction)
        transaction.flush()
    except BaseException as error:
        _roll_back(connection)
        raise _said(error) from error
    _keep(transaction)
    return result, transaction.woken


def _keep(transaction: PostgresTransaction) -> None:
    try:
        transaction.flush(b"COMMIT")
    except psycopg.OperationalError as error:
        raise DatabaseLost("the server went away in the middle of a commit") from error


def _roll_back(connection: Connection) -> None:
    with suppress(psycopg.Error):
        connection.execute("ROLLBACK")


def _said(error: BaseException) -> BaseException:
    """Turn a text that can not be stored into a refusal; anything else stays what it is."""
    if isinstance(error, psycopg.DataError) and error.sqlstate in UNFIT:
        return InvalidInput("a text is too long, or holds a character that can not be stored")
    return error


def _with_options(url: str, options: str) -> str:
    """Add server options to those that the operator put into the URL."""
    if not options:
        return url
    given = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(url, options=f"{given} {options}".strip())
