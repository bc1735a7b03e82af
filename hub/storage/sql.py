"""One way to say SQL to two databases: named parameters, lists, row locks, bulk inserts.

Statements are written once, in the words that SQLite and PostgreSQL share, with three marks:

- ``:name`` is a bound parameter;
- ``IN (:names...)`` takes a list of any length as one parameter;
- ``FOR UPDATE`` (and ``SKIP LOCKED``) stands where PostgreSQL needs a row lock. SQLite has a
  single writer and is given the statement without it.
"""

import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any, ClassVar, TypeVar, cast, get_type_hints

import orjson
import psycopg
from psycopg.rows import tuple_row

# A row whose shape is not declared; read only. Declared shapes: `hub.storage.rows`.
Row = Mapping[str, Any]
Shape = TypeVar("Shape", bound=Mapping[str, Any])
_shapes_are_checked = False


def check_shapes() -> None:
    """From now on, compare the columns of typed reads with their declared shapes (for tests)."""
    global _shapes_are_checked  # one switch for the process, set by tests
    _shapes_are_checked = True


def _check_shape(shape: type[Any], row: Row) -> None:
    declared = get_type_hints(shape).keys()
    assert row.keys() == declared, (
        f"{shape.__qualname__}: selected {sorted(row.keys() - declared)}, "
        f"not selected {sorted(declared - row.keys())}"
    )


Parameters = Mapping[str, Any] | Sequence[Any] | None
STATEMENTS_MAX = 1_000
ROWS_FEW = 8  # which travel with others instead of on their own

_LIST = re.compile(r"IN \(:(\w+)\.\.\.\)")
_NAME = re.compile(r"(?<!:):(\w+)")
_LOCK = re.compile(r"\s+FOR UPDATE( OF \w+)?( SKIP LOCKED)?")


@lru_cache(STATEMENTS_MAX)
def for_sqlite(statement: str) -> str:
    """Translate a statement into SQLite's words."""
    return _LIST.sub(r"IN (SELECT value FROM json_each(:\1))", _LOCK.sub("", statement))


@lru_cache(STATEMENTS_MAX)
def for_postgresql(statement: str, single: tuple[str, ...] = ()) -> bytes:
    """Translate a statement into psycopg's words; `single` names lists that hold one value."""

    def listed(match: re.Match[str]) -> str:
        name = match[1]
        return f"= :{name}" if name in single else f"= ANY(:{name})"

    return _NAME.sub(r"%(\1)s", _LIST.sub(listed, statement.replace("%", "%%"))).encode()


class Transaction(ABC):
    """An open transaction: the first argument of everything that reads or writes the ledger.

    What `wake` names is told to those who wait for it once the transaction has committed.
    """

    dialect: ClassVar[str]

    def __init__(self) -> None:
        self.woken: set[str] = set()

    def wake(self, *topics: str) -> None:
        """Tell waiting workers, after the commit, that there is work for them."""
        self.woken.update(topics)

    @abstractmethod
    def rows(self, statement: str, **values: Any) -> list[Row]:
        """Return all rows of a statement."""

    @abstractmethod
    def tuples(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a statement as bare tuples, in the order of its columns."""

    @abstractmethod
    def run(self, statement: str, **values: Any) -> int:
        """Execute a statement and return how many rows it touched."""

    @abstractmethod
    def send(self, statement: str, **values: Any) -> None:
        """Execute a statement, at the latest with the next one: nobody waits for its outcome."""

    @abstractmethod
    def run_many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement for each set of values."""

    @abstractmethod
    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows as fast as the database can."""

    def rows_as(self, shape: type[Shape], statement: str, **values: Any) -> list[Shape]:
        """Return all rows of a statement, typed: mypy checks each column that is read of them.

        `shape` is a TypedDict that names exactly the columns that the statement selects. While
        `check_shapes` is in force, as in tests, another column raises AssertionError.
        """
        found = self.rows(statement, **values)
        if _shapes_are_checked and found:
            _check_shape(shape, found[0])
        return cast("list[Shape]", found)

    def row_as(self, shape: type[Shape], statement: str, **values: Any) -> Shape | None:
        """Return the first row, typed as by `rows_as`, or None."""
        found = self.rows_as(shape, statement, **values)
        return found[0] if found else None

    def row(self, statement: str, **values: Any) -> Row | None:
        """Return the first row, or None."""
        found = self.rows(statement, **values)
        return found[0] if found else None

    def value(self, statement: str, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        found = self.row(statement, **values)
        return next(iter(found.values())) if found else None


NO_UTF8 = "Could not decode to UTF-8"  # sqlite3, of a stored text
READS = ("SELECT", "WITH")


def _readable(stored: bytes) -> str:
    """Decode a stored text; what is no UTF-8 is shown as U+FFFD."""
    return stored.decode(errors="replace")


class SqliteTransaction(Transaction):
    """A transaction on the standard library's driver."""

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection

    def rows(self, statement: str, **values: Any) -> list[Row]:
        text, bound = for_sqlite(statement), _bind_sqlite(values)
        if text.lstrip().startswith(READS):
            try:
                return self._fetched(text, bound)
            except sqlite3.OperationalError as error:
                if NO_UTF8 not in str(error):
                    raise
        # A strict table takes bytes as a text all the same, if they are cast to one. What changes
        # rows and returns them cannot be executed again for their sake.
        self._connection.text_factory = _readable
        try:
            return self._fetched(text, bound)
        finally:
            self._connection.text_factory = str

    def _fetched(self, text: str, bound: Mapping[str, Any]) -> list[Row]:
        cursor = self._connection.execute(text, bound)
        if cursor.description is None:
            return []
        names = [column[0] for column in cursor.description]
        try:
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        finally:
            cursor.close()  # one that stopped half-way would keep its savepoint open

    def tuples(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(for_sqlite(statement), _bind_sqlite(values)).fetchall()

    def run(self, statement: str, **values: Any) -> int:
        return self._connection.execute(for_sqlite(statement), _bind_sqlite(values)).rowcount

    def send(self, statement: str, **values: Any) -> None:
        self.run(statement, **values)

    def run_many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        self._connection.executemany(for_sqlite(statement), [_bind_sqlite(each) for each in values])

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        marks = ",".join("?" * len(columns))
        # Table and columns are our own words, never input.
        statement = f"INSERT INTO {table}({','.join(columns)}) VALUES({marks})"
        self._connection.executemany(statement, rows)


class PostgresTransaction(Transaction):
    """A transaction on psycopg 3.

    What nobody waits for is queued, and travels with the next statement that somebody waits for:
    on the wire a statement costs a way there and back, in the interpreter a change of threads.
    """

    dialect = "postgresql"

    def __init__(self, connection: psycopg.Connection[Row], *first: bytes) -> None:
        super().__init__()
        self._connection = connection
        self._queued: list[tuple[bytes, Parameters]] = [(each, None) for each in first]

    def rows(self, statement: str, **values: Any) -> list[Row]:
        cursor = self._execute(*_bound(statement, values))
        # Asked of the result itself: `description` makes an object of each column, for each row.
        answered = cursor.pgresult is not None and cursor.pgresult.nfields > 0
        return cursor.fetchall() if answered else []

    def tuples(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor(row_factory=tuple_row)
        return self._execute(*_bound(statement, values), cursor=cursor).fetchall()

    def run(self, statement: str, **values: Any) -> int:
        return self._execute(*_bound(statement, values)).rowcount

    def send(self, statement: str, **values: Any) -> None:
        self._queued.append(_bound(statement, values))

    def run_many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        if len(values) <= ROWS_FEW:
            self._queued.extend(_bound(statement, each) for each in values)
            return
        self.flush()
        with self._connection.cursor() as cursor:
            cursor.executemany(for_postgresql(statement), values)

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        names, rows = ",".join(columns), iter(rows)
        few = list(islice(rows, ROWS_FEW + 1))
        if len(few) <= ROWS_FEW:
            # COPY is faster for many; for one row it takes three times as long.
            marks = ",".join(["%s"] * len(columns))
            statement = f"INSERT INTO {table}({names}) VALUES({marks})"
            self._queued.extend((statement.encode(), row) for row in few)
            return
        self.flush()
        command = f"COPY {table}({names}) FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(command.encode()) as copy:
            for row in chain(few, rows):
                copy.write_row(row)

    def flush(self, *last: bytes) -> None:
        """Execute what is queued, and the last words after it, in one go."""
        self._queued.extend((each, None) for each in last)
        if self._queued:
            self._execute(*self._queued.pop())

    def _execute(
        self, query: bytes, values: Parameters, cursor: "psycopg.Cursor[Any] | None" = None
    ) -> psycopg.Cursor[Any]:
        queued, self._queued = self._queued, []
        by = self._connection if cursor is None else cursor
        if not queued:
            return by.execute(query, values)
        with self._connection.pipeline():
            for before in queued:
                self._connection.execute(*before)
            return by.execute(query, values)


def _bound(statement: str, values: Mapping[str, Any]) -> tuple[bytes, Parameters]:
    """Translate a statement and its values.

    For a list the server plans anew each time, since it expects ten values; a list that holds one
    is bound as that one, and the plan is kept.
    """
    single = tuple([name for name, value in values.items() if _is_single(value)])
    if single:
        values = {**values, **{name: values[name][0] for name in single}}
    return for_postgresql(statement, single), values


def _is_single(value: Any) -> bool:
    return type(value) is list and len(value) == 1


def _bind_sqlite(values: Mapping[str, Any]) -> Mapping[str, Any]:
    for value in values.values():
        if isinstance(value, list):
            return {
                name: orjson.dumps(each).decode() if isinstance(each, list) else each
                for name, each in values.items()
            }
    return values
