"""Ten thousand units in one mutation, and a hundred thousand in ten, against the plain driver."""

import itertools
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from hub.inbound.receiving import UNIT_COLUMNS
from hub.ledger.event_writer import EVENT_COLUMNS
from tests.benchmarks.harness import (
    BINS,
    Client,
    Ground,
    Measurement,
    cpu_seconds,
    fresh_ground,
    hub_server,
    make_keys,
    opened,
    register,
    run,
    say,
)

UNITS = 10_000
ROUNDS = 3
WARM_UP = 500
TABLES = {"unit": UNIT_COLUMNS, "event": EVENT_COLUMNS}
RECEIVE = """mutation($key: String!, $units: [ArrivalInput!]!, $place: String!) {
  receiveUnits(idempotencyKey: $key, units: $units, location: $place, putAway: true) {
    __typename ... on CommandResult { accepted refused } ... on Problem { code message } } }"""


def receive_bulk(backend: str) -> Measurement:
    """Measure a bulk receipt over HTTP; the ratio says how many times the driver's own work."""
    return _measure("receive_bulk", backend, ROUNDS, statistics.median)


def receive_100k(backend: str) -> Measurement:
    """Measure a hundred thousand units in ten receipts, one after the other."""
    return _measure("receive_100k", backend, 10, sum)


def _measure(
    name: str, backend: str, rounds: int, together: Callable[[Sequence[float]], float]
) -> Measurement:
    with fresh_ground(backend) as ground:
        with opened(ground) as database:
            skus = database.write_now(register)
            secret = make_keys(database, 1)[0]
        with hub_server(ground) as server:
            taken = run(lambda: _rounds(server.port, server.pid, secret, skus, rounds))
        seconds, yardstick = together(taken), together(bare(ground, rounds))
    return Measurement(name, seconds, "s", yardstick, seconds / yardstick)


async def _rounds(
    port: int, pid: int, secret: str, skus: Sequence[str], rounds: int
) -> list[float]:
    client = await Client.connect(port, secret)
    numbers = itertools.count()
    taken = []
    for number in range(rounds + 1):
        amount = UNITS if number else WARM_UP
        units = [{"serial": f"R{next(numbers):08}", "product": skus[0]} for _ in range(amount)]
        spent, started = cpu_seconds(pid), time.perf_counter()
        data = await client.ask(RECEIVE, key=f"round-{number}", units=units, place=BINS[0])
        elapsed, spent = time.perf_counter() - started, cpu_seconds(pid) - spent
        assert data["receiveUnits"] == {
            "__typename": "CommandResult",
            "accepted": amount,
            "refused": 0,
        }
        if number:
            taken.append(elapsed)
            say(f"{amount} units in {elapsed:.3f} s, {spent:.3f} s of the server's processor")
    client.close()
    return taken


def bare(ground: Ground, rounds: int) -> list[float]:
    """Write the rows of one command into tables of the same columns, without anything else."""
    written = _bare_sqlite if ground.backend == "sqlite" else _bare_postgresql
    return written(ground, rounds)


def _chosen(table: str) -> str:
    last = "SELECT id FROM unit ORDER BY id DESC"
    whose = "id" if table == "unit" else "unit_id"
    columns = ",".join(TABLES[table])
    return f"SELECT {columns} FROM {table} WHERE {whose} IN ({last} LIMIT {UNITS})"


def _bare_sqlite(ground: Ground, rounds: int) -> list[float]:
    connection = sqlite3.connect(ground.folder / "hub.db", isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    rows: dict[str, list[Any]] = {}
    for table in TABLES:
        rows[table] = connection.execute(_chosen(table)).fetchall()
        connection.execute(f"CREATE TABLE bare_{table} AS {_chosen(table)} LIMIT 0")
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for table, columns in TABLES.items():
            marks = ",".join("?" * len(columns))
            connection.executemany(f"INSERT INTO bare_{table} VALUES({marks})", rows[table])
        connection.execute("COMMIT")
        taken.append(time.perf_counter() - started)
    connection.close()
    return taken


def _bare_postgresql(ground: Ground, rounds: int) -> list[float]:
    taken = []
    with psycopg.connect(ground.url, autocommit=True) as connection:
        rows: dict[str, list[Any]] = {}
        for table in TABLES:
            rows[table] = connection.execute(_chosen(table).encode()).fetchall()
            connection.execute(f"CREATE TABLE bare_{table} AS {_chosen(table)} LIMIT 0".encode())
        for _ in range(rounds):
            started = time.perf_counter()
            with connection.transaction(), connection.cursor() as cursor:
                for table in TABLES:
                    with cursor.copy(f"COPY bare_{table} FROM STDIN".encode()) as copy:
                        for row in rows[table]:
                            copy.write_row(row)
            taken.append(time.perf_counter() - started)
    return taken
