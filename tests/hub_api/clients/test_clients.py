"""A client's own key: every root field of the schema is walked, and tells nothing of others'."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
    get_named_type,
)

from api_client import Caller, Hub, play
from hub import clients, kits
from hub.access import keys
from hub.access.keys import Scope
from hub.clock import new_id
from hub.commands.context import Document
from hub.commands.work import Work
from hub.kits import Part
from hub.ledger.holds import HoldKind
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.unit_records import costs, custom_fields
from hub.unit_records.costs import Cost, CostKind
from hub_api.engine.documents import core_schema
from hub_api.schema import schema
from subscribing import Listener, listening, over_a_socket
from world import World

CORE = core_schema(schema)
# What a client's key may ask; all else is refused. Of these the ones that name a unit are told
# that there is none.
OPEN = {
    "unit", "units", "history", "clientStock", "clientValuation", "clientReport",
    "node", "nodes", "viewer", "publicKey", "webhooks", "webhook", "webhookTopics",
    "webhookDeliveries",
}  # fmt: skip
UNKNOWN = {"FORBIDDEN", "UNKNOWN_UNIT", "INVALID_INPUT"}
# How far an answer is asked for; a long list of what leads back to units would cost too much.
DEPTH = 3
DEPTHS = {"history": 2}

TRANSFER = """mutation($key: String!, $client: String, $ref: String) {
  done: transferTitle(idempotencyKey: $key, units: [{identifier: "SN-H"}], client: $client,
    context: {documentType: "inv", documentRef: $ref}) { __typename
    ... on CommandResult { accepted replayed results { problem { code } unit { client } } }
    ... on Problem { code } } }"""
REGISTER = """mutation($key: String!, $name: String!) {
  done: registerClient(idempotencyKey: $key, code: "CAT", name: $name) { __typename
    ... on Client { clientCode: code name } ... on Problem { code } } }"""
MAKE_KEY = """mutation($scopes: [KeyScope!]!, $client: String) {
  done: createApiKey(idempotencyKey: "NEW", name: "k", scopes: $scopes, client: $client) {
  __typename
    ... on NewApiKey { secret } ... on Problem { code } ... on InvalidInput { field } } }"""
REPORT = """query($client: String, $after: String) {
  clientReport(client: $client, columns: [SERIAL, STATUS], fields: ["colour"], first: 1,
    after: $after) { header rows after } }"""
OWN = """query($at: DateTime!) {
  viewer { scopes client }
  unit(identifier: "sn-a") { serial client fields { name value } history { action } }
  units { nodes { serial client } }
  clientStock { sku location units available promised blocked }
  clientValuation(at: $at) { units lines { key amount } } }"""


@pytest.fixture
def house(world: World) -> World:
    """Keep goods of ANT, of BEE and of the house, with all that can be known of each."""
    for code in ("ANT", "BEE"):
        world.client(code)
    channel = world.channel("bees", client="BEE")
    world.list_product(channel)
    for serial, client in (("SN-A", "ANT"), ("SN-B", "BEE"), ("SN-B2", "BEE"), ("SN-H", None)):
        world.receive(serial, client=client, supplier=f"supplier-of-{serial}", lot=f"lot-{serial}")
        line = Cost(Scan(serial), CostKind.ACQUISITION, 70_707, "EUR")
        world.write(lambda tx, line=line: costs.record(tx, world.context(), [line]))
        world.write(
            lambda tx, serial=serial: custom_fields.set_fields(
                tx, world.context(), serial, {"colour": f"colour-of-{serial}"}
            )
        )
    world.receive("LENS-B", sku="LENS", client="BEE")
    part = Part(Scan("LENS-B"), "part-of-bee")
    world.write(
        lambda tx: kits.assemble(Work(tx, world.context(), new_id()), Scan("SN-B2"), [part])
    )
    world.accept(channel, world.order("order-of-bee"))
    world.do(Action.HOLD, "SN-H", hold_kind=str(HoldKind.QUALITY), reason="reason-of-house")
    return world


def marks(world: World) -> list[str]:
    """Name everything that tells of somebody else's goods."""
    others = ("SN-B", "SN-B2", "SN-H", "LENS-B")
    ids = [world.unit(serial)["id"] for serial in others]
    events = world.rows("SELECT id FROM event WHERE unit_id IN (:ids...)", ids=ids)
    return [
        *others, *ids, *(row["id"] for row in events), "BEE", "bees", "order-of-bee",
        "colour-of-SN-B", "supplier-of-SN-B", "lot-SN-B", "colour-of-SN-H", "supplier-of-SN-H",
        "reason-of-house", "part-of-bee",
    ]  # fmt: skip


def values(world: World) -> list[str]:
    """Return what somebody curious would ask for."""
    return [
        "SN-B", "sn h", world.unit("SN-B")["id"], world.unit("SN-B2")["id"],
        str(world.value("SELECT id FROM event WHERE unit_id = :id", id=world.unit("SN-B")["id"])),
        str(world.value("SELECT id FROM sales_order")), str(world.value("SELECT id FROM hold")),
        "bees", "BEE", "CAM", "WH", "supplier-of-SN-B",
    ]  # fmt: skip


class Question:
    """One root field with all of its arguments, filled with one text wherever a text goes."""

    def __init__(self, kind: str, name: str, field: GraphQLField, now: str) -> None:
        self.kind, self.name, self.field, self.now = kind, name, field, now

    def document(self, names: Iterable[str], *, deep: bool) -> str:
        args = {name: self.field.args[name] for name in names}
        declared = ", ".join(f"${name}: {arg.type}" for name, arg in args.items())
        given = ", ".join(f"{name}: ${name}" for name in args)
        head = f"{self.kind}({declared}) " if declared else f"{self.kind} "
        depth = DEPTHS.get(self.name, DEPTH) if deep else 0
        call = f"{self.name}({given})" if given else self.name
        return f"{head}{{ asked: {call} {self._selection(self.field.type, depth)} }}"

    def _selection(self, type_: Any, depth: int) -> str:
        named = get_named_type(type_)
        if isinstance(named, GraphQLInterfaceType):
            return "{ __typename id ... on Unit { serial } ... on Product { sku } }"
        if not isinstance(named, GraphQLObjectType | GraphQLUnionType):
            return ""
        if isinstance(named, GraphQLUnionType):
            return "{ __typename ... on Problem { code message } }"
        if depth == 0:
            return "{ __typename }"
        return f"{{ __typename {' '.join(self._fields(named, depth - 1))} }}"

    def _fields(self, type_: GraphQLObjectType, depth: int) -> Iterator[str]:
        for name, each in type_.fields.items():
            if any(_needed(arg.type, arg.default_value) for arg in each.args.values()):
                continue
            nested = isinstance(get_named_type(each.type), GraphQLObjectType)
            if not nested or depth:
                yield f"{name} {self._selection(each.type, depth)}"

    def variables(self, text: str, *, optional: bool) -> dict[str, Any]:
        """Fill the arguments; without the optional ones a list shows whatever it can."""
        return {
            name: self._value(arg.type, text)
            for name, arg in self.field.args.items()
            if _needed(arg.type, arg.default_value)
            or name == "first"
            or (optional and name not in {"after", "before"})
        }

    def _value(self, type_: Any, text: str) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._value(type_.of_type, text)
        if isinstance(type_, GraphQLList):
            return [self._value(type_.of_type, text)]
        if isinstance(type_, GraphQLEnumType):
            return next(iter(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return {
                field: self._value(each.type, text)
                for field, each in type_.fields.items()
                if _needed(each.type, each.default_value)
            }
        scalars = {
            "Int": 5, "Float": 5.0, "Boolean": True, "JSON": {}, "Amount": 5,
            "DateTime": self.now, "Date": self.now[:10],
        }  # fmt: skip
        return scalars.get(str(type_), text)


def _needed(type_: Any, default: Any) -> bool:
    return isinstance(type_, GraphQLNonNull) and default is Undefined


def questions(kind: str, world: World) -> list[Question]:
    root = CORE.query_type if kind == "query" else CORE.mutation_type
    assert root is not None
    now = world.now.isoformat()
    return [Question(kind, name, field, now) for name, field in root.fields.items()]


def said(answer: Any, hidden: list[str], asked: str) -> list[str]:
    """Return what an answer tells of others, but for what it repeats of the question."""
    text = orjson.dumps(answer).decode().replace(asked, "")
    return [mark for mark in hidden if mark in text]


def as_ant(world: World, story: Callable[[Caller, Hub], Any]) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(Scope.CLIENT, client="ANT"), hub)

    play(world, told)


@pytest.mark.req("R84")
def test_no_query_tells_a_client_of_goods_that_are_not_its_own(house: World) -> None:
    hidden = marks(house)
    asked_for = values(house)

    async def story(ant: Caller, hub: Hub) -> None:
        for question in questions("query", house):
            is_open = question.name in OPEN
            for text in asked_for if is_open else asked_for[:1]:
                if is_open:  # a key of its own: nobody may ask so much at once
                    ant = await hub.caller(Scope.CLIENT, client="ANT")
                for optional in (True, False):
                    given = question.variables(text, optional=optional)
                    document = question.document(given, deep=is_open)
                    answer = (await ant.post(document, **given)).json()
                    assert said(answer, hidden, text) == [], (question.name, given)
                    codes = {each["extensions"]["code"] for each in answer.get("errors", ())}
                    if is_open:
                        assert codes <= UNKNOWN, (question.name, given, answer)
                    else:
                        assert codes == {"FORBIDDEN"}, (question.name, given, answer)

    as_ant(house, story)


@pytest.mark.req("R84")
def test_no_command_is_a_clients(house: World) -> None:
    before = house.value("SELECT COUNT(*) FROM event")
    hidden = marks(house)

    async def story(ant: Caller, _: Hub) -> None:
        for question in questions("mutation", house):
            for text in ("SN-B", "SN-A"):
                given = question.variables(text, optional=False)
                document = question.document(given, deep=False)
                answer = (await ant.post(document, **given)).json()
                assert said(answer, hidden, text) == [], question.name
                assert "errors" not in answer, (question.name, answer)
                assert answer["data"]["asked"]["__typename"] == "Forbidden", question.name

    as_ant(house, story)
    assert house.value("SELECT COUNT(*) FROM event") == before
    assert house.value("SELECT COUNT(*) FROM command") == 0


@pytest.mark.req("R84")
def test_no_subscription_is_a_clients(house: World) -> None:
    assert CORE.subscription_type is not None
    assert set(CORE.subscription_type.fields) == {"unitEvents", "availability"}
    _, secret = house.write(
        lambda tx: keys.create(tx, "ant", [Scope.CLIENT], house.now, client="ANT")
    )

    async def refused(listener: Listener) -> None:
        await listener.subscribe()
        assert await listener.refusal() == "FORBIDDEN"
        stock = 'subscription { availability(skus: ["CAM"]) { changed { sku } } }'
        await listener.say(type="subscribe", id="2", payload={"query": stock})
        assert await listener.refusal() == "FORBIDDEN"

    async def story(url: str) -> None:
        async with listening(url, secret) as listener:
            await refused(listener)

    over_a_socket(house, story)


def test_a_clients_key_brings_no_file_in(house: World) -> None:
    async def story(ant: Caller, _: Hub) -> None:
        answer = await ant.http.post("/imports?location=WH&name=x.csv", content=b"serial\nX\n")
        assert answer.status_code == 403

    as_ant(house, story)


@pytest.mark.req("R84")
def test_a_client_sees_its_own_goods_and_their_history(house: World) -> None:
    async def story(ant: Caller, _: Hub) -> None:
        own = await ant.ask(OWN, at=house.now.isoformat())
        assert own["viewer"] == {"scopes": ["CLIENT"], "client": "ANT"}
        assert own["unit"] == {
            "serial": "SN-A",
            "client": "ANT",
            "fields": [{"name": "colour", "value": "colour-of-SN-A"}],
            "history": [{"action": "RECEIVE"}, {"action": "PUT_AWAY"}],
        }
        assert own["units"]["nodes"] == [{"serial": "SN-A", "client": "ANT"}]
        line = {"sku": "CAM", "location": "WH", "units": 1, "available": 1}
        assert own["clientStock"] == [line | {"promised": 0, "blocked": 0}]
        assert own["clientValuation"] == {"units": 1, "lines": [{"key": "CAM", "amount": 70_707}]}
        report = (await ant.ask(REPORT))["clientReport"]
        assert report == {
            "header": ["serial", "status", "colour"],
            "rows": [["SN-A", "in_stock", "colour-of-SN-A"]],
            "after": None,
        }
        assert (await ant.error(REPORT, client="BEE"))["code"] == "FORBIDDEN"

    as_ant(house, story)


@pytest.mark.req("R84")
def test_what_passed_to_a_client_shows_nothing_of_its_earlier_owner(house: World) -> None:
    house.pass_time(days=1)
    context = house.context(document=Document("inv", "T-1"))
    scans = [Scan("SN-B")]
    house.do(Action.RELEASE, "SN-B")
    house.write(lambda tx: clients.transfer_title(Work(tx, context, new_id()), scans, "ANT"))
    own_id = house.unit("SN-B")["id"]
    before = house.rows("SELECT id FROM event WHERE unit_id = :id AND version < 4", id=own_id)
    hidden = [
        "BEE", "bees", "order-of-bee", "supplier-of-SN-B", "colour-of-SN-B",
        *(row["id"] for row in before),
    ]  # fmt: skip

    async def story(ant: Caller, hub: Hub) -> None:
        for question in questions("query", house):
            if question.name in {"unit", "units", "history", "clientReport", "clientValuation"}:
                given = question.variables("SN-B", optional=False)
                answer = (await ant.post(question.document(given, deep=True), **given)).json()
                assert said(answer, hidden, "") == [], question.name
        assert (await ant.ask('{ unit(identifier: "SN-B") { client } }'))["unit"] == {
            "client": "ANT"
        }
        bee = await hub.caller(Scope.CLIENT, client="BEE")
        assert (await bee.ask('{ unit(identifier: "SN-B") { client } }'))["unit"] is None

    as_ant(house, story)


# --- Those who run the warehouse ------------------------------------------------------------


def test_the_warehouse_registers_clients_and_passes_title(house: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        assert (await admin.ask(REGISTER, key="k1", name="Cat"))["done"]["clientCode"] == "CAT"
        reused = await admin.ask(REGISTER, key="k1", name="Dog")
        assert reused["done"]["code"] == "IDEMPOTENCY_KEY_REUSED"
        listed = await admin.ask('{ clients { code name } channel(code: "bees") { client } }')
        assert [each["code"] for each in listed["clients"]] == ["ANT", "BEE", "CAT"]
        assert listed["channel"] == {"client": "BEE"}
        ops = await hub.caller(Scope.OPS)
        passed = (await ops.ask(TRANSFER, key="k2", client="CAT", ref="T-1"))["done"]
        assert (passed["accepted"], passed["results"][0]["unit"]) == (1, {"client": "CAT"})
        again = (await ops.ask(TRANSFER, key="k2", client="CAT", ref="T-1"))["done"]
        assert (again["replayed"], again["accepted"]) == (True, 1)
        no_paper = (await ops.ask(TRANSFER, key="k3", client="ANT", ref=None))["done"]
        assert no_paper["__typename"] == "InvalidInput"
        nobody = (await ops.ask(TRANSFER, key="k4", client="NOBODY", ref="T"))["done"]
        assert nobody["__typename"] == "UnknownReference"
        scanner = await hub.caller(Scope.SCANNER)
        refused = (await scanner.ask(TRANSFER, key="k5", client="ANT", ref="T"))["done"]
        assert refused["__typename"] == "Forbidden"
        page = (await ops.ask(REPORT, client="BEE"))["clientReport"]
        rest = (await ops.ask(REPORT, client="BEE", after=page["after"]))["clientReport"]
        assert (page["rows"][0][0], rest["rows"][0][0]) == ("SN-B", "SN-B2")
        assert (await ops.error(REPORT))["code"] == "INVALID_INPUT"
        assert (await ops.error(REPORT, client="NOBODY"))["code"] == "UNKNOWN_REFERENCE"

    play(house, story)


@pytest.mark.req("R84")
def test_an_administrator_binds_a_key_to_one_client(house: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for scopes, client, field in (
            (["CLIENT"], None, "client"),
            (["CLIENT", "OPS"], "ANT", "scopes"),
            (["OPS"], "ANT", "scopes"),
        ):
            made = (await admin.ask(MAKE_KEY, scopes=scopes, client=client))["done"]
            assert made == {"__typename": "InvalidInput", "code": "INVALID_INPUT", "field": field}
        made = (await admin.ask(MAKE_KEY, scopes=["CLIENT"], client="ANT"))["done"]
        ant = await hub.with_secret(made["secret"])
        assert (await ant.ask("{ viewer { client } }"))["viewer"] == {"client": "ANT"}
        listed = (await admin.ask("{ apiKeys { client scopes } }"))["apiKeys"]
        assert listed[0] == {"client": "ANT", "scopes": ["CLIENT"]}

    play(house, story)


def test_two_who_ask_at_once_see_each_his_own(house: World) -> None:
    async def story(hub: Hub) -> None:
        callers = [await hub.caller(Scope.CLIENT, client=code) for code in ("ANT", "BEE")] * 5
        document = "{ units { nodes { client } } }"
        answers = await asyncio.gather(*(each.ask(document) for each in callers))
        seen = [{node["client"] for node in each["units"]["nodes"]} for each in answers]
        assert seen == [{"ANT"}, {"BEE"}] * 5

    play(house, story)
