"""A ledger of many units, built once and kept: written past the commands, as they would have.

Every unit has its origin, sealed as the ledger seals it, and its putting away is left out. Rows go
in with their unique keys in order; further indexes are made when all rows are there.
"""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.schema import CreateIndex, CreateTable

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.identifiers.numbers import skeleton
from hub.inbound.receiving import UNIT_COLUMNS
from hub.ledger.event_writer import EVENT_COLUMNS, EventWriter
from hub.ledger.hash_chain import GENESIS
from hub.storage.database import open_database
from hub.storage.migrations import migrate
from hub.storage.model import metadata
from hub.storage.sql import Row
from tests.benchmarks.harness import Ground, postgresql, register, say

KEPT = Path(
    os.environ.get("SERIAL_HUB_BENCHMARK_DATA", Path.home() / ".cache/serial-hub/benchmarks")
)
PRODUCTS = 200
CHUNK = 20_000
BORN_AT = datetime(2026, 1, 5, tzinfo=UTC)


def serial(number: int) -> str:
    """Return the serial of a unit by its number."""
    return f"U{number:09}"


@contextmanager
def large_ledger(backend: str, size: int) -> Iterator[Ground]:
    """Give a ledger of so many units; the first time it is built, later it is found."""
    folder = KEPT / f"{backend}-{size}"
    whole, tables = folder / "whole", _tables()
    is_kept = whole.exists() and whole.read_text() == tables
    if not is_kept:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    with _at(backend, folder) as ground:
        if not is_kept:
            _build(ground, size)
            whole.write_text(tables)
        yield ground


def _tables() -> str:
    """Return a digest of the tables' definitions: a ledger of other tables is built anew."""
    made = [str(CreateTable(table)) for table in metadata.sorted_tables]
    made += sorted(
        str(CreateIndex(each)) for table in metadata.tables.values() for each in table.indexes
    )
    return hashlib.sha256("".join(made).encode()).hexdigest()


@contextmanager
def _at(backend: str, folder: Path) -> Iterator[Ground]:
    if backend == "sqlite":
        yield Ground(backend, f"sqlite:///{folder / 'hub.db'}", folder)
        return
    with postgresql(folder / "postgres") as url:
        yield Ground(backend, url, folder)


def _build(ground: Ground, size: int) -> None:
    say(f"building a ledger of {size:,} units at {ground.folder}")
    migrate(ground.url)
    database = open_database(ground.url)
    skus = database.write_now(lambda tx: register(tx, PRODUCTS))
    products = database.read_now(lambda tx: tx.rows("SELECT * FROM product ORDER BY sku"))
    places = database.read_now(lambda tx: tx.rows("SELECT * FROM location WHERE code = 'WH-A1'"))
    database.close()
    assert len(products) == len(skus)
    write = _write_sqlite if ground.backend == "sqlite" else _write_postgresql
    write(ground, _chunks(products, places[0], size))


Chunk = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


def _chunks(products: list[Row], place: Row, size: int) -> Iterator[Chunk]:
    """Yield rows for units and events."""
    for start in range(0, size, CHUNK):
        writer = EventWriter(CommandContext(actor="benchmark", now=BORN_AT), new_id())
        numbers = range(start, min(start + CHUNK, size))
        yield (
            [_unit(writer, products[n % PRODUCTS], place, serial(n)) for n in numbers],
            writer.rows,
        )
        if start % 1_000_000 == 0:
            say(f"{start:,} units")


def _unit(writer: EventWriter, product: Row, place: Row, name: str) -> tuple[Any, ...]:
    unit_id, now = new_id(), micros(BORN_AT)
    state = {"status": "in_stock", "disposition": "sellable_not_accessible"}
    sealed = writer.append(
        unit_id=unit_id,
        version=1,
        action="receive",
        biz_step="receiving",
        status_from=None,
        disposition_from=None,
        location_from=None,
        location_to=place["id"],
        details={
            "serial": name,
            "product": product["id"],
            "manufacturer": product["manufacturer_id"],
        },
        previous_hash=GENESIS,
        **state,
    )
    columns = dict.fromkeys(UNIT_COLUMNS) | state
    columns |= {
        "id": unit_id,
        "product_id": product["id"],
        "manufacturer_id": product["manufacturer_id"],
        "serial": name,
        "serial_canonical": name,
        "version": 1,
        "location_id": place["id"],
        "blocks": 0,
        "skeleton": skeleton(name),
        "received_at": now,
        "changed_at": now,
        "hash": sealed,
    }
    columns |= {name: value for name, value in DEFAULTS.items() if name in columns}
    return tuple(columns.values())


# What a receipt states of a unit where nothing else is said.
DEFAULTS = {"condition": "new", "origin": "receiving"}


def _write_sqlite(ground: Ground, chunks: Iterator[Chunk]) -> None:
    connection = sqlite3.connect(ground.folder / "hub.db", isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
        "AND tbl_name IN ('unit', 'event')"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    for units, events in chunks:
        connection.execute("BEGIN")
        for table, columns, rows in (
            ("unit", UNIT_COLUMNS, units),
            ("event", EVENT_COLUMNS, events),
        ):
            marks = ",".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {table}({','.join(columns)}) VALUES({marks})", rows
            )
        connection.execute("COMMIT")
    for name, statement in indexes:
        say(f"making the index {name}")
        connection.execute(statement)
    connection.execute("ANALYZE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _write_postgresql(ground: Ground, chunks: Iterator[Chunk]) -> None:
    with psycopg.connect(ground.url, autocommit=True) as connection:
        # References and triggers are not looked at: the rows are ours, and right.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '1GB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('unit', 'event') "
            "AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        for units, events in chunks:
            for table, columns, rows in (
                ("unit", UNIT_COLUMNS, units),
                ("event", EVENT_COLUMNS, events),
            ):
                with connection.cursor().copy(
                    f"COPY {table}({','.join(columns)}) FROM STDIN".encode()
                ) as copy:
                    for row in rows:
                        copy.write_row(row)
        for name, statement in indexes:
            say(f"making the index {name}")
            connection.execute(statement.encode())
        connection.execute("VACUUM ANALYZE")
