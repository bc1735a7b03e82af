"""Times that callers state: checked once, whatever takes them; stored values break no reader."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLList, GraphQLNonNull, get_named_type
from sqlalchemy import BigInteger

from api_client import Caller, Hub, play
from commanding import CORE, KEY, base, document, mutations
from correcting import never
from hub.access.keys import Scope
from hub.history import event_feed
from hub.ledger import hash_chain
from hub.lifecycle import Action
from hub.storage.model import metadata
from hub.storage.sql import Transaction
from hub.webhooks import payload
from world import World

# The default value of .NET in two zones, of Unix, of GPS; the last that a datetime can hold.
TIMES = (
    "0001-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "1980-01-06T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "2026-11-02T11:00:00",
)
DAYS = ("0001-01-01", "1899-12-31")
RECEIVE = """mutation($at: DateTime!) { done: receiveUnits(idempotencyKey: "NEW", location: "SHOP",
  units: [{ serial: "P-1", product: "CAM" }], context: { occurredAt: $at }) { __typename
  ... on CommandResult { accepted } ... on InvalidInput { field } } }"""
QUESTIONS = (
    "{ units(first: 50) { nodes { serial receivedAt soldAt changedAt history { occurredAt } } } }",
    '{ unit(identifier: "SN-1") { serial receivedAt soldAt holds { placedAt expiresAt } } }',
    '{ history(identifier: "SN-1") { occurredAt recordedAt } }',
    "{ financialEvents { serial occurredAt } }",
    '{ stockAsOf(location: "WH", at: "2026-11-30T00:00:00Z") { nodes { serial since } } }',
    '{ unitAsOf(identifier: "SN-1", at: "2026-11-30T00:00:00Z") { status } }',
    '{ trialBalance(at: "2026-11-30T00:00:00Z") { existed addsUp } }',
    '{ valuation(at: "2026-11-30T00:00:00Z", by: PRODUCT) { units uncosted } }',
    '{ capture(readings: ["SN-1"], purpose: FIND) { code unit { changedAt } } }',
    "{ cases(first: 10) { nodes { id openedAt newestAt ageHours } } }",
    "{ products { sku } }",
)
POISON = (-(2**62), 2**62, -62_135_600_400_000_000)


def states_time(type_: Any, name: str) -> bool:
    """Whether a type holds a value of a scalar, at any depth of lists and required inputs."""
    named = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        return any(states_time(each.type, name) for each in _simple(named).values())
    return str(named) == name


def _simple(type_: GraphQLInputObjectType) -> dict[str, Any]:
    return {
        name: each
        for name, each in type_.fields.items()
        if get_named_type(each.type) is not type_
        and not isinstance(get_named_type(each.type), GraphQLInputObjectType)
    }


def with_time(type_: Any, name: str, value: str) -> Any:
    """Return a value of a type in which every such scalar has the value."""
    if isinstance(type_, GraphQLNonNull):
        return with_time(type_.of_type, name, value)
    if isinstance(type_, GraphQLList):
        return [with_time(type_.of_type, name, value)]
    if isinstance(type_, GraphQLInputObjectType):
        return {
            field: with_time(each.type, name, value)
            if states_time(each.type, name)
            else base(each.type)
            for field, each in type_.fields.items()
            if isinstance(each.type, GraphQLNonNull) or str(get_named_type(each.type)) == name
        }
    return value


def commands(name: str) -> Iterator[tuple[str, str]]:
    assert CORE.mutation_type is not None
    for mutation in mutations():
        for argument, each in CORE.mutation_type.fields[mutation].args.items():
            if states_time(each.type, name):
                yield mutation, argument


async def refusal(caller: Caller, mutation: str, argument: str, name: str, value: str) -> Any:
    assert CORE.mutation_type is not None
    args = CORE.mutation_type.fields[mutation].args
    given = {
        each: base(args[each].type)
        for each in args
        if isinstance(args[each].type, GraphQLNonNull) and each != KEY
    }
    given |= {KEY: "k", argument: with_time(args[argument].type, name, value)}
    return (await caller.post(document(mutation, tuple(given)), **given)).json()


def test_no_command_takes_a_time_that_nobody_means(world: World) -> None:
    asked = [("DateTime", each) for each in TIMES] + [("Date", each) for each in DAYS]

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        seen = 0
        for name, value in asked:
            for mutation, argument in commands(name):
                said = await refusal(admin, mutation, argument, name, value)
                assert "errors" not in said, (mutation, value, said)
                assert said["data"]["done"]["code"] == "INVALID_INPUT", (mutation, argument, value)
                seen += 1
        assert seen > 200

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM event") == 0


def test_a_refused_time_names_its_field_and_the_last_good_ones_are_taken(world: World) -> None:
    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        done = (await scanner.ask(RECEIVE, at=TIMES[0]))["done"]
        assert done == {"__typename": "InvalidInput", "field": "occurredAt"}
        done = (await scanner.ask(RECEIVE, at="1981-01-01T00:00:00Z"))["done"]
        assert done == {"__typename": "CommandResult", "accepted": 1}

    play(world, story)


GIVEN = {"identifier": '"SN-1"', "location": '"WH"', "client": '"KEPT"', "by": "PRODUCT"}


def test_no_question_breaks_at_any_time(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")
    world.client("KEPT")
    assert CORE.query_type is not None
    fields = {
        name: {each: GIVEN.get(each, "null") for each in field.args if each in GIVEN}
        | {each: "" for each, arg in field.args.items() if states_time(arg.type, "DateTime")}
        for name, field in CORE.query_type.fields.items()
        if any(str(get_named_type(arg.type)) == "DateTime" for arg in field.args.values())
    }

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for value in (*TIMES, "1969-12-31T23:59:59Z"):
            for name, given in fields.items():
                passed = ", ".join(
                    f"{each}: {text or chr(34) + value + chr(34)}" for each, text in given.items()
                )
                said = (await admin.post(f"{{ {name}({passed}) {{ __typename }} }}")).json()
                codes = {each["extensions"]["code"] for each in said.get("errors", [])}
                assert codes <= {"INVALID_INPUT"}, (name, value, said)
        assert len(fields) >= 8

    play(world, story)


TIMED = [
    (name, column.name)
    for name, table in metadata.tables.items()
    for column in table.columns
    if name != "api_key" and column.name.endswith("_at") and isinstance(column.type, BigInteger)
]


def _unguard(tx: Transaction) -> None:
    """Remove what keeps stored events from being changed."""
    if tx.dialect == "sqlite":
        for row in tx.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            tx.run(f"DROP TRIGGER {row['name']}")
        return
    for row in tx.rows(
        "SELECT tgname, relname FROM pg_trigger JOIN pg_class "
        "ON pg_class.oid = tgrelid WHERE NOT tgisinternal"
    ):
        tx.run(f"DROP TRIGGER {row['tgname']} ON {row['relname']}")


def _poison(tx: Transaction, statement: str, value: int | str) -> int:
    return tx.run(statement, v=value)


@pytest.mark.parametrize("value", POISON)
def test_no_stored_time_breaks_a_reader(world: World, value: int) -> None:
    world.receive("SN-1", "SN-2", identifiers=(("asset", "A-1"),))
    world.do(Action.HOLD, "SN-2", hold_kind="fraud")
    world.write(_unguard)

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for table, column in TIMED:
            changed = f'UPDATE "{table}" SET {column} = :v'
            count = world.write(partial(_poison, statement=changed, value=value))
            for question in QUESTIONS if count else ():
                said = (await admin.post(question)).json()
                assert "errors" not in said, (table, column, question, said)

    play(world, story)


DOCUMENTS = (
    ("event", "details"),
    ("product", "traits"),
    ("product", "capture_points"),
)
TEXTS = (
    ("unit", "lot"),
    ("unit", "supplier"),
    ("unit", "purchase_order"),
    ("event", "reason"),
    ("event", "actor"),
    ("event", "document_ref"),
    ("hold", "reference"),
)


@pytest.mark.parametrize("value", ["{", "[1]", '"x"', "null", "{}", '["no such"]', ""])
def test_no_stored_document_breaks_a_reader_or_a_message(world: World, value: str) -> None:
    _poisoned(world, DOCUMENTS, value)


@pytest.mark.parametrize("value", ["\x01\x7f", "\u202e\u2066", "\ufffe\U0010ffff", "x" * 40, ""])
def test_no_stored_text_breaks_a_reader_or_a_message(world: World, value: str) -> None:
    _poisoned(world, TEXTS, value)


def _poisoned(world: World, columns: Sequence[tuple[str, str]], value: str) -> None:
    world.receive("SN-1", "SN-2")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    world.do(Action.HOLD, "SN-2", hold_kind="fraud")
    never(world, "SN-1", 3)
    world.write(_unguard)

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for table, column in columns:
            changed = f'UPDATE "{table}" SET {column} = :v WHERE 1 = 1'
            if column == "details":  # sums of the past read those of corrections in SQL
                changed += " AND corrects IS NULL"
            world.write(partial(_poison, statement=changed, value=value))
            for question in QUESTIONS:
                said = (await admin.post(question)).json()
                assert "errors" not in said, (table, column, question, said)

    play(world, story)
    start = event_feed.Position(0, 0)
    rows = world.read(lambda tx: event_feed.after(tx, start, limit=100))
    assert len(rows) == 7
    assert len(world.read(lambda tx: event_feed.ledger_events(tx, rows))) == 7
    assert all(payload.of_event(row) for row in rows)
    world.read(hash_chain.verify)  # names what was changed, and does not fail
