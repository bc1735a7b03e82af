"""Stored JSON, read so that one broken document never stops a reader of many."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import orjson

logger = logging.getLogger(__name__)

Stored = TypeVar("Stored")
Read = TypeVar("Read")

# What reading a stored value raises: a word that is no value of its enum, a text that is no day or
# no JSON, a document without its parts.
UNREADABLE = (ValueError, OverflowError, TypeError, KeyError, AttributeError)
NOTHING = frozenset({""})  # a restriction that cannot be read: the id of nothing


def document(text: str | None) -> dict[str, Any]:
    """Return a stored JSON object; empty for none, and for a text that is no JSON object.

    A broken document is a fault of whoever changed the database by hand: `serial-hub verify` names
    the event that was changed, and everything else is read as before.
    """
    return _read(text, dict) or {}


def values(text: str | None) -> list[Any]:
    """Return a stored JSON list; empty for none, and for a text that is no JSON list."""
    return _read(text, list) or []


def _read(text: str | None, kind: type) -> Any:
    if not text:
        return None
    try:
        found = orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return found if isinstance(found, kind) else None


def readable(read: Callable[[Stored], Read], records: Iterable[Stored]) -> list[Read]:
    """Read stored records; one that cannot be read is left out, and logged.

    It must be safe to do without it: a rule that nobody can read is not applied, an address that
    nobody can read gets nothing.
    """
    found = []
    for record in records:
        try:
            found.append(read(record))
        except UNREADABLE as error:
            name = record.get("id") if isinstance(record, dict) else None
            logger.warning("a record that cannot be read is left out (%s): %s", name, error)
    return found


def restriction(text: str | None) -> frozenset[str]:
    """Return the ids of a stored restriction: empty for none, `NOTHING` for an unreadable one."""
    if not text:
        return frozenset()
    found = _read(text, list)
    if found is None or not all(isinstance(each, str) for each in found):
        return NOTHING
    return frozenset(found)
