"""How an object type is answered straight from a record, without an object of its own.

A subject declares which fields of a type are plain facts of a record (`Fact`), parts of the same
record (`Part`), or records that belong to it (`Many`). A selection of such fields compiles to the
facts to read and to a builder that writes them into the answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from hub.clock import moment
from hub_api.engine.plan_objects import AS_IS, KINDS_MAX, Bail, coercion

Show = Callable[[Any], Any]
Record = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """A scalar or enum: the name of what is read, and how a value that is not null is shown.

    Without `show` a value is shown as its GraphQL type shows it; an enum's stored word by its name.
    """

    name: str
    show: Show | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """An object out of the same record."""

    shape: "Shape"


@dataclass(frozen=True, slots=True)
class Many:
    """A list of records that belong to this one; arguments and scopes are left to `permits`."""

    name: str
    shape: "Shape"
    permits: Callable[[Any], bool]
    """Whether the caller of a request may have them; where not, the general way says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one object type that can be answered from a record."""

    type_name: str
    fields: Mapping[str, Fact | Part | Many]


@dataclass(frozen=True, slots=True)
class Reading:
    """What has to be read for a selection: facts in order, then lists in order."""

    facts: tuple[str, ...]
    lists: tuple[tuple[Many, "Reading"], ...]


def shown_moment(value: int) -> str:
    """Show microseconds since 1970."""
    return moment(value).isoformat()


def shown_day(value: str) -> str:
    """Show an ISO day; raises ValueError for a text that is none."""
    return date.fromisoformat(value).isoformat()


def record_of(found: Any, reading: Reading) -> list[Any]:
    """Return the record of an object whose attributes are named like the facts."""
    record = [getattr(found, name) for name in reading.facts]
    for many, below in reading.lists:
        record.append([record_of(each, below) for each in getattr(found, many.name)])
    return record


class Builder:
    """Writes records of one selection into the answer.

    A record holds the facts of `reading`, then its lists. Raises `Bail` for a value that only the
    general way can show.
    """

    __slots__ = (
        "_count",
        "_good",
        "_keys",
        "_leaves",
        "_lists",
        "_parts",
        "_shows",
        "_template",
        "reading",
    )

    def __init__(self, template: dict[str, Any]) -> None:
        self._template = template
        self._leaves: list[tuple[str, Fact, GraphQLLeafType, bool]] = []
        self._parts: list[tuple[str, Builder, int, int]] = []
        self._lists: list[tuple[str, Builder, int]] = []
        self._keys: tuple[str, ...] = ()
        self._shows: tuple[tuple[str, Show], ...] = ()
        self._good: set[tuple[type, ...]] = set()
        self._count = 0
        self.reading = Reading((), ())

    def settle(
        self,
        leaves: list[tuple[str, Fact, GraphQLLeafType, bool]],
        parts: list[tuple[str, "Builder"]],
        lists: list[tuple[str, Many, "Builder"]],
    ) -> None:
        """Fix the order of what is read."""
        self._leaves = leaves
        self._keys = tuple(key for key, *_ in leaves)
        self._shows = tuple(
            (key, show) for key, fact, leaf, _ in leaves if (show := _shown_by(fact, leaf))
        )
        self._count = len(leaves)
        facts = [fact.name for _, fact, _, _ in leaves]
        for key, builder in parts:
            start = len(facts)
            facts += builder.reading.facts
            self._parts.append((key, builder, start, len(facts)))
        for number, (key, _, builder) in enumerate(lists):
            self._lists.append((key, builder, len(facts) + number))
        self.reading = Reading(
            tuple(facts), tuple((many, builder.reading) for _, many, builder in lists)
        )

    def build(self, record: Record) -> dict[str, Any]:
        """Answer one record."""
        out = self._template.copy()
        leaves = record if len(record) == self._count else record[: self._count]
        out.update(zip(self._keys, leaves))  # noqa: B905 - as long as each other by construction
        kinds = tuple(map(type, leaves))
        if kinds not in self._good:
            self._check(kinds)
        for key, show in self._shows:
            value = out[key]
            if value is not None:
                out[key] = show(value)
        for key, builder, start, end in self._parts:
            out[key] = builder.build(record[start:end])
        for key, builder, place in self._lists:
            build = builder.build
            out[key] = [build(each) for each in record[place]]
        return out

    def _check(self, kinds: tuple[type, ...]) -> None:
        """Raise `Bail` unless values of these types can be shown; remember them."""
        for kind, (_, fact, leaf, nullable) in zip(kinds, self._leaves, strict=True):
            if kind is type(None):
                if not nullable:
                    raise Bail
            elif _shown_by(fact, leaf) is None and kind is not AS_IS[leaf]:
                raise Bail
        if len(self._good) < KINDS_MAX:
            self._good.add(kinds)


def leaf_type(definition: GraphQLField) -> tuple[GraphQLLeafType, bool] | None:
    """Return the scalar or enum of a field and whether it may be null; None for another type."""
    inner = get_nullable_type(definition.type)
    if not is_leaf_type(inner):
        return None
    return inner, not is_non_null_type(definition.type)


def is_plain_list(definition: GraphQLField) -> bool:
    """Return whether a field is a list that has no null item and is none itself."""
    inner = get_nullable_type(definition.type)
    return (
        is_non_null_type(definition.type)
        and is_list_type(inner)
        and is_non_null_type(inner.of_type)
    )


def _shown_by(fact: Fact, leaf: GraphQLLeafType) -> Show | None:
    """Return what shows a value; None where it is shown as it is."""
    if fact.show is not None:
        return fact.show
    if isinstance(leaf, GraphQLEnumType):
        return _words(leaf).__getitem__
    if leaf is GraphQLBoolean:
        return bool
    return None if leaf in AS_IS else coercion(leaf)


def _words(enum: GraphQLEnumType) -> dict[str, str]:
    """Return the names of an enum by its stored words."""
    found = {}
    for name, value in enum.values.items():
        given = value.value
        found[str(given.value if isinstance(given, Enum) else given)] = name
    return found
