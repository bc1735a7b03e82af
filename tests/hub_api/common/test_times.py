"""Times that callers state: checked once, whatever takes them; stored values break no reader."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)
from sqlalchemy import BigInteger

from api_client import Caller, Hub, play
from commanding import CORE, KEY, base, document, mutations
from correcting import never
from hub import imports
from hub.access.keys import Scope
from hub.capture import capture
from hub.capture.answers import Purpose
from hub.history import event_feed
from hub.imports import Plan
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
CAM = "04006381333931"
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


AHEAD = {
    "expiresOn": "the last day of goods", "expiresAt": "the end of a promise",
    "deliverBy": "a promise to a buyer", "shipBy": "a promise to a buyer",
    "promisedOn": "a promise to a buyer", "expectedOn": "the arrival of a shipment",
    "startsOn": "the first day of a cover", "endsOn": "the last day of a cover",
    "producedFrom": "a recall's period", "producedTo": "a recall's period",
    "receivedFrom": "a recall's period", "receivedTo": "a recall's period",
    "until": "the end of a period that is asked for",
}  # fmt: skip
"""The times that a caller may state although they lie ahead, each with its reason."""
SCALARS = {"Date": "2027-03-01", "DateTime": "2027-03-01T12:00:00Z"}
PAST = {"Date": "2026-01-01", "DateTime": "2026-01-01T12:00:00Z"}


def paths(type_: Any, inside: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the way to each time or day in a type, whatever inputs it is in."""
    named = get_named_type(type_)
    if str(named) in SCALARS:
        yield inside
    if isinstance(named, GraphQLInputObjectType):
        for name, each in named.fields.items():
            if name not in inside:
                yield from paths(each.type, (*inside, name))


def stating(type_: Any, path: tuple[str, ...], values: dict[str, str]) -> Any:
    """Return a value of a type that states a time at the end of a way, and what is required."""
    if isinstance(type_, GraphQLNonNull):
        return stating(type_.of_type, path, values)
    if isinstance(type_, GraphQLList):
        return [stating(type_.of_type, path, values)]
    if isinstance(type_, GraphQLInputObjectType):
        return {
            name: stating(each.type, path[1:], values)
            if path and name == path[0]
            else stating(each.type, (), PAST)
            if next(paths(each.type), None) is not None
            else base(each.type)
            for name, each in type_.fields.items()
            if isinstance(each.type, GraphQLNonNull) or (path and name == path[0])
        }
    return values.get(str(type_), base(type_))


async def answered(caller: Caller, mutation: str, path: tuple[str, ...]) -> Any:
    """Send a mutation that states a time to come at the end of a way."""
    assert CORE.mutation_type is not None
    args = CORE.mutation_type.fields[mutation].args
    given = {
        each: stating(arg.type, path[1:], SCALARS)
        if each == path[0]
        else stating(arg.type, (), PAST)
        for each, arg in args.items()
        if each != KEY and (each == path[0] or isinstance(arg.type, GraphQLNonNull))
    }
    given[KEY] = f"{mutation} {path}"[:100]
    return (await caller.post(document(mutation, tuple(given)), **given)).json()


def test_every_stated_time_has_happened_or_is_one_that_may_lie_ahead(world: World) -> None:
    assert CORE.mutation_type is not None
    stated = [
        (mutation, path)
        for mutation in sorted(CORE.mutation_type.fields)
        for argument, each in CORE.mutation_type.fields[mutation].args.items()
        for path in paths(each.type, (argument,))
    ]
    wrong = []

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for mutation, path in stated:
            said = await answered(admin, mutation, path)
            assert "errors" not in said, (mutation, path, said)
            message = str(said["data"]["done"].get("message"))
            is_refused = f"{path[-1]} is in the future" in message
            if is_refused == (path[-1] in AHEAD):
                wrong.append((mutation, path, message))

    play(world, story)
    assert wrong == []
    assert {path[-1] for _, path in stated} >= {"producedOn", "occurredAt", "on", *AHEAD}
    assert len(stated) > 60


@pytest.mark.parametrize("name", ["produced_on", "tested_on", "designed_on"])
def test_nothing_is_made_on_a_day_to_come_whatever_way_it_arrives(world: World, name: str) -> None:
    tomorrow = (world.now + timedelta(days=2)).date()
    (verdict,) = world.receive("SN-1", **{name: tomorrow})
    assert verdict.code == "INVALID_INPUT"
    assert world.receive("SN-1", **{name: world.now.date()})[0].accepted
    label = f"]d201{CAM}11{tomorrow:%y%m%d}21SN-2"
    assert world.receive(label)[0].code == "INVALID_INPUT"
    answer = world.read(
        partial(capture, readings=[label], purpose=Purpose.RECEIVE, today=world.now.date())
    )
    assert (answer.signal, answer.code) == ("refuse", "contradiction")


def test_a_file_brings_nothing_that_was_made_on_a_day_to_come(world: World, tmp_path: Path) -> None:
    path = tmp_path / "made.csv"
    path.write_text(
        "serial,sku,produced on,expiry\nSN-1,CAM,2031-01-01,\nSN-2,CAM,2026-01-01,2031-01-01\n"
    )
    run = imports.begin(world.database, world.context(), path, Plan(location="WH"))
    run = imports.carry_out(world.database, world.context(), run)
    assert (run.accepted, run.refused) == (1, 1)
    assert world.unit("SN-2")["expires_on"] == "2031-01-01"


def test_no_field_of_a_record_breaks_at_any_day(world: World) -> None:
    world.receive("SN-1")
    fields = {
        (name, field_name): [arg for arg in field.args if states_any(field.args[arg].type)]
        for name, type_ in CORE.type_map.items()
        if isinstance(type_, GraphQLObjectType)
        and type_ not in {CORE.query_type, CORE.mutation_type}
        for field_name, field in type_.fields.items()
        if any(states_any(each.type) for each in field.args.values())
    }
    assert fields == {
        ("Unit", "cover"): ["on"],
        ("Unit", "kit"): ["asOf"],
        ("Unit", "kitMembers"): ["asOf"],
    }

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for (_, field), (argument,) in fields.items():
            for value in (*DAYS, "9999-12-31") if argument == "on" else TIMES:
                asked = f'{field}({argument}: "{value}") {{ __typename }}'
                said = (await admin.post(f'{{ unit(identifier: "SN-1") {{ {asked} }} }}')).json()
                codes = {each["extensions"]["code"] for each in said.get("errors", [])}
                assert codes <= {"INVALID_INPUT"}, (field, value, said)

    play(world, story)


def states_any(type_: Any) -> bool:
    return str(get_named_type(type_)) in SCALARS


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
