"""Long work beside the event loop: whoever asks for much does not make others wait.

Everything that one request may ask for ten thousand times is done in a thread, where the
interpreter changes over to the event loop at short intervals, or in pieces.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import strawberry
from graphql import (
    GraphQLField,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
)
from strawberry.schema import schema_converter

Given = TypeVar("Given")
Made = TypeVar("Made")

MANY = 300  # items; reading or writing one takes some 10 to 50 microseconds
PIECE = 256


def is_long(arguments: Mapping[str, Any]) -> bool:
    """Return whether an argument, or a field of one, is a list of many items."""
    return any(
        isinstance(each, list) and len(each) > MANY
        for argument in arguments.values()
        for each in (argument, *vars_of(argument))
    )


def vars_of(argument: Any) -> Sequence[Any]:
    """Return the fields of an input object; nothing for any other argument."""
    if isinstance(argument, dict):
        return [*argument.values()]
    return [*vars(argument).values()] if hasattr(argument, "__dict__") else ()


def convert_beside(schema: strawberry.Schema) -> strawberry.Schema:
    """Have Strawberry make inputs of mutations and queries in a thread where they are many.

    It makes them where it calls the resolver, on the event loop: ten thousand take 0.1 s. Here they
    are made before, and handed on under a name that no argument has.
    """
    core: GraphQLSchema = schema._schema
    mutations = core.mutation_type.fields.values() if core.mutation_type else ()
    queries = core.query_type.fields.values() if core.query_type else ()
    for field in (*mutations, *(each for each in queries if _takes_many_inputs(each))):
        declared = field.extensions.get("strawberry-definition")
        if declared is not None and field.resolve is not None:
            field.resolve = _resolved_beside(schema, declared, field.resolve)
    return schema


def _takes_many_inputs(query: GraphQLField) -> bool:
    """Return whether a query takes a list of input objects: lists of texts are made in no time."""
    return any(
        is_list_type(get_nullable_type(each.type))
        and is_input_object_type(get_named_type(each.type))
        for each in query.args.values()
    )


def _resolved_beside(
    schema: strawberry.Schema, declared: Any, resolve: Callable[..., Any]
) -> Callable[..., Any]:
    convert = partial(
        _convert, field=declared, config=schema.config, scalar_registry=_scalars(schema)
    )

    async def resolved(source: Any, info: Any, **given: Any) -> Any:
        if is_long(given):
            asked = schema.config.info_class(_raw_info=info, _field=declared)
            work = partial(convert, source=source, info=asked, kwargs=given)
            given = {CONVERTED: await asyncio.to_thread(work)}
        return await resolve(source, info, **given)

    return resolved


def _scalars(schema: strawberry.Schema) -> Any:
    return schema.schema_converter.scalar_registry


def _arguments(*, kwargs: dict[str, Any], **others: Any) -> Any:
    """Return the arguments of a resolver: those that were made before, or made now."""
    made = kwargs.get(CONVERTED)
    return _convert(kwargs=kwargs, **others) if made is None else made


CONVERTED = "_converted"
_convert = schema_converter.get_arguments
schema_converter.get_arguments = _arguments


async def in_thread_if(condition: bool, work: Callable[[], Made]) -> Made:
    """Do work at once, or in a thread where it is long."""
    return await asyncio.to_thread(work) if condition else work()


async def in_pieces(make: Callable[[Given], Made], values: Sequence[Given]) -> list[Made]:
    """Make something of each value, and let others go on after each piece."""
    made: list[Made] = []
    for begins in range(0, len(values), PIECE):
        if begins:
            await asyncio.sleep(0)
        made += [make(each) for each in values[begins : begins + PIECE]]
    return made
