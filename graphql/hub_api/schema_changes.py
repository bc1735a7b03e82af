"""The promise to clients: nothing of a released schema goes without having been deprecated there.

A field, argument, input field or enum value that a release marks as deprecated may be missing from
the next one, and so may what only it led to. Any other breaking change is named.
"""

from collections.abc import Iterable
from typing import Any

from graphql import (
    DocumentNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    GraphQLNamedType,
    GraphQLSchema,
    InputValueDefinitionNode,
    Node,
    TypeDefinitionNode,
    Visitor,
    VisitorAction,
    build_ast_schema,
    build_schema,
    find_breaking_changes,
    get_named_type,
    parse,
    visit,
)
from graphql.language.visitor import REMOVE

_DEPRECATED = "deprecated"


def breaking_changes(released: str, current: str) -> list[str]:
    """Return the changes that break clients of a released schema, one sentence each, sorted.

    Both are texts in the schema definition language. Raises GraphQLSyntaxError for another text.
    """
    kept = _without_deprecated(parse(released))
    old = build_ast_schema(kept, assume_valid_sdl=True)
    reached = _reached(old)
    kept = DocumentNode(
        definitions=tuple(
            each
            for each in kept.definitions
            if not isinstance(each, TypeDefinitionNode) or each.name.value in reached
        )
    )
    changes = find_breaking_changes(
        build_ast_schema(kept, assume_valid_sdl=True), build_schema(current)
    )
    return sorted({change.description for change in changes})


class _Deprecated(Visitor):
    """Takes away what is deprecated."""

    def enter(self, node: Node, *_: Any) -> VisitorAction:
        may_be = FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode
        if isinstance(node, may_be) and any(
            each.name.value == _DEPRECATED for each in node.directives or ()
        ):
            return REMOVE
        return None


def _without_deprecated(schema: DocumentNode) -> DocumentNode:
    found: DocumentNode = visit(schema, _Deprecated())
    return found


def _reached(schema: GraphQLSchema) -> set[str]:
    """Return the names of the types that an operation can lead to."""
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    found: set[str] = set()
    waiting: list[GraphQLNamedType] = [root for root in roots if root is not None]
    while waiting:
        type_ = waiting.pop()
        if type_.name not in found:
            found.add(type_.name)
            waiting += _next_to(schema, type_)
    return found


def _next_to(schema: GraphQLSchema, type_: Any) -> Iterable[GraphQLNamedType]:
    for field in getattr(type_, "fields", {}).values():
        yield get_named_type(field.type)
        for argument in getattr(field, "args", {}).values():
            yield get_named_type(argument.type)
    yield from getattr(type_, "interfaces", ())
    yield from getattr(type_, "types", ())
    if hasattr(type_, "resolve_type") and not hasattr(type_, "types"):
        yield from schema.get_possible_types(type_)
