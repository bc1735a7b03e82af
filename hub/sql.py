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
from typing import Any, ClassVar

import orjson
import psycopg

Row = dict[str, Any]
STATEMENTS_MAX = 1_000

_LIST = re.compile(r"IN \(:(\w+)\.\.\.\)")
_NAME = re.compile(r"(?<!:):(\w+)")
_LOCK = re.compile(r"\s+FOR UPDATE( OF \w+)?( SKIP LOCKED)?")


@lru_cache(STATEMENTS_MAX)
def for_sqlite(statement: str) -> str:
    """Translate a statement into SQLite's words."""
    return _LIST.sub(r"IN (SELECT value FROM json_each(:\1))", _LOCK.sub("", statement))


@lru_cache(STATEMENTS_MAX)
def for_postgresql(statement: str) -> str:
    """Translate a statement into psycopg's words."""
    return _NAME.sub(r"%(\1)s", _LIST.sub(r"= ANY(:\1)", statement.replace("%", "%%")))


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
    def run(self, statement: str, **values: Any) -> int:
        """Execute a statement and return how many rows it touched."""

    @abstractmethod
    def run_many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement for each set of values."""

    @abstractmethod
    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows as fast as the database can."""

    def row(self, statement: str, **values: Any) -> Row | None:
        """Return the first row, or None."""
        found = self.rows(statement, **values)
        return found[0] if found else None

    def value(self, statement: str, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        found = self.row(statement, **values)
        return next(iter(found.values())) if found else None


class SqliteTransaction(Transaction):
    """A transaction on the standard library's driver."""

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection

    def rows(self, statement: str, **values: Any) -> list[Row]:
        cursor = self._connection.execute(for_sqlite(statement), _bind_sqlite(values))
        if cursor.description is None:
            return []
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def run(self, statement: str, **values: Any) -> int:
        return self._connection.execute(for_sqlite(statement), _bind_sqlite(values)).rowcount

    def run_many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        self._connection.executemany(for_sqlite(statement), [_bind_sqlite(each) for each in values])

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        marks = ",".join("?" * len(columns))
        # Table and columns are our own words, never input.
        statement = f"INSERT INTO {table}({','.join(columns)}) VALUES({marks})"
        self._connection.executemany(statement, rows)


class PostgresTransaction(Transaction):
    """A transaction on psycopg 3."""

    dialect = "postgresql"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        super().__init__()
        self._connection = connection

    def rows(self, statement: str, **values: Any) -> list[Row]:
        cursor = self._connection.execute(_query(statement), values)
        return cursor.fetchall() if cursor.description else []

    def run(self, statement: str, **values: Any) -> int:
        return self._connection.execute(_query(statement), values).rowcount

    def run_many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_query(statement), values)

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        command = f"COPY {table}({','.join(columns)}) FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(command.encode()) as copy:
            for row in rows:
                copy.write_row(row)


def _query(statement: str) -> bytes:
    return for_postgresql(statement).encode()


def _bind_sqlite(values: Mapping[str, Any]) -> Mapping[str, Any]:
    for value in values.values():
        if isinstance(value, list):
            return {
                name: orjson.dumps(each).decode() if isinstance(each, list) else each
                for name, each in values.items()
            }
    return values
