"""Limits: one linear pass, and a cost that is never below what would be resolved."""

from itertools import product

import pytest
import strawberry
from graphql import GraphQLSchema, build_schema, parse
from hypothesis import given
from hypothesis import strategies as st

from hub_api.engine.documents import core_schema
from hub_api.engine.limits import (
    INTROSPECTION_COST,
    LimitExceeded,
    Limits,
    Measure,
    check_cost,
    check_shape,
    measure,
)

SDL = """
interface Node { id: ID! }
type Unit implements Node { id: ID! serial: String! tags: [String!]! children(limit: Int): [Unit!]!
  events(first: Int = 20, last: Int): EventConnection! parent: Unit }
type Event { id: ID! step: String! unit: Unit! }
type EventEdge { cursor: String! node: Event! }
type PageInfo { hasNextPage: Boolean! }
type EventConnection { edges: [EventEdge!]! nodes: [Event!]! pageInfo: PageInfo! total: Int! }
type Query { unit(serial: String): Unit units(first: Int): [Unit!]! a: Int plain: [Unit!]!
  names(first: Int): [String!]! node: Node }
type Mutation { scan: Unit }
"""
SCHEMA = build_schema(SDL)
LIMITS = Limits()


def measured(
    query: str,
    variables: dict[str, object] | None = None,
    limits: Limits = LIMITS,
    schema: GraphQLSchema = SCHEMA,
) -> Measure:
    document = parse(query)
    return measure(schema, document, document.definitions[0], variables or {}, limits)


def bomb(doublings: int) -> str:
    links = "".join(
        f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}\n" for n in range(doublings)
    )
    return "{ ...F0 }\n" + links + f"fragment F{doublings} on Query {{ a }}"


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ a }", 1),
        ("{ unit { id serial } }", 3),
        ("{ units(first: 100) { id serial } }", 1 + 100 * 2),
        ("{ plain { id } }", 1 + 50),
        ("{ unit { tags } }", 2),
        ("{ names(first: 500) }", 1 + 500),
        # edges and nodes take the size of their connection, and each only once
        ("{ unit { events(first: 10) { edges { node { id } } } } }", 1 + 1 + 1 + 10 * 2),
        ("{ unit { events(first: 10) { edges { cursor } nodes { id } total } } }", 5 + 10 * 2),
        ("{ unit { events { nodes { id } } } }", 1 + 1 + 1 + 20),
        ("{ unit { events(first: 5, last: 30) { nodes { id } } } }", 1 + 1 + 1 + 30),
        # the size does not reach lists further in
        (
            "{ units(first: 3) { events(first: 4) { nodes { unit { children { id } } } } } }",
            1 + 3 * (1 + 1 + 4 * (1 + 1 + 50)),
        ),
        ("{ node { id ... on Unit { serial } } }", 3),
        ("{ __typename }", 1),
    ],
)
def test_cost_multiplies_by_the_size_of_lists(query: str, cost: int) -> None:
    assert measured(query).cost == cost


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"n": 7}, 7),
        ({}, 30),
        ({"n": 7.0}, 7),
        ({"n": None}, 50),
        ({"n": "x"}, 50),
        ({"n": -1}, 50),
    ],
)
def test_page_sizes_come_from_variables_and_their_defaults(
    given: dict[str, object], size: int
) -> None:
    found = measured("query Q($n: Int = 30) { units(first: $n) { id } }", given)

    assert found.cost == 1 + size
    assert found.sizes == ("n",)


def test_an_operation_whose_variables_change_no_size_is_static() -> None:
    assert measured("query Q($s: String) { unit(serial: $s) { id } }").sizes == ()


def test_a_variable_without_value_leaves_the_default_of_the_argument() -> None:
    query = "query Q($n: Int) { unit { events(first: $n) { nodes { id } } } }"

    assert measured(query).cost == 1 + 1 + 1 + 20


def test_a_fragment_bomb_is_walked_once_and_refused() -> None:
    text = bomb(20)
    found = measured(text)

    assert found.cost == 2**20
    assert found.visits == 1 + 2 * 20 + 1
    with pytest.raises(LimitExceeded) as refused:
        check_cost(found.cost, LIMITS)
    assert refused.value.extensions == {
        "code": "COST_LIMIT",
        "measured": 2**20,
        "max": LIMITS.cost_max,
    }


def test_the_work_grows_with_the_document_and_not_with_what_it_unfolds_to() -> None:
    assert [measured(bomb(n)).visits for n in (10, 20, 40, 80)] == [22, 42, 82, 162]


def test_seventy_four_bytes_of_nested_lists_are_stopped() -> None:
    query = "{units(first:100){children(limit:50){children(limit:50){id serial}}}}"
    assert len(query) <= 74

    found = measured(query)

    assert found.cost >= 100 * 50 * 50 * 2
    with pytest.raises(LimitExceeded, match="at most 20000"):
        check_cost(found.cost, LIMITS)


def test_connections_inside_fragments_are_sized_where_they_are_spread() -> None:
    query = """
      { small: unit { events(first: 2) { ...E } } large: unit { events(first: 200) { ...E } } }
      fragment E on EventConnection { nodes { id } }
    """

    assert measured(query).cost == 2 * (1 + 1 + 1) + 2 + 200


@pytest.mark.parametrize(
    ("query", "limits", "code"),
    [
        ("{ unit { parent { id } } }", Limits(depth_max=2), "DEPTH_LIMIT"),
        (
            "{ unit { ...P } } fragment P on Unit { parent { id } }",
            Limits(depth_max=2),
            "DEPTH_LIMIT",
        ),
        ("{ x: a y: a z: a }", Limits(aliases_max=2), "ALIAS_LIMIT"),
        ("{ a unit { id } plain { id } }", Limits(root_fields_max=2), "ROOT_FIELD_LIMIT"),
    ],
)
def test_each_limit_says_what_was_measured(query: str, limits: Limits, code: str) -> None:
    with pytest.raises(LimitExceeded) as refused:
        check_shape(measured(query, limits=limits), limits)

    assert refused.value.extensions == {"code": code, "measured": 3, "max": 2}


def test_depth_through_a_remembered_fragment_counts_where_it_is_spread() -> None:
    query = "{ unit { ...P parent { parent { ...P } } } } fragment P on Unit { parent { id } }"

    assert measured(query).depth == 5


def test_a_document_that_nests_for_ever_ends_at_the_limit() -> None:
    deep = "{ unit " + "{ parent " * 150 + "{ id }" + " }" * 151

    with pytest.raises(LimitExceeded) as refused:
        measured(deep)
    assert refused.value.extensions["code"] == "DEPTH_LIMIT"


def test_circles_and_unknown_names_do_no_harm() -> None:
    circle = """{ ...A ...Nobody nothing { x } }
      fragment A on Query { ...B } fragment B on Query { ...A a }"""

    assert measured(circle).cost == 3


def test_introspection_costs_a_flat_price_and_has_no_depth() -> None:
    query = "{ __schema { types { fields { type { ofType { ofType { name } } } } } } a }"
    found = measured(query)

    assert (found.introspection, found.depth, found.cost) == (True, 1, INTROSPECTION_COST + 1)


def test_the_schema_may_tell_weights_and_sizes() -> None:
    @strawberry.type
    class Item:
        name: str

    @strawberry.type
    class Query:
        dear: int = strawberry.field(metadata={"cost": 30})
        items: list[Item] = strawberry.field(metadata={"size": 3})

    schema = core_schema(strawberry.Schema(Query))

    assert measured("{ dear }", schema=schema).cost == 30
    assert measured("{ items { name } }", schema=schema).cost == 1 + 3


def test_defaults_of_strawberry_arguments_are_understood() -> None:
    @strawberry.type
    class Item:
        name: str

    @strawberry.type
    class Query:
        @strawberry.field
        def items(self, first: int = 7) -> list[Item]:
            return [Item(name=str(first))]

    schema = core_schema(strawberry.Schema(Query))

    assert measured("{ items { name } }", schema=schema).cost == 1 + 7


sizes = st.integers(min_value=0, max_value=4)


@given(units=sizes, children=sizes, events=sizes, fragment=st.booleans())
def test_cost_is_never_below_the_fields_that_are_resolved(
    units: int, children: int, events: int, fragment: bool
) -> None:
    page = f"events(first: {events}) {{ edges {{ node {{ id }} }} }}"
    inner = f"id children(limit: {children}) {{ serial {page} }}"
    spread = "...U" if fragment else inner
    query = f"{{ units(first: {units}) {{ {spread} }} }}"
    query += f" fragment U on Unit {{ {inner} }}" if fragment else ""
    resolved = 1 + units * 2
    resolved += sum(1 + 1 + 1 for _ in product(range(units), range(children)))
    resolved += sum(2 for _ in product(range(units), range(children), range(events)))

    assert measured(query).cost >= resolved
