"""Everything in the schema has a description, and each is a sentence that says something."""

import re
from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
)

from commanding import CORE
from hub_api.descriptions.arguments import ARGUMENTS
from hub_api.descriptions.describe import VALUES
from hub_api.descriptions.fields import FIELDS


def described() -> Iterator[tuple[str, str | None]]:
    """Name everything that may have a description, with its description."""
    for name, type_ in CORE.type_map.items():
        if name.startswith("__"):
            continue
        yield name, type_.description
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{key}", each.description) for key, each in type_.values.items())
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field, shown in type_.fields.items():
                yield f"{name}.{field}", shown.description
                for argument, each in getattr(shown, "args", {}).items():
                    yield f"{name}.{field}.{argument}", each.description


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
        assert set(values) == set(shown.values), name
