"""How serials of a product are compared: by their folded form, or by every character of them.

GS1 AI 21 is case-sensitive, and clerks type serials as they like. So the product decides: FOLDED,
the default, takes ``A1-23`` and ``a123`` for one unit; EXACT takes them for two. The switch changes
no unit: no record is merged or split by it.
"""

from enum import StrEnum
from typing import TypedDict

from hub.errors import InvalidInput
from hub.identifiers.numbers import EXACT
from hub.storage.sql import Transaction

NAMED_MAX = 5  # serials that a refusal names


class SerialCase(StrEnum):
    """Whether case, blanks and dashes distinguish two serials of a product."""

    FOLDED = "folded"
    EXACT = EXACT


class _Serial(TypedDict):
    serial: str


def switch(tx: Transaction, product_id: str, was: str, wanted: SerialCase) -> None:
    """Decide how serials of a product are compared from now on; nothing if it is so already.

    Raises InvalidInput for FOLDED where units differ by case, blanks or dashes only: it names them,
    and they stay two until one of them is corrected.
    """
    if was == wanted:
        return
    if wanted is SerialCase.FOLDED:
        _check_distinct(tx, product_id)
    tx.run(
        "UPDATE product SET serial_case = :wanted WHERE id = :id", wanted=str(wanted), id=product_id
    )
    tx.run(
        "UPDATE unit SET serial_exact = CASE WHEN :wanted = 'exact' THEN serial ELSE '' END "
        "WHERE product_id = :id",
        wanted=str(wanted),
        id=product_id,
    )


def _check_distinct(tx: Transaction, product_id: str) -> None:
    """Raise InvalidInput where two units of a product share a folded serial."""
    rows = tx.rows_as(
        _Serial,
        "SELECT serial FROM unit WHERE product_id = :id AND serial_canonical IN ("
        "SELECT serial_canonical FROM unit WHERE product_id = :id "
        "GROUP BY serial_canonical HAVING COUNT(*) > 1 ORDER BY serial_canonical LIMIT :most) "
        "ORDER BY serial_canonical, serial",
        id=product_id,
        most=NAMED_MAX,
    )
    if rows:
        serials = ", ".join(row["serial"] for row in rows)
        raise InvalidInput(
            f"these are units of their own, and would be one: {serials}", field="serialCase"
        )
