"""Inputs that come by the ten thousand: made by a converter that is put together once for a class.

Strawberry walks all fields of an input class for every row and asks each for its type again; for
rows of scanners that costs more than the ledger's own work. The result is the same.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryList, StrawberryOptional, has_object_definition
from strawberry.utils.str_converters import to_camel_case

Input = TypeVar("Input")


def many(cls: type[Input]) -> type[Input]:
    """Have an input class made by its own converter; every field needs a default or a value."""
    definition: Any = cls
    definition.__strawberry_definition__.from_input = _build
    return cls


def _build(type_: type[Any], value: Mapping[str, Any], context: InputContext) -> Any:
    made = _MADE.get(type_)
    if made is None:
        made = _MADE[type_] = _fields(type_)
    names, nested = made
    given = {names[name]: each for name, each in value.items()}
    for name, convert in nested:
        if name in value:
            given[names[name]] = convert(value[name], context)
    return type_(**given)


Convert = Callable[[Any, InputContext], Any]


Fields = tuple[dict[str, str], list[tuple[str, Convert]]]
# Put together when a class is first asked for: its types may name classes that came later.
_MADE: dict[type[Any], Fields] = {}


def _fields(type_: Any) -> Fields:
    """Map GraphQL's names to Python's, and name the fields that hold inputs themselves."""
    names: dict[str, str] = {}
    nested: list[tuple[str, Convert]] = []
    for field in type_.__strawberry_definition__.fields:
        name = field.graphql_name or to_camel_case(field.python_name)
        names[name] = field.python_name
        resolved = field.resolve_type(type_definition=type_.__strawberry_definition__)
        inner: Any = resolved.of_type if isinstance(resolved, StrawberryOptional) else resolved
        if isinstance(inner, StrawberryList):
            row: Any = inner.of_type
            nested.append((name, _list_of(row) if has_object_definition(row) else _copied))
        elif has_object_definition(inner):
            nested.append((name, _one(inner)))
    return names, nested


def _copied(value: Any, _: InputContext) -> Any:
    # graphql-core gives one and the same default to every request that leaves the value out.
    return None if value is None else list(value)


def _one(type_: type[Any]) -> Convert:
    return lambda value, context: None if value is None else _build(type_, value, context)


def _list_of(type_: type[Any]) -> Convert:
    return lambda value, context: (
        None if value is None else [_build(type_, each, context) for each in value]
    )
