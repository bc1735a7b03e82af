"""Times that a question states: each names its zone, whichever field takes it.

The times of a command are checked where its digest is computed (`hub_api.common.commands`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, get_named_type

from hub.errors import InvalidInput

DATE_TIME = "DateTime"


def require_zones(schema: strawberry.Schema) -> strawberry.Schema:
    """Have every field outside mutations refuse a time without its zone; return the schema."""
    core: GraphQLSchema = schema._schema
    for type_ in core.type_map.values():
        if isinstance(type_, GraphQLObjectType) and type_ is not core.mutation_type:
            for field in type_.fields.values():
                names = {
                    argument.out_name or name: name
                    for name, argument in field.args.items()
                    if get_named_type(argument.type).name == DATE_TIME
                }
                if names:
                    _guard(field, names)
    return schema


def _guard(field: GraphQLField, names: dict[str, str]) -> None:
    resolve: Callable[..., Any] | None = field.resolve
    assert resolve is not None  # strawberry gives every field with arguments its resolver

    def resolve_zoned(source: Any, info: Any, **arguments: Any) -> Any:
        for name, shown in names.items():
            given = arguments.get(name)
            if isinstance(given, datetime) and given.tzinfo is None:
                raise InvalidInput(
                    f"{shown} needs its time zone: 2026-11-30T12:00:00Z", field=shown
                )
        return resolve(source, info, **arguments)

    field.resolve = resolve_zoned
