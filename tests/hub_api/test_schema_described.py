"""Everything in the schema has a description, and each is a sentence that says something."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    get_named_type,
)

from commanding import CORE
from hub_api.common.problems import TYPES
from hub_api.descriptions.arguments import ARGUMENTS
from hub_api.descriptions.describe import VALUES
from hub_api.descriptions.fields import FIELDS

ROOT = Path(__file__).parent.parent.parent
FOREIGN = {"Decimal", "Date", "DateTime", "Time", "JSON", "Int", "Float", "String", "Boolean", "ID"}


def described() -> Iterator[tuple[str, str | None]]:
    """Name everything that may have a description, with its description."""
    for name, type_ in CORE.type_map.items():
        if name.startswith("__") or name in FOREIGN:
            continue
        yield name, type_.description
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{key}", each.description) for key, each in type_.values.items())
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field, shown in type_.fields.items():
                yield f"{name}.{field}", shown.description
                for argument, each in getattr(shown, "args", {}).items():
                    yield f"{name}.{field}.{argument}", each.description


def test_each_code_of_a_problem_has_its_type_and_the_other_way_round() -> None:
    enum = CORE.type_map["ProblemCode"]
    assert isinstance(enum, GraphQLEnumType)
    assert set(enum.values) == {refusal.code for refusal in TYPES}


def test_each_scalar_beyond_graphql_says_where_it_is_specified() -> None:
    scalars = [each for each in CORE.type_map.values() if isinstance(each, GraphQLScalarType)]
    unspecified = {each.name for each in scalars if each.specified_by_url is None}
    assert unspecified == {"Int", "Float", "String", "Boolean", "ID"}


def test_everything_has_a_description() -> None:
    assert [name for name, description in described() if not description] == []


def test_every_description_is_a_sentence_that_says_more_than_the_name() -> None:
    poor = []
    for name, description in described():
        plain = re.sub(r"\W", "", description or "").lower()
        own = name.rsplit(".", 1)[-1].replace("_", "").lower()
        if not (description or "").endswith((".", "?", "…")) or plain == own:
            poor.append((name, description))
    assert poor == []


@pytest.mark.parametrize("words", [r"\bhe\b|\bhim\b|\bhis\b", r"^What\b"])
def test_descriptions_name_the_thing_first_and_speak_of_nobody_as_he(words: str) -> None:
    assert [name for name, text in described() if text and re.search(words, text)] == []


def test_no_glossary_has_an_entry_that_nothing_uses() -> None:
    used = {text for _, text in described()}
    for glossary in (FIELDS, ARGUMENTS):
        assert [name for name, text in glossary.items() if text not in used] == []
    core = CORE.type_map
    for name, values in VALUES.items():
        shown = core[name]
        assert isinstance(shown, GraphQLEnumType)
        assert set(shown.values) <= set(values), name


def test_every_value_of_an_enum_is_an_input_or_produced_by_the_code() -> None:
    given = set()
    for type_ in CORE.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            given |= {get_named_type(each.type) for each in type_.fields.values()}
        elif isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field in type_.fields.values():
                given |= {get_named_type(each.type) for each in field.args.values()}
    sources = "\n".join(
        path.read_text()
        for package in ("hub", "connectors", "jobs", "graphql/hub_api")
        for path in (ROOT / package).rglob("*.py")
        if "descriptions" not in path.parts
    )
    unused = [
        f"{type_.name}.{name}"
        for type_ in CORE.type_map.values()
        if isinstance(type_, GraphQLEnumType)
        and type_ not in given
        and not type_.name.startswith("__")
        for name, each in type_.values.items()
        if not is_used(name, str(getattr(each.value, "value", each.value)), sources)
    ]
    assert unused == []


def is_used(name: str, value: str, sources: str) -> bool:
    """Say whether a member is named, or its value written more often than its declaration."""
    written = re.findall(rf"""["']{re.escape(value)}["']""", sources)
    return re.search(rf"\.{name}\b", sources) is not None or len(written) > 1
