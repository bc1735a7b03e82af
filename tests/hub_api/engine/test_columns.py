"""What is answered straight from columns is what graphql-core answers, byte for byte."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.access import keys
from hub.access.keys import Caller, Scope
from hub.clock import micros
from hub.ledger.arrivals import Condition
from hub.lifecycle import Action
from hub_api.common.problems import expose
from hub_api.engine.asked import Asked
from hub_api.engine.documents import Documents
from hub_api.engine.execution import Execution
from hub_api.engine.shapes import Fact, Many, Part, Shape
from hub_api.engine.wire import RequestError
from hub_api.http.access import Access
from hub_api.schema import schema
from hub_api.storefront.columns import AVAILABILITY
from hub_api.units.columns import UNIT
from jobs.services import JobServices
from world import World

SCOPES = (Scope.SCANNER, Scope.OPS, Scope.STOREFRONT, Scope.QUANTITIES, Scope.CLIENT, Scope.CARTS)
NAMES = ("A-1", "a1", "B-1", "C-1", "SAME", "LOST-1", "GONE", "490154203237518", "no such", "Ä", "")


def execution(*, plans: bool) -> Execution:
    return Execution(
        schema, Documents(schema), expose=expose, may_introspect=lambda _: True, plans=plans
    )


PLANNED, PLAIN = execution(plans=True), execution(plans=False)


def stock(world: World) -> None:
    """Make units of every kind that a look-up decides about."""
    world.receive("A-1", identifiers=(("imei", "490154203237518"),))
    world.receive("A-2", "B-1", "C-1", "D-1", "LOST-1", lot="L9")
    world.receive("E-1", expires_on=date(2027, 1, 31), produced_on=date(2026, 1, 2))
    world.receive("SAME")
    world.receive(
        "SAME", "W-1", sku="SAW", place="SHOP", condition=Condition.OPEN_BOX, put_away=False
    )
    world.do(Action.ALLOCATE, "B-1", hold_reference="cart", owner="somebody")
    ends = micros(world.now + timedelta(minutes=5))
    world.do(Action.ALLOCATE, "C-1", hold_reference="late", expires_at=ends, owner="somebody")
    world.do(Action.HOLD, "D-1", reason="look", hold_kind="quality")
    world.do(Action.MOVE, "A-2", place="WH-A1")
    world.do(Action.LOSE, "LOST-1", reason="gone")
    world.pass_time(minutes=6)


async def answer(one: Execution, asked: Asked, context: Any) -> bytes:
    try:
        document = await one.find(asked, context)
        operation = await one.admit(document, asked, context)
        return orjson.dumps(await one.run(operation, asked, context, "id"))
    except RequestError as refused:
        return orjson.dumps(refused.errors)


def selections(shape: Shape, depth: int = 3) -> st.SearchStrategy[str]:
    """Select some fields of a shape, some under other names, and some that it does not have."""
    names = [name for name, each in shape.fields.items() if depth or isinstance(each, Fact)]
    odd = ["__typename"] + (["allowedActions", "absorbed { id }"] if shape is UNIT else [])

    def written(name: str) -> st.SearchStrategy[str]:
        each = shape.fields.get(name)
        if isinstance(each, Part | Many):
            return selections(each.shape, depth - 1).map(lambda below: f"{name} {below}")
        return st.just(name)

    fields = st.lists(st.sampled_from(names), min_size=1, max_size=8, unique=True).flatmap(
        lambda chosen: st.tuples(*map(written, chosen))
    )
    more = st.lists(st.sampled_from(odd), max_size=1)

    def joined(found: tuple[tuple[str, ...], list[str], bool]) -> str:
        fields, more, is_aliased = found
        renamed = [f"other: {fields[0]}", *fields[1:]] if is_aliased else list(fields)
        return f"{{ {' '.join([*renamed, *more])} }}"

    return st.tuples(fields, more, st.booleans()).map(joined)


Question = tuple[str, dict[str, Any]]


def units() -> st.SearchStrategy[Question]:
    document = selections(UNIT).map(
        lambda below: f"query($identifier: String!) {{ unit(identifier: $identifier) {below} }}"
    )
    given_names = st.sampled_from(NAMES).map(lambda name: {"identifier": name})
    return st.tuples(document, given_names)


def pages() -> st.SearchStrategy[Question]:
    page = st.sampled_from(
        (
            "nodes {}",
            "edges {{ node {} cursor }} pageInfo {{ hasNextPage endCursor __typename }}",
            "pageInfo {{ startCursor hasPreviousPage }} items: nodes {} __typename",
        )
    )
    arguments = st.sampled_from(
        (
            "first: $first",
            "first: $first, sku: $sku",
            'first: 2, status: IN_STOCK, location: "WH"',
            "first: $first, after: $after",
            "first: $first, serialPrefix: $sku",
        )
    )
    document = st.tuples(page, arguments, selections(UNIT, 1)).map(
        lambda each: (
            "query($first: Int!, $sku: String, $after: String) "
            f"{{ units({each[1]}) {{ {each[0].format(each[2])} }} }}"
        )
    )
    variables = st.fixed_dictionaries(
        {"first": st.sampled_from((1, 3, 50, 0, -1, "x"))},
        optional={
            "sku": st.sampled_from(("CAM", "SAW", "none", None)),
            "after": st.just("nonsense"),
        },
    )
    return st.tuples(document, variables)


def shops() -> st.SearchStrategy[Question]:
    document = selections(AVAILABILITY).map(
        lambda below: f"query($skus: [String!]!) {{ availability(skus: $skus) {below} }}"
    )
    skus = st.lists(st.sampled_from(("CAM", "SAW", "LENS", "none")), max_size=4)
    return st.tuples(document, skus.map(lambda each: {"skus": each}))


class Both:
    """Two ways to answer over one world, on one event loop."""

    def __init__(self, world: World) -> None:
        self.runner = asyncio.Runner()
        services = JobServices(world.runtime())
        self.access = Access(world.database, services, world.vault, lambda: world.now)
        self.callers = {scope: self._caller(world, scope) for scope in SCOPES}

    def _caller(self, world: World, scope: Scope) -> Caller:
        client = world.client("KEPT") if scope is Scope.CLIENT else None
        key_id, _ = world.write(
            lambda tx: keys.create(tx, scope, [scope], world.now, client=client)
        )
        found = world.read(lambda tx: keys.caller_by_id(tx, key_id, world.now))
        assert found is not None
        return found

    def same(self, question: Question, scope: Scope) -> bytes:
        """Ask in both ways, the plans three times; return the answer."""
        asked = Asked(question[0], None, question[1], {}, None)

        async def ask() -> bytes:
            expected = await answer(PLAIN, asked, self.access.of(self.callers[scope]))
            for _ in range(3):
                found = await answer(PLANNED, asked, self.access.of(self.callers[scope]))
                assert found == expected
            return expected

        return self.runner.run(ask())


@pytest.fixture
def both(world: World) -> Iterator[Both]:
    stock(world)
    made = Both(world)
    yield made
    made.runner.close()


EXAMPLES = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)


@EXAMPLES
@given(question=units(), scope=st.sampled_from(SCOPES))
def test_units_are_the_same(both: Both, question: Question, scope: Scope) -> None:
    both.same(question, scope)


@EXAMPLES
@given(question=pages(), scope=st.sampled_from(SCOPES))
def test_pages_of_units_are_the_same(both: Both, question: Question, scope: Scope) -> None:
    both.same(question, scope)


@EXAMPLES
@given(question=shops(), scope=st.sampled_from(SCOPES))
def test_stock_is_the_same(both: Both, question: Question, scope: Scope) -> None:
    both.same(question, scope)


LOOKUP = """query($identifier: String!) { unit(identifier: $identifier) {
  id serial status version isPromised product { sku manufacturer { code } }
  history { action } } }"""
PAGE = "query($first: Int!) { units(first: $first) { nodes { serial } pageInfo { endCursor } } }"
STOCK = "query($skus: [String!]!) { availability(skus: $skus) { sku band available } }"


@pytest.mark.parametrize(
    ("document", "variables"),
    [(LOOKUP, {"identifier": "A-1"}), (PAGE, {"first": 2}), (STOCK, {"skus": ["CAM", "none"]})],
)
def test_plain_questions_need_no_graphql_core(
    both: Both, monkeypatch: pytest.MonkeyPatch, document: str, variables: dict[str, Any]
) -> None:
    expected = both.same((document, variables), Scope.OPS)
    monkeypatch.setattr(Execution, "_start", None)

    asked = Asked(document, None, variables, {}, None)
    context = both.access.of(both.callers[Scope.OPS])
    assert both.runner.run(answer(PLANNED, asked, context)) == expected


@pytest.mark.parametrize(
    "column", ["status = 'melted'", "condition = 'wet'", "produced_on = 'soon'"]
)
def test_what_cannot_be_shown_is_left_to_graphql_core(
    both: Both, world: World, column: str
) -> None:
    document = """query($identifier: String!) { unit(identifier: $identifier) {
      serial status condition producedOn grade } }"""
    page = """query($first: Int!) { units(first: $first) {
      nodes { serial status condition producedOn grade } } }"""
    both.same((document, {"identifier": "A-2"}), Scope.OPS)

    world.write(lambda tx: tx.run(f"UPDATE unit SET {column} WHERE serial = 'A-2'"))

    both.same((document, {"identifier": "A-2"}), Scope.OPS)
    both.same((page, {"first": 50}), Scope.OPS)


def test_a_reading_of_a_merged_or_exact_record_is_decided_as_ever(both: Both, world: World) -> None:
    kept = world.unit("B-1")["id"]
    world.write(
        lambda tx: tx.run("UPDATE unit SET merged_into = :kept WHERE serial = 'E-1'", kept=kept)
    )
    world.write(lambda tx: tx.run("UPDATE unit SET serial_exact = 'C-1' WHERE serial = 'C-1'"))
    for name in ("E-1", "e1", "C-1", "c-1"):
        both.same((LOOKUP, {"identifier": name}), Scope.OPS)
