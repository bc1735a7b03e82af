"""Declared shapes of rows: they are those of the tables, and a wrong one is found."""

from typing import TypedDict, get_type_hints

import pytest
from sqlalchemy import Column, Table

from hub.storage import rows
from hub.storage.model import metadata
from hub.storage.sql import Transaction
from world import World

PYTHON = {
    "BigInteger": int,
    "Integer": int,
    "Boolean": bool,
    "Float": float,
    "LargeBinary": bytes,
}


def shape_of(column: "Column[object]") -> object:
    kind = PYTHON.get(type(column.type).__name__, str)
    return kind | None if column.nullable else kind


def declared() -> dict[str, type]:
    """Return the shapes by the tables that their docstrings name."""
    shapes = [getattr(rows, name) for name in rows.__all__]
    return {shape.__doc__.split("`")[1]: shape for shape in shapes}


def test_every_table_has_its_shape() -> None:
    assert declared().keys() == metadata.tables.keys()


@pytest.mark.parametrize("table", metadata.tables.values(), ids=str)
def test_the_shape_of_a_table_is_its_columns(table: Table) -> None:
    expected = {column.name: shape_of(column) for column in table.columns}
    assert get_type_hints(declared()[table.name]) == expected


class Misspelled(TypedDict):
    """A shape with a column that is not selected."""

    codes: str


def test_a_shape_that_is_not_what_is_selected_is_found(world: World) -> None:
    def read(tx: Transaction) -> object:
        return tx.rows_as(Misspelled, "SELECT code FROM location")

    with pytest.raises(AssertionError, match=r"selected \['code'\], not selected \['codes'\]"):
        world.read(read)
