"""Stored records as the API shows them: one that cannot be shown never hides the others."""

import logging
from collections.abc import Callable, Iterable
from decimal import InvalidOperation
from typing import Any, TypeVar

Shown = TypeVar("Shown")
Stored = TypeVar("Stored")

logger = logging.getLogger(__name__)

#: What reading a stored value raises: a word that is no value of its enum, a text that is no day, a
#: document that lacks a part, an amount that is no number or has too many digits.
UNREADABLE = (ValueError, OverflowError, KeyError, InvalidOperation)


def each(show: Callable[[Stored], Shown], records: Iterable[Stored]) -> list[Shown]:
    """Show records; one with a stored value that cannot be read is left out, and logged.

    Such a value is a fault of whoever changed the database by hand, or of a newer version beside
    this one: asked for by itself, the record is answered with an error.
    """
    shown = []
    for record in records:
        try:
            shown.append(show(record))
        except UNREADABLE as error:
            left_out(record, error)
    return shown


def left_out(record: Any, error: BaseException) -> None:
    """Log a record that an answer leaves out, by its id."""
    name = record.get("id") if isinstance(record, dict) else None
    logger.warning("an answer leaves out a record that cannot be read (%s): %s", name, error)
