"""Answers of simulators are held against the official contracts; their schemas are as strict."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    is_input_object_type,
    is_required_argument,
    is_required_input_field,
)

from connectors.registry import connector_class
from connectors.testing.official_answers import (
    AnswerContract,
    GraphAnswers,
    hold_answers,
)
from connectors.testing.official_contracts import GraphContract, contract_at
from connectors.testing.scorecard import driver_of, score_one
from connectors.testing.simulator_driver import OfficialContract
from contracts import HOW, SPECS

ROOT = Path(__file__).parents[3]
LINE = {"type": "object", "properties": {"qty": {"type": "integer"}}, "required": ["qty"]}
ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "state": {"type": "string", "enum": ["open", "done"]},
        "at": {"type": "string", "format": "date-time"},
        "note": {"type": "string"},
        "lines": {"type": "array", "items": LINE},
        "free": {"type": "object", "properties": {}},
        "words": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "oneOf": [{"properties": {"paid": {"type": "boolean"}}}],
}
SPEC: dict[str, Any] = {
    "paths": {
        "/orders/{id}": {
            "get": {"responses": {"200": {"content": {"application/json": {"schema": ORDER}}}}}
        }
    }
}
GOOD = {
    "id": "1",
    "state": "open",
    "at": "2026-11-01T10:00:00.5+05:30",
    "note": None,
    "lines": [{"qty": 1}],
    "free": {"any": 1},
    "words": {"a": 1},
    "paid": True,
}
REQUEST = httpx.Request("GET", "http://x/orders/1")


def problems(body: Any, status: int = 200) -> list[str]:
    answer = httpx.Response(status, json=body)
    return list(AnswerContract(SPEC).answer_problems(REQUEST, answer, ""))


def test_an_answer_that_keeps_to_its_contract_has_no_problem() -> None:
    assert problems(GOOD) == []
    assert problems({"id": "1"}) == []  # it may leave out what nobody reads
    assert problems("whatever", 404) == []  # a status of which the contract says nothing


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"id": 1}, "$.id"),
        ({"state": "shut"}, "$.state"),
        ({"at": "01/11/2026 10:00"}, "$.at"),
        ({"lines": [{"qty": "1"}]}, "$.lines.0.qty"),
        ({"lines": [{"qty": None}]}, "$.lines.0.qty"),
        ({"words": {"a": "b"}}, "$.words.a"),
        ({"paid": "yes"}, "$.paid"),
        ({"shipped": 1}, "$.shipped"),
    ],
)
def test_an_answer_that_breaks_its_contract_names_the_place(change: Any, where: str) -> None:
    (found,) = problems({**GOOD, **change})
    assert found.startswith(f"{where}:")


SDL = """
type Query { order(id: ID!): Order }
scalar DateTime
enum State { OPEN DONE }
interface Node { id: ID! }
type Order implements Node { id: ID! state: State! count: Int at: DateTime lines: [Line!]! }
type Line { sku: String! }
"""
ASKED = """query One { one: order(id: 1) { ...Facts ... on Order { lines { sku } } } }
fragment Facts on Order { id state count at }"""
GOOD_NODE = {"id": "1", "state": "OPEN", "count": 3, "at": "2026-11-01T10:00:00Z", "lines": []}


def graph_problems(node: Any) -> list[str]:
    answers = GraphAnswers(GraphContract(build_schema(SDL)))
    request = httpx.Request("POST", "http://x/graphql", json={"query": ASKED})
    answer = httpx.Response(200, json={"data": {"one": node}})
    return list(answers.answer_problems(request, answer, ""))


def test_data_that_keeps_to_the_schema_has_no_problem() -> None:
    assert graph_problems(GOOD_NODE) == []
    assert graph_problems(None) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"state": "SHUT"}, "data.one.state"),
        ({"state": None}, "data.one.state"),
        ({"count": 2**40}, "data.one.count"),
        ({"at": "yesterday"}, "data.one.at"),
        ({"lines": None}, "data.one.lines"),
        ({"lines": [{"sku": None}]}, "data.one.lines.0.sku"),
    ],
)
def test_data_that_breaks_the_schema_names_the_place(change: Any, where: str) -> None:
    (found,) = graph_problems({**GOOD_NODE, **change})
    assert found.startswith(f"{where}:")


def test_what_the_real_server_says_otherwise_is_named_and_only_that_passes(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    answer = httpx.Response(200, json={**GOOD, "id": 1, "lines": [{"qty": "1"}]})
    looser = OfficialContract("spec.json", looser=frozenset({"lines.qty"}))
    found = hold_answers([(REQUEST, answer)], [looser], tmp_path)
    assert [each.split(": ")[1] for each in found.problems] == ["$.id"]
    assert found.checked == 0


def test_an_invented_answer_fails_the_scorecard() -> None:
    if not SPECS.exists():
        pytest.skip(HOW)
    driver = driver_of("medusa")
    assert driver is not None

    class Inventing(driver):  # type: ignore[misc, valid-type]
        def place_order(self, sku: str, quantity: int) -> str:
            ref = super().place_order(sku, quantity)
            self.simulator.orders[ref]["items"][0]["colour"] = "red"
            return str(ref)

    column = score_one(connector_class("medusa"), Inventing, SPECS)
    assert column.results["official-contract"].verdict == "pass"
    found = column.results["official-answers"]
    assert (found.verdict, "colour: not in the contract" in found.detail) == ("fail", True)


OURS = {
    "shopify": ("shopify/admin-2026-10.nodesc.graphql", ()),
    "saleor": ("saleor/schema.graphql", ()),
    "vendure": ("vendure/schema-admin.graphql", (("Fulfillment", "serials: [String!]"),)),
}


def official_schema(key: str) -> GraphQLSchema:
    name, declared = OURS[key]
    if not (SPECS / name).exists():
        pytest.skip(HOW)
    contract = contract_at(SPECS / name, declared)
    assert isinstance(contract, GraphContract)
    return contract.schema


def differences(ours: GraphQLSchema, real: GraphQLSchema) -> Iterator[str]:
    """Say where a schema of ours is looser than the official one."""
    for name, kind in ours.type_map.items():
        official = real.type_map.get(name)
        if name.startswith("__") or isinstance(kind, GraphQLScalarType):
            continue
        if type(kind) is not type(official):
            yield f"{name}: {type(official).__name__}"
        elif isinstance(kind, GraphQLEnumType):
            yield from (f"{name}.{each}" for each in set(kind.values) - set(official.values))
        elif hasattr(kind, "fields"):
            for field, of in kind.fields.items():
                known = official.fields.get(field)
                if str(of.type) != str(known and known.type):
                    yield f"{name}.{field}: {of.type}, not {known and known.type}"
                for argument, given in getattr(of, "args", {}).items():
                    wanted = known and known.args.get(argument)
                    if str(given.type) != str(wanted and wanted.type):
                        yield f"{name}.{field}({argument}): {given.type}"
            yield from _left_out(name, kind, official)


def _left_out(name: str, kind: Any, official: Any) -> Iterator[str]:
    """Say what is required there and has no place in ours."""
    if is_input_object_type(kind):
        for field, known in official.fields.items():
            if is_required_input_field(known) and field not in kind.fields:
                yield f"{name} lacks {field}"
        return
    for field, of in kind.fields.items():
        for argument, known in getattr(official.fields.get(field), "args", {}).items():
            if is_required_argument(known) and argument not in of.args:
                yield f"{name}.{field} lacks {argument}"


@pytest.mark.parametrize("key", OURS)
def test_the_schema_of_a_simulator_is_as_strict_as_the_official_one(key: str) -> None:
    text = (ROOT / "connectors" / key / f"{key}.graphql").read_text()
    assert list(differences(build_schema(text), official_schema(key))) == []


def test_a_looser_schema_is_seen() -> None:
    real = build_schema(SDL)
    loose = SDL.replace("state: State!", "state: String!").replace("OPEN DONE", "OPEN DONE GONE")
    found = list(differences(build_schema(loose), real))
    assert sorted(found) == ["Order.state: String!, not State!", "State.GONE"]
