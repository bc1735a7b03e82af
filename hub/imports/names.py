"""Unique names claimed by the rows of one file, stored on disk: a file may have millions."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType

import orjson

from hub.errors import InvalidBarcode
from hub.identifiers.device_numbers import normalized, space_of
from hub.identifiers.names import unit_of
from hub.identifiers.numbers import serial_key
from hub.inbound.serialization import product_code
from hub.ledger.arrivals import Arrival
from hub.storage.sql import Row


class Names:
    """The first accepted row of each name; a context manager.

    The names are in a temporary SQLite database, which is in memory while it is small and is
    removed at the end of the block.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute(
            "CREATE TABLE claimed(name TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID"
        )

    def __enter__(self) -> "Names":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def claimed(self, names: Iterable[str]) -> dict[str, int]:
        """Return which of the names were claimed before, and by which row."""
        return dict(
            self._database.execute(
                "SELECT name, number FROM claimed WHERE name IN (SELECT value FROM json_each(?))",
                (orjson.dumps(list(names)).decode(),),
            )
        )

    def claim(self, claims: Iterable[tuple[str, int]]) -> None:
        """Keep names with the numbers of their rows."""
        self._database.executemany("INSERT OR IGNORE INTO claimed VALUES(?, ?)", claims)


def names_of(arrival: Arrival, products: Mapping[str, Row]) -> Sequence[str]:
    """Return the unique names of an arrival: its serial within its product, other identifiers.

    Empty for a row that is refused anyway.
    """
    try:
        product = products.get(product_code(arrival.serial, arrival.product) or "")
        if product is None:
            return ()
        code = unit_of(arrival.serial)
        serial = serial_key(code.serial if code else arrival.serial, product["serial_case"])
        further = [
            f"{space_of(scheme)}:{normalized(scheme, value)}"
            for scheme, value in (*arrival.identifiers, *(code.identifiers if code else ()))
        ]
    except InvalidBarcode:
        return ()
    return (f"{product['id']}:{serial}", *further)
