"""Give every field, argument and enum value of the schema its description, once, at import.

A description beside the declaration wins. Otherwise the glossaries say what a name means
everywhere, and `Owner.name` what it means in one place. Nothing of this is done for a request.
"""

import re
from collections.abc import Mapping

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
)

from hub_api.descriptions.arguments import ARGUMENTS
from hub_api.descriptions.fields import FIELDS
from hub_api.descriptions.process_values import PROCESS_VALUES
from hub_api.descriptions.reconciliation_values import RECONCILIATION_VALUES
from hub_api.descriptions.unit_values import UNIT_VALUES

VALUES = UNIT_VALUES | PROCESS_VALUES | RECONCILIATION_VALUES
SPECIFICATIONS = {
    "Date": "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    "DateTime": "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    "Decimal": "https://speleotrove.com/decimal/daconvs.html",
    "Amount": "https://speleotrove.com/decimal/daconvs.html",
}
"""Where the scalars that are not GraphQL's own are specified."""
PAGES = {"Connection": "Page of a list.", "Edge": "Item of a page, with its cursor."}


def describe(schema: strawberry.Schema) -> strawberry.Schema:
    """Describe what has no description of its own; return the same schema."""
    core: GraphQLSchema = schema._schema
    for name, type_ in core.type_map.items():
        if name.startswith("__"):
            continue
        if not type_.description:
            type_.description = _of_type(type_)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            _describe_fields(type_)
        elif isinstance(type_, GraphQLInputObjectType):
            for field, each in type_.fields.items():
                each.description = each.description or _found(ARGUMENTS, name, field)
        elif isinstance(type_, GraphQLEnumType):
            values = VALUES.get(name) or _of_types(core, name)
            for value, shown in type_.values.items():
                shown.description = shown.description or values.get(value)
        elif isinstance(type_, GraphQLScalarType):
            type_.specified_by_url = type_.specified_by_url or SPECIFICATIONS.get(name)
    return schema


def _of_types(schema: GraphQLSchema, enum: str) -> dict[str, str | None]:
    """Return what the codes of problems mean: what their types say, as UnknownUnit."""
    codes = getattr(schema.type_map[enum], "values", ()) if enum == "ProblemCode" else ()
    return {code: schema.type_map[code.title().replace("_", "")].description for code in codes}


def _describe_fields(type_: GraphQLObjectType | GraphQLInterfaceType) -> None:
    owners = [type_.name, *(each.name for each in type_.interfaces)]
    for name, field in type_.fields.items():
        if not field.description:
            field.description = next(
                (FIELDS[key] for each in owners if (key := f"{each}.{name}") in FIELDS),
                FIELDS.get(name),
            )
        for argument, each in field.args.items():
            _describe_argument(name, argument, each)


def _describe_argument(field: str, name: str, argument: GraphQLArgument) -> None:
    argument.description = argument.description or _found(ARGUMENTS, field, name)


def _found(glossary: Mapping[str, str], owner: str, name: str) -> str | None:
    return glossary.get(f"{owner}.{name}") or glossary.get(name)


def _of_type(type_: GraphQLNamedType) -> str | None:
    if isinstance(type_, GraphQLUnionType):
        return "Result of the command, or the problem that prevented it."
    for ending, description in PAGES.items():
        if re.search(f"{ending}$", type_.name):
            return description
    return None
