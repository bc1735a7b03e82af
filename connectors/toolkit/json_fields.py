"""Typed access to decoded JSON.

`object_field`, `list_field` and `nodes_of` read the envelope of an answer: what has another shape
is an answer of somebody else. A response of status 200 in the wrong shape says nothing about what
the remote did, so it raises Unknown: the call is repeated, and the repeat looks before it creates.

The others read one record of a list. They raise FieldError, which names the field, and accept what
is harmless: a number written as text, null in place of an empty list.
"""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.errors import Unknown
from connectors.toolkit.cursors import moment
from connectors.toolkit.records import FieldError
from connectors.toolkit.value_checks import WHOLE_MAX, storable

EMPTY: Mapping[str, Any] = {}


def parsed_json(text: str | bytes) -> Any:
    """Decode JSON of a remote; raises ValueError, also where it is nested too deeply for Python.

    Python's own decoder raises RecursionError there, which no caller expects.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def object_field(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object in a field; raises Unknown where there is none."""
    found = answer.get(name)
    if not isinstance(found, dict):
        raise Unknown(f"the answer holds no {name}")
    return found


def list_field(answer: Mapping[str, Any], name: str) -> list[Any]:
    """Return the objects of a list in a field; raises Unknown where it is no list of objects."""
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unknown(f"the answer holds no {name}")
    return found


def nodes_of(answer: Any, name: str | None = None, *, required: bool = True) -> list[Any]:
    """Return the records of an answer, or of a field of it, to be read one by one.

    A list that PHP wrote as an object is a list. Raises Unknown where there is none, unless a
    missing one stands for an empty one.
    """
    found = answer
    if name is not None:
        found = answer.get(name) if isinstance(answer, dict) else None
    if found is None and not required:
        return []
    if isinstance(found, dict) and found and all(key.isdecimal() for key in found):
        return list(found.values())
    if not isinstance(found, list):
        raise Unknown(f"the answer holds no {name or 'list'}")
    return found


def identity(record: Mapping[str, Any], name: str) -> str:
    """Return a reference as text: text that is not empty, or a whole number."""
    found = text(record, name, None)
    if not found:
        raise FieldError(field_path(record, name), found, "is missing")
    return found


def text(record: Mapping[str, Any], name: str, default: str | None = "") -> str:
    """Return a text, or a number as text; `default` in place of null and of a missing field.

    A default of None makes the field a required one.
    """
    found = record.get(name)
    if found is None:
        if default is None:
            raise FieldError(field_path(record, name), None, "is missing")
        return default
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise FieldError(field_path(record, name), found, "is no text")
    written = str(found)
    if not storable(written):
        raise FieldError(field_path(record, name), found, "holds a character that cannot be stored")
    return written


def whole(record: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Return a number of units: a part of a unit is a unit, and ``"2"`` is 2.

    `default` stands in place of null, of empty text and of a missing field; without one the field
    is a required one.
    """
    found = record.get(name)
    if found is None or found == "":
        if default is None:
            raise FieldError(field_path(record, name), found, "is missing")
        return default
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise FieldError(field_path(record, name), found, "is no number")
    try:
        number = math.ceil(Decimal(str(found).strip()))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise FieldError(field_path(record, name), found, "is no number") from error
    if abs(number) > WHOLE_MAX:
        raise FieldError(field_path(record, name), found, "is out of range")
    return number


def time(record: Mapping[str, Any], *names: str) -> datetime:
    """Return the time in the first of these fields that holds one; the first is the one to have."""
    for name in names:
        if record.get(name):
            try:
                return moment(record[name])
            except (TypeError, ValueError, OverflowError) as error:
                raise FieldError(field_path(record, name), record[name], "is no time") from error
    raise FieldError(field_path(record, names[0]), record.get(names[0]), "is missing")


def records(
    record: Mapping[str, Any], name: str, *, required: bool = False
) -> list[Mapping[str, Any]]:
    """Return the objects of a list; no list is an empty one, unless it is required."""
    found = record.get(name)
    if found is None and not required:
        return []
    if found is None or not isinstance(found, list):
        raise FieldError(
            field_path(record, name), found, "is missing" if found is None else "is no list"
        )
    for index, each in enumerate(found):
        if not isinstance(each, dict):
            raise FieldError(f"{field_path(record, name)}[{index}]", each, "is no object")
    return found


def child(record: Mapping[str, Any], name: str, *, required: bool = False) -> Mapping[str, Any]:
    """Return the object in a field; no object is an empty one, unless it is required.

    An empty list is no object either: so PHP writes an empty object.
    """
    found = record.get(name)
    if (found is None or found == []) and not required:
        return EMPTY
    if not isinstance(found, dict):
        reason = "is missing" if found is None else "is no object"
        raise FieldError(field_path(record, name), found, reason)
    return found


def name_in(body: bytes, *path: str) -> str | None:
    """Return the text or number at a path of a JSON body; None where it has none, or is no JSON."""
    try:
        found = parsed_json(body)
    except ValueError:
        return None
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    named = isinstance(found, str | int) and not isinstance(found, bool)
    return str(found) if named and found != "" else None


def field_path(record: Mapping[str, Any], name: str) -> str:
    """Return the path of a field in its record."""
    path: str = getattr(record, "path", "")
    return f"{path}.{name}" if path else name
