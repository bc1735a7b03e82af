"""The database: reads that never wait, and writes that commit in groups.

`Database.write(work)` hands a synchronous function of an open transaction to a writer. A writer
drains what is waiting, runs each piece of work in its own savepoint and commits once, so that one
flush to the disk keeps many scans: an acknowledged scan is a kept scan. SQLite has one writer.
PostgreSQL has one for as long as it keeps up; others join when something has waited.

A transaction that will write begins before it reads (`BEGIN IMMEDIATE`): with SQLite's default two
scanners could both read "available" and both promise.
"""

from pathlib import Path
from urllib.parse import urlsplit

from hub.storage.database.base import (
    GROUP_MAX,
    Database,
    DatabaseAway,
    DatabaseClosed,
    DatabaseLost,
    ReadTooLong,
    Signals,
    Work,
)
from hub.storage.database.connecting import await_server
from hub.storage.database.postgres import PostgresDatabase
from hub.storage.database.sqlite import SqliteDatabase

__all__ = [
    "GROUP_MAX",
    "TROUBLES",
    "Database",
    "DatabaseAway",
    "DatabaseClosed",
    "DatabaseLost",
    "PostgresDatabase",
    "ReadTooLong",
    "Signals",
    "SqliteDatabase",
    "Work",
    "await_database",
    "open_database",
]

TROUBLES = (DatabaseAway, DatabaseClosed, DatabaseLost)
"""What is nobody's fault and passes: the same command with the same key is given again."""


def await_database(url: str, seconds_max: float) -> None:
    """Wait until a server answers; raise DatabaseAway when it did not in time."""
    if not url.startswith("sqlite:"):
        await_server(url, seconds_max)


def open_database(url: str, *, processes: int = 1) -> Database:
    """Open ``sqlite:///path`` or ``postgresql://…``; `hub.storage.migrations` makes the tables.

    `processes` that open it for the same hub share out the connections that one would have.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")))
    if scheme in {"postgresql", "postgres"}:
        return PostgresDatabase(url, processes)
    raise ValueError(f"not a database this hub can use: {scheme or url!r}")
