"""Commands of the API for tests that do not care which: documents are written from the schema."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLUnionType, get_named_type

from hub_api.documents import core_schema
from hub_api.schema import schema

CORE = core_schema(schema)
KEY = "idempotencyKey"
VERDICTS = "verdicts { identifier accepted status unitId problem { code message } }"
PROBLEM = "... on Problem { code message }"


def mutations() -> list[str]:
    """Return the names of all mutations."""
    assert CORE.mutation_type is not None
    return sorted(CORE.mutation_type.fields)


def takes_key(mutation: str) -> bool:
    """Say whether a mutation is idempotent by a key."""
    assert CORE.mutation_type is not None
    return KEY in CORE.mutation_type.fields[mutation].args


def document(mutation: str, given: Mapping[str, Any]) -> str:
    """Write the document of one command with these arguments; the plain fields are asked for."""
    return _document(mutation, tuple(sorted(given)))


@cache
def _document(mutation: str, names: tuple[str, ...]) -> str:
    assert CORE.mutation_type is not None
    field = CORE.mutation_type.fields[mutation]
    unknown = set(names) - set(field.args)
    assert not unknown, f"{mutation} takes no {unknown}: {sorted(field.args)}"
    declared = ", ".join(f"${name}: {field.args[name].type}" for name in names)
    passed = ", ".join(f"{name}: ${name}" for name in names)
    answer = f"{{ __typename {_chosen(field.type)} }}"
    return f"mutation({declared}) {{ done: {mutation}({passed}) {answer} }}"


def _chosen(answer: Any) -> str:
    named = get_named_type(answer)
    members = named.types if isinstance(named, GraphQLUnionType) else [named]
    chosen = [PROBLEM] if isinstance(named, GraphQLUnionType) else []
    for member in members:
        assert isinstance(member, GraphQLObjectType)
        if "Problem" in {each.name for each in member.interfaces}:
            continue
        fields = " ".join(_plain(member))
        chosen.append(f"... on {member.name} {{ __typename {fields} }}")
    return " ".join(chosen)


def _plain(type_: GraphQLObjectType) -> list[str]:
    """Name the fields that need no selection, and the verdicts of a movement."""
    found = []
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        if isinstance(named, GraphQLObjectType):
            if name == "verdicts":
                found.append(VERDICTS)
        elif not isinstance(named, GraphQLUnionType) and not any(
            isinstance(each.type, GraphQLNonNull) for each in field.args.values()
        ):
            found.append(name)
    return found
