"""Typed access to decoded JSON: what has another shape is an answer of somebody else.

A response of status 200 in the wrong shape says nothing about what the remote did, so it raises
Unknown: the call is repeated, and the repeat looks before it creates.
"""

from collections.abc import Mapping
from typing import Any

from connectors.errors import Unknown


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
