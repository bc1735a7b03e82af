"""Value checks: whether a value of the vocabulary holds what its types say, and can be stored.

A connector may be as sloppy as it likes: what leaves it is checked here, field by field.
"""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Value = TypeVar("Value")
WHOLE_MAX = 2**31 - 1  # more units than any order has, and what every database stores
DESCRIPTIVE = frozenset({"title", "reason", "remote_state", "name"})
"""Fields for people alone: characters that cannot be stored are replaced in them."""

_HINTS: dict[type, Mapping[str, Any]] = {}
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class ValueProblem(ValueError):
    """A field of a value holds something else than its type says, or cannot be stored."""

    def __init__(self, path: str, value: Any, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.value = value
        self.reason = reason


def checked(value: Value) -> Value:
    """Return a value, or a sequence of values, as it may be stored; raises ValueProblem.

    Anything that is no value of a vocabulary (no dataclass) is returned as it is.
    """
    if isinstance(value, list | tuple):
        return type(value)(checked(each) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made: Value = _fields_checked(value, "")
        return made
    return value


def storable(text: str) -> bool:
    """Say whether every database stores a text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def cleaned(text: str) -> str:
    """Replace what cannot be stored of a text."""
    if storable(text):
        return text
    return "".join(each if storable(each) else REPLACEMENT for each in text)


def _hints(cls: type) -> Mapping[str, Any]:
    if cls not in _HINTS:
        names = {each.name for each in dataclasses.fields(cls)}
        hints = get_type_hints(cls)
        _HINTS[cls] = {name: hint for name, hint in hints.items() if name in names}
    return _HINTS[cls]


def _fields_checked(value: Any, path: str) -> Any:
    changed = {}
    for name, hint in _hints(type(value)).items():
        held = getattr(value, name)
        if name in DESCRIPTIVE and isinstance(held, str):
            fit = cleaned(held)
        else:
            fit = _checked(held, hint, f"{path}.{name}" if path else name)
        if fit is not held:
            changed[name] = fit
    return dataclasses.replace(value, **changed) if changed else value


def _checked(value: Any, hint: Any, path: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _one_of(value, get_args(hint), path)
    if origin is tuple:
        return _elements_checked(value, get_args(hint)[0], path)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_checked(value, get_args(hint)[1], path)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if not isinstance(value, hint):
            raise ValueProblem(path, value, f"is no {hint.__name__}")
        return _fields_checked(value, path)
    if isinstance(hint, type):
        _plain(value, hint, path)
    return value


def _one_of(value: Any, hints: Sequence[Any], path: str) -> Any:
    if value is None and type(None) in hints:
        return None
    rest = [hint for hint in hints if hint is not type(None)]
    return _checked(value, rest[0], path) if len(rest) == 1 else value


def _elements_checked(value: Any, hint: Any, path: str) -> Any:
    if not isinstance(value, tuple):
        raise ValueProblem(path, value, "is no tuple")
    fit = tuple(_checked(each, hint, f"{path}[{index}]") for index, each in enumerate(value))
    same = all(new is old for new, old in zip(fit, value, strict=True))
    return value if same else fit


def _mapping_checked(value: Any, hint: Any, path: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueProblem(path, value, "is no mapping")
    for name, each in value.items():
        _checked(name, str, path)
        _checked(each, hint, f"{path}.{name}")
    return value


def _plain(value: Any, kind: type, path: str) -> None:
    """Refuse a plain value of another type, or one that no database stores."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueProblem(path, value, "is missing" if value is None else f"is no {_word(kind)}")
    if isinstance(value, str) and not storable(value):
        raise ValueProblem(path, value, "holds a character that cannot be stored")
    if kind is int and abs(value) > WHOLE_MAX:  # type: ignore[arg-type]
        raise ValueProblem(path, value, "is out of range")
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueProblem(path, value, "is no finite number")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueProblem(path, value, "names no time zone")


def _word(kind: type) -> str:
    return {str: "text", int: "whole number", bool: "truth value", datetime: "time"}.get(
        kind, kind.__name__
    )
