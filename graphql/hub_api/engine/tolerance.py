"""Lists that leave out an item with a stored value that cannot be shown, as a word of no enum.

The specification would put an error in the place of the whole list. Only what reading a stored
value raises is left out, and logged; any other error is one, as in every server.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLError,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    is_non_null_type,
)
from graphql.pyutils import Path, gather_with_cancel, is_awaitable
from strawberry import Schema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from hub_api.engine.documents import core_schema
from hub_api.engine.stored import UNREADABLE, left_out

logger = logging.getLogger(__name__)

PIECE = 64  # items of a list; each may take some 0.3 ms


class TolerantExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, for which an unreadable item is not the end of its list."""

    def handle_field_error(
        self, raw_error: Exception, return_type: Any, field_details_list: Any, path: Path
    ) -> None:
        """Make null what is unreadable: an item, which its list leaves out, or a part that may be.

        Other errors are raised or noted, and so is that of the very record that was asked for.
        """
        is_part = path.prev is not None and not is_non_null_type(return_type)
        if (isinstance(path.key, int) or is_part) and _unreadable(raw_error):
            left_out({"id": path.as_list()}, raw_error)
            return
        super().handle_field_error(raw_error, return_type, field_details_list, path)

    def complete_iterable_value(self, item_type: Any, *others: Any) -> Any:
        """Complete a list, and leave out what `handle_field_error` made null.

        A long one is completed in pieces, between which the event loop turns to others.
        """
        values = others[3]
        if isinstance(values, list) and len(values) > PIECE:
            items: Any = self._in_pieces(item_type, *others)
        else:
            items = super().complete_iterable_value(item_type, *others)
        if not is_non_null_type(item_type):
            return items
        return _later(items) if is_awaitable(items) else _present(items)

    async def _in_pieces(
        self, item_type: Any, details: Any, info: Any, path: Path, values: list[Any], context: Any
    ) -> list[Any]:
        completed: list[Any] = []
        for begins in range(0, len(values), PIECE):
            waiting: list[int] = []
            try:
                for index in range(begins, min(begins + PIECE, len(values))):
                    given = (item_type, details, info, path.add_key(index, None), context)
                    if self._completed(values[index], completed, *given):
                        waiting.append(index)
            except Exception:
                self.settle_in_background([completed[index] for index in waiting])
                raise
            if not waiting:
                await asyncio.sleep(0)
                continue
            done = await gather_with_cancel(*(completed[index] for index in waiting))
            for index, value in zip(waiting, done, strict=True):
                completed[index] = value
        return completed

    def _completed(self, value: Any, completed: list[Any], *given: Any) -> bool:
        """Complete one item, and return whether it is still waited for."""
        if not is_awaitable(value):
            return self.complete_list_item_value(value, completed, *given)
        completed.append(self.complete_awaitable_list_item_value(value, *given))
        return True

    def build_per_event_executor(self, payload: Any) -> Any:
        """Return the executor of one event of a subscription.

        graphql-core 3.3.2 has all events share the memory of collected fields, which it keys by
        lists that each event makes anew: a stream would grow by some 3 KB with every event.
        """
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}
        return executor


async def _later(items: Awaitable[list[Any]]) -> list[Any]:
    return _present(await items)


def _present(items: list[Any]) -> list[Any]:
    return items if None not in items else [item for item in items if item is not None]


def _unreadable(error: BaseException) -> bool:
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    # An error of graphql-core itself is about a value that its scalar or enum does not have.
    return isinstance(error, (*UNREADABLE, GraphQLError))


def within_int(schema: Schema) -> Schema:
    """Show a stored number beyond the 32 bits of `Int` as the nearest that can be shown."""
    own = GraphQLScalarType(**GraphQLInt.to_kwargs() | {"name": "OurInt"})
    own.name = GraphQLInt.name  # graphql-core makes no second scalar of this name
    exact = GraphQLInt.coerce_output_value

    def nearest(value: Any) -> int:
        if type(value) is int and not GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT:
            logger.warning("the number %s is shown as the nearest that can be", value)
            value = min(max(value, GRAPHQL_MIN_INT), GRAPHQL_MAX_INT)
        return int(exact(value))

    own.coerce_output_value = nearest

    def replaced(type_: Any) -> Any:
        """Return a type with our scalar in the place of graphql-core's, which all schemas share."""
        if type_ is GraphQLInt:
            return own
        if not isinstance(type_, GraphQLNonNull | GraphQLList):
            return type_
        inner = replaced(type_.of_type)
        return type_ if inner is type_.of_type else type(type_)(inner)

    for type_ in core_schema(schema).type_map.values():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field in type_.fields.values():
                field.type = replaced(field.type)
    return schema
