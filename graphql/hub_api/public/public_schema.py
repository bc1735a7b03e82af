"""The public schema: the part of the schema that publishable keys may ask, as SDL."""

from functools import cache
from typing import Any

from graphql import (
    DefinitionNode,
    DocumentNode,
    GraphQLSchema,
    InterfaceTypeDefinitionNode,
    NamedTypeNode,
    ObjectTypeDefinitionNode,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
    Visitor,
    parse,
    print_ast,
    print_schema,
    visit,
)

from hub_api.public.fields import PUBLIC

_ROOTS = ("Query", "Mutation", "Subscription")


@cache
def public_sdl(schema: GraphQLSchema) -> str:
    """Return the public types and fields, and the inputs, enums and scalars that they need."""
    whole = parse(print_schema(schema))
    kept: dict[str, TypeDefinitionNode] = {}
    for node in whole.definitions:
        if isinstance(node, TypeDefinitionNode) and (public := _public(node)) is not None:
            kept[node.name.value] = public
    wanted = _reached(kept)
    definitions: list[DefinitionNode] = [
        node for node in kept.values() if node.name.value in wanted
    ]
    return print_ast(DocumentNode(definitions=tuple(definitions))) + "\n"


def _public(node: TypeDefinitionNode) -> TypeDefinitionNode | None:
    """Return a type with its public fields or members; None if it has none."""
    if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        public = PUBLIC.get(node.name.value, ())
        fields = tuple(field for field in node.fields or () if field.name.value in public)
        shared = tuple(each for each in node.interfaces or () if each.name.value in PUBLIC)
        given = {**_parts(node), "fields": fields, "interfaces": shared}
        return type(node)(**given) if fields else None
    if isinstance(node, UnionTypeDefinitionNode):
        members = tuple(each for each in node.types or () if each.name.value in PUBLIC)
        return type(node)(**{**_parts(node), "types": members}) if members else None
    return node


def _parts(node: TypeDefinitionNode) -> dict[str, Any]:
    return {key: getattr(node, key) for key in node.keys}


class _Names(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_named_type(self, node: NamedTypeNode, *_: object) -> None:
        self.found.add(node.name.value)


def _reached(kept: dict[str, TypeDefinitionNode]) -> set[str]:
    """Return the names of the types that the roots lead to."""
    reached, waiting = set[str](), [name for name in _ROOTS if name in kept]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in kept:
            continue
        reached.add(name)
        names = _Names()
        visit(kept[name], names)
        waiting += sorted(names.found)
    return reached
