"""Value checks: whether a value of the vocabulary holds what its types say, and can be stored.

A connector may be as sloppy as it likes: what leaves it is checked here, field by field.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Value = TypeVar("Value")
WHOLE_MAX = 2**31 - 1  # more units than any order has, and what every database stores
DESCRIPTIVE = frozenset({"title", "reason", "remote_state", "name"})
"""Fields for people alone: characters that cannot be stored are replaced in them."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class ValueProblem(ValueError):
    """A field of a value holds something else than its type says, or cannot be stored."""

    def __init__(self, path: str, value: Any, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.value = value
        self.reason = reason

    def within(self, place: str) -> "ValueProblem":
        """Return the same problem as one of a part: `place` is a field, or an index in brackets."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        return ValueProblem(f"{place}{joint}{self.path}", self.value, self.reason)


def checked(value: Value) -> Value:
    """Return a value, or a sequence of values, as it may be stored; raises ValueProblem.

    Anything that is no value of a vocabulary (no dataclass) is returned as it is.
    """
    if isinstance(value, list | tuple):
        return type(value)(checked(each) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made: Value = _fields_checked(value)
        return made
    return value


def storable(text: str) -> bool:
    """Say whether every database stores a text: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def cleaned(text: str) -> str:
    """Replace what cannot be stored of a text."""
    if storable(text):
        return text
    return "".join(each if storable(each) else REPLACEMENT for each in text)


# Checks are made once for each type: a large channel has millions of values. A check returns the
# value as it may be stored, which is the same object where nothing is to be changed.
Check = Callable[[Any], Any]


@cache
def _checks(cls: type) -> Sequence[tuple[str, Check]]:
    hints = get_type_hints(cls)
    return [
        (each.name, _check_of(hints[each.name], descriptive=each.name in DESCRIPTIVE))
        for each in dataclasses.fields(cls)
    ]


def _check_of(hint: Any, *, descriptive: bool = False) -> Check:
    origin = get_origin(hint)
    if descriptive:
        return partial(_described, check=_check_of(hint))
    if origin in (Union, types.UnionType):
        return _check_of_union(get_args(hint))
    if origin is tuple:
        return partial(_elements_checked, check=_check_of(get_args(hint)[0]))
    if origin is not None and issubclass(origin, Mapping):
        return partial(_mapping_checked, check=_check_of(get_args(hint)[1]))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return partial(_part_checked, kind=hint)
    if isinstance(hint, type):
        return partial(_plain, kind=hint)
    return _anything


def _anything(value: Any) -> Any:
    return value


def _described(value: Any, check: Check) -> Any:
    return cleaned(value) if isinstance(value, str) else check(value)


def _check_of_union(hints: Sequence[Any]) -> Check:
    rest = [hint for hint in hints if hint is not type(None)]
    check = _check_of(rest[0]) if len(rest) == 1 else _anything
    if len(rest) == len(hints):
        return check

    def optional(value: Any) -> Any:
        return None if value is None else check(value)

    return optional


def _fields_checked(value: Any) -> Any:
    changed = {}
    cls: type = type(value)
    for name, check in _checks(cls):
        held = getattr(value, name)
        try:
            fit = check(held)
        except ValueProblem as problem:
            raise problem.within(name) from None
        if fit is not held:
            changed[name] = fit
    return dataclasses.replace(value, **changed) if changed else value


def _part_checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueProblem("", value, f"is no {kind.__name__}")
    return _fields_checked(value)


def _elements_checked(value: Any, check: Check) -> Any:
    if not isinstance(value, tuple):
        raise ValueProblem("", value, "is no tuple")
    fit, same = [], True
    for index, each in enumerate(value):
        try:
            fit.append(check(each))
        except ValueProblem as problem:
            raise problem.within(f"[{index}]") from None
        same = same and fit[-1] is each
    return value if same else tuple(fit)


def _mapping_checked(value: Any, check: Check) -> Any:
    if not isinstance(value, Mapping):
        raise ValueProblem("", value, "is no mapping")
    for name, each in value.items():
        _plain(name, str)
        try:
            check(each)
        except ValueProblem as problem:
            raise problem.within(name) from None
    return value


def _plain(value: Any, kind: type) -> Any:
    """Refuse a plain value of another type, or one that no database stores."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueProblem("", value, "is missing" if value is None else f"is no {_word(kind)}")
    reason = None
    if kind is int:
        reason = "is out of range" if abs(value) > WHOLE_MAX else None  # type: ignore[arg-type]
    elif isinstance(value, str):
        reason = None if storable(value) else "holds a character that cannot be stored"
    elif isinstance(value, Decimal):
        reason = None if value.is_finite() else "is no finite number"
    elif isinstance(value, datetime):
        reason = "names no time zone" if value.tzinfo is None else None
    if reason is not None:
        raise ValueProblem("", value, reason)
    return value


def _word(kind: type) -> str:
    return {str: "text", int: "whole number", bool: "truth value", datetime: "time"}.get(
        kind, kind.__name__
    )
