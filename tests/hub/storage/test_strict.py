"""No column of SQLite holds a value of another type, and a text that is none is still read."""

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hub.storage.database import Database
from hub.storage.model import metadata
from hub.storage.sql import Transaction
from poisoning.values import BROKEN_TEXT, Column, columns

WRONG = {"number": b"\x00", "text": b"\xff", "json": b"{}", "bytes": "a", "float": "b", "flag": "c"}


@pytest.fixture
def file(_sqlite_template: Path) -> Iterator[sqlite3.Connection]:
    with sqlite3.connect(f"file:{_sqlite_template}?mode=ro", uri=True) as connection:
        memory = sqlite3.connect(":memory:")
        connection.backup(memory)
    yield memory
    memory.close()


def test_every_table_is_strict(file: sqlite3.Connection) -> None:
    strict = {row[1] for row in file.execute("PRAGMA table_list") if row[5]}
    assert set(metadata.tables) - strict == set()


def test_no_column_takes_a_value_of_another_type(file: sqlite3.Connection) -> None:
    taken = [each for each in columns() if not _refuses(file, each, WRONG[each.kind])]
    assert taken == []


def _refuses(file: sqlite3.Connection, column: Column, value: object) -> bool:
    """Return whether a strict table with a column of this declared type refuses a value."""
    described = file.execute(f'PRAGMA table_info("{column.table}")')
    (declared,) = (row[2] for row in described if row[1] == column.name)
    file.execute("DROP TABLE IF EXISTS probe")
    file.execute(f"CREATE TABLE probe(value {declared}) STRICT")
    try:
        file.execute("INSERT INTO probe VALUES(?)", (value,))
    except sqlite3.IntegrityError as error:
        return "cannot store" in str(error)
    return False


def _run(statement: str, tx: Transaction, **values: object) -> None:
    tx.run(statement, **values)


def _names(tx: Transaction) -> list[str]:
    return [str(row["name"]) for row in tx.rows("SELECT name FROM manufacturer ORDER BY code")]


def test_bytes_that_are_cast_to_a_text_hide_no_other_row(database: Database) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL keeps only texts of its encoding")
    insert = (
        "INSERT INTO manufacturer(id, code, name, created_at) "
        "VALUES(:code, :code, CAST(:name AS TEXT), 0)"
    )
    for code, name in (("A", b"Acme"), ("B", BROKEN_TEXT), ("C", "Größe".encode())):
        database.write_now(partial(_run, insert, code=code, name=name))
    read = database.read_now(_names)
    assert read[0] == "Acme"
    assert "\ufffd" in read[1]
    assert read[2] == "Größe"
    assert database.read_now(_names) == read
