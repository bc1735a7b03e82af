"""Stored JSON, read so that one broken document never stops a reader of many."""

from typing import Any

import orjson


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
