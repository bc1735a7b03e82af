"""Hold what a simulator answers against the official contract of its channel.

A request that keeps to the contract proves little where the answer is invented: what a simulator
says has to have the names, types, words and times of the official one. It may leave out what the
connector does not read.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from connectors.testing.official_contracts import (
    Contract,
    ContractReport,
    GraphContract,
    contract_at,
    fits,
)
from connectors.testing.simulator_driver import OfficialContract

Exchange = tuple[httpx.Request, httpx.Response]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_JSON = re.compile(r"application/(.*\+)?json")


class AnswerContract(Contract):
    """The answers of an OpenAPI file: names, types, words and times; nothing is required."""

    def answer_problems(
        self, request: httpx.Request, answer: httpx.Response, base: str
    ) -> Iterator[str]:
        """Say where an answer breaks the contract; a status that it does not describe is none."""
        operation = self.operation(request, base)
        described = (operation or {}).get("responses", {})
        found = described.get(str(answer.status_code), {} if answer.is_error else None)
        if found is None:
            found = described.get("default", {})
        content = self.real(found).get("content") or {}
        schema = next(
            (each.get("schema") for kind, each in content.items() if _JSON.match(kind)), None
        )
        if schema is None or not answer.content:
            return
        yield from self.problems(schema, json.loads(answer.content), "$")

    def described(self, request: httpx.Request, answer: httpx.Response, base: str) -> bool:
        """Say whether the contract has a schema for such an answer."""
        found = (self.operation(request, base) or {}).get("responses", {})
        real = self.real(found.get(str(answer.status_code), found.get("default", {})))
        return any(_JSON.match(kind) for kind in real.get("content") or {})

    def problems(self, schema: Any, value: Any, at: str) -> Iterator[str]:
        """Say where a value breaks a schema; choices beside properties add theirs to them."""
        whole = self.whole(schema)
        choices = [each for name in ("oneOf", "anyOf") for each in whole.get(name, ())]
        if choices and "properties" in whole:
            named = {name: each for name, each in whole.items() if name not in ("oneOf", "anyOf")}
            for each in choices:
                named["properties"] = {
                    **self.whole(each).get("properties", {}),
                    **named["properties"],
                }
            whole = named
        yield from super().problems(whole, value, at)

    def of_kind(self, schema: Any, value: Any, at: str) -> Iterator[str]:
        """Say where a value breaks what is said of its kind; a time is one of RFC 3339."""
        timed = isinstance(value, str) and schema.get("format") == "date-time"
        if timed and not _TIME.fullmatch(value):
            yield f"{at}: {value!r} is no time of RFC 3339"
        yield from super().of_kind(schema, value, at)

    def in_object(self, schema: Any, value: dict[str, Any], at: str) -> Iterator[str]:
        """Say where a property is none of the contract, or of another type."""
        known = schema.get("properties") or None  # an empty list of properties names any
        more = schema.get("additionalProperties")
        for name, each in value.items():
            if known is not None and name in known:
                if each is None and name not in schema.get("required", ()):
                    continue  # as if it were left out
                yield from self.problems(known[name], each, f"{at}.{name}")
            elif isinstance(more, dict):
                yield from self.problems(more, each, f"{at}.{name}")
            elif known is not None and not more:
                yield f"{at}.{name}: not in the contract"


class GraphAnswers:
    """The answers of a GraphQL schema: every value has the type of the field that was asked."""

    def __init__(self, contract: GraphContract) -> None:
        self.schema: GraphQLSchema = contract.schema

    def answer_problems(
        self, request: httpx.Request, answer: httpx.Response, base: str
    ) -> Iterator[str]:
        """Say where the data of an answer breaks the schema."""
        if answer.is_error:
            return
        data = json.loads(answer.content).get("data")
        if not isinstance(data, dict):
            return
        document = parse(json.loads(request.content)["query"])
        fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        for each in document.definitions:
            if isinstance(each, OperationDefinitionNode):
                root = self.schema.get_root_type(each.operation)
                yield from self._object(root, each.selection_set, data, fragments, "data")

    def described(self, request: httpx.Request, answer: httpx.Response, base: str) -> bool:
        """Say whether an answer has data."""
        return not answer.is_error and b'"data"' in answer.content

    def _object(
        self,
        kind: Any,
        asked: SelectionSetNode,
        value: Mapping[str, Any],
        fragments: Mapping[str, FragmentDefinitionNode],
        at: str,
    ) -> Iterator[str]:
        for node in asked.selections:
            if isinstance(node, FieldNode):
                shown, name = (node.alias or node.name).value, node.name.value
                field = kind.fields.get(name) if hasattr(kind, "fields") else None
                if name.startswith("__") or field is None or shown not in value:
                    continue
                yield from self._value(field.type, node, value[shown], fragments, f"{at}.{shown}")
            elif isinstance(node, FragmentSpreadNode):
                part = fragments[node.name.value]
                of = self.schema.type_map[part.type_condition.name.value]
                yield from self._object(of, part.selection_set, value, fragments, at)
            elif isinstance(node, InlineFragmentNode):
                named = node.type_condition
                of = self.schema.type_map[named.name.value] if named else kind
                if value.get("__typename", named and named.name.value) == getattr(of, "name", None):
                    yield from self._object(of, node.selection_set, value, fragments, at)

    def _value(
        self,
        kind: Any,
        node: FieldNode,
        value: Any,
        fragments: Mapping[str, FragmentDefinitionNode],
        at: str,
    ) -> Iterator[str]:
        if isinstance(kind, GraphQLNonNull):
            if value is None:
                yield f"{at}: null, and the schema says {kind}"
                return
            kind = kind.of_type
        if value is None:
            return
        if isinstance(kind, GraphQLList):
            if not isinstance(value, list):
                yield f"{at}: not a list"
                return
            for index, each in enumerate(value):
                yield from self._value(kind.of_type, node, each, fragments, f"{at}.{index}")
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
            of = self.schema.type_map.get(value.get("__typename", ""), kind)
            assert node.selection_set is not None
            yield from self._object(of, node.selection_set, value, fragments, at)
        else:
            yield from _leaf(kind, value, at)


def _leaf(kind: Any, value: Any, at: str) -> Iterator[str]:
    if isinstance(kind, GraphQLEnumType):
        if value not in kind.values:
            yield f"{at}: {value!r} is no word of {kind.name}"
    elif isinstance(kind, GraphQLScalarType):
        if kind.name in ("DateTime", "ISO8601DateTime") and not _TIME.fullmatch(str(value)):
            yield f"{at}: {value!r} is no time of RFC 3339"
        elif kind.name in ("Int", "Float", "String", "Boolean", "ID"):
            try:
                kind.serialize(value)
            except GraphQLError as error:
                yield f"{at}: {error.message}"


def hold_answers(
    exchanges: Sequence[Exchange], official: Sequence[OfficialContract], folder: Path
) -> ContractReport:
    """Hold answers of a simulator against the contracts that its driver names.

    Raises OSError where the folder lacks one.
    """
    found = ContractReport()
    for request, answer in exchanges:
        path = request.url.raw_path.decode().partition("?")[0]
        named = next((each for each in official if fits(each, path, request)), None)
        contract = _answers_at(folder, named) if named else None
        if named is None or contract is None or not contract.described(request, answer, named.base):
            found.outside += 1
            continue
        try:
            broken = [
                each
                for each in contract.answer_problems(request, answer, named.base)
                if not _is_looser(each, named)
            ]
        except ValueError as error:
            broken = [f"no JSON: {error}"]
        found.problems.extend(f"{request.method} {path}: {each}" for each in broken)
        found.checked += not broken
        found.operations.add(f"{request.method} {re.sub(r'[0-9]+', '#', path)}")
    return found


def _is_looser(problem: str, contract: OfficialContract) -> bool:
    """Say whether a problem is about a part in which the real server is known to differ."""
    place = re.sub(r"\.\d+(?=[.:])", "", problem.partition(": ")[0] + ":").rstrip(":")
    return any(re.fullmatch(rf"\$\.{re.escape(each)}(\..*)?", place) for each in contract.looser)


def _answers_at(folder: Path, named: OfficialContract) -> AnswerContract | GraphAnswers:
    return _answers(folder / named.file, tuple(named.declared.items()))


@lru_cache(maxsize=32)
def _answers(path: Path, declared: tuple[tuple[str, str], ...]) -> AnswerContract | GraphAnswers:
    contract = contract_at(path, declared)
    if isinstance(contract, GraphContract):
        return GraphAnswers(contract)
    return AnswerContract(contract.spec)
