"""Questions over the API: units, stock, orders, and paging that neither skips nor repeats."""

from typing import Any

import pytest

from api_client import Counter, Hub, play
from hub.access.keys import Scope
from hub.clock import new_id
from hub.commands.work import Work
from hub.inbound.receiving import Arrival, receive
from hub.lifecycle import Action
from hub.vocabulary import OrderLine
from world import World

UNIT = "query($i: String!, $sku: String) { unit(identifier: $i, sku: $sku) { id serial } }"
PAGE = """query($first: Int!, $after: String) { units(first: $first, after: $after) {
  edges { cursor node { serial } } nodes { serial }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
FILTERED = """query($sku: String, $status: UnitStatus, $location: String, $order: ID,
  $prefix: String) { units(sku: $sku, status: $status, location: $location, orderId: $order,
  serialPrefix: $prefix) { nodes { serial } } }"""
ORDERS = """query($channel: String, $state: OrderState, $number: String) {
  orders(channel: $channel, state: $state, number: $number) { nodes {
    id number ref channel channelName state atCounter
    lines { sku quantity units { serial status isPromised } } } } }"""
AVAILABILITY = """query($skus: [String!]!) { availability(skus: $skus) { sku available
  locations { location available promised blocked units }
  channels { channel desired acknowledged isPending } } }"""


def serials(connection: Any) -> list[str]:
    return [node["serial"] for node in connection["nodes"]]


# --- One unit -----------------------------------------------------------------------------------


def test_a_unit_is_found_by_whatever_names_it(world: World) -> None:
    arrival = Arrival(serial="SN-0001", product="CAM", identifiers=(("imei", "490154203237518"),))
    place = world.rows("SELECT * FROM location WHERE code = 'WH'")[0]
    world.write(lambda tx: receive(Work(tx, world.context(), new_id()), [arrival], place))
    unit_id = world.unit("SN-0001")["id"]

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.STOREFRONT)
        for written in (
            unit_id,
            "SN-0001",
            "sn 0001",
            "S/N: SN-0001",
            "]C1SN-0001",
            "490154203237518",
        ):
            data = await shop.ask(UNIT, i=written)
            assert data["unit"] == {"id": unit_id, "serial": "SN-0001"}, written
        for nobody in ("SN-0002", new_id()):
            assert (await shop.ask(UNIT, i=nobody))["unit"] is None
        assert (await shop.ask(UNIT, i="SN-0001", sku="SAW"))["unit"] is None
        assert (await shop.error(UNIT, i=""))["code"] == "INVALID_BARCODE"

    play(world, story)


def test_an_ambiguous_serial_says_whose_units_bear_it(world: World) -> None:
    world.receive("100", sku="CAM")
    world.receive("100", sku="SAW")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        extensions = await ops.error(UNIT, i="100")
        assert (extensions["code"], extensions["skus"]) == ("AMBIGUOUS_UNIT", ["CAM", "SAW"])
        found = await ops.ask(UNIT, i="100", sku="SAW")
        saw = world.value(
            "SELECT unit.id FROM unit JOIN product ON product.id = product_id WHERE sku = 'SAW'"
        )
        assert found["unit"]["id"] == saw

    play(world, story)


def test_the_history_of_a_unit_is_told_from_its_beginning(world: World) -> None:
    world.receive("SN-1", put_away=False)
    world.do(Action.PUT_AWAY, "SN-1", place="WH-A1")
    world.pass_time(minutes=5)
    world.do(Action.SELL, "SN-1", reason="gift")
    document = """query($i: String!) { history(identifier: $i) { version action bizStep statusFrom
      status locationFrom location actor reason recordedAt hash previousHash } }"""

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        events = (await ops.ask(document, i="SN-1"))["history"]
        assert [event["action"] for event in events] == ["RECEIVE", "PUT_AWAY", "SELL"]
        assert [event["version"] for event in events] == [1, 2, 3]
        assert [event["location"] for event in events] == ["WH", "WH-A1", "CUSTOMER"]
        assert [event["statusFrom"] for event in events] == [None, "RECEIVED", "IN_STOCK"]
        assert (events[2]["reason"], events[2]["actor"]) == ("gift", "tester")
        assert events[2]["recordedAt"] == "2026-11-02T12:05:00+00:00"
        links = [(event["previousHash"], event["hash"]) for event in events]
        assert links[0][0] == "0" * 64
        assert [before for before, _ in links[1:]] == [own for _, own in links[:-1]]
        assert (await ops.error(document, i="SN-404"))["code"] == "UNKNOWN_UNIT"

    play(world, story)


# --- Many units ---------------------------------------------------------------------------------


def test_pages_cover_every_unit_once_while_new_ones_arrive(world: World) -> None:
    first = [f"SN-{number:03}" for number in range(23)]
    world.receive(*first)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        seen: list[str] = []
        after, late = None, 0
        for page_number in range(20):
            units = (await ops.ask(PAGE, first=7, after=after))["units"]
            edges, info = units["edges"], units["pageInfo"]
            assert [edge["node"] for edge in edges] == units["nodes"]
            assert (info["startCursor"], info["endCursor"]) == (
                edges[0]["cursor"],
                edges[-1]["cursor"],
            )
            assert info["hasPreviousPage"] is (page_number > 0)
            seen += serials(units)
            if not info["hasNextPage"]:
                break
            assert len(edges) == 7
            after = info["endCursor"]
            if page_number < 3:
                late += 1
                world.receive(f"LATE-{late}")
        assert len(seen) == len(set(seen))
        assert seen == [*first, *(f"LATE-{number}" for number in range(1, late + 1))]

    play(world, story)


@pytest.mark.parametrize(
    ("first", "after", "field"),
    [
        (0, None, "first"),
        (-1, None, "first"),
        (201, None, "first"),
        (5, "§", "after"),
        (5, "AA==", "after"),
        (5, "abc", "after"),
    ],
)
def test_a_page_that_can_not_be_is_refused(
    world: World, first: int, after: str | None, field: str
) -> None:
    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        extensions = await ops.error(PAGE, first=first, after=after)
        assert (extensions["code"], extensions["field"]) == ("INVALID_INPUT", field)

    play(world, story)


def test_units_are_filtered_by_product_status_place_order_and_serial(world: World) -> None:
    channel = world.channel()
    world.receive("A-1", "A-2", "B-1", sku="CAM")
    world.receive("A-3", sku="SAW", place="SHOP")
    world.do(Action.SELL, "B-1")
    order_id = world.accept(channel, world.order())
    filters: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"A-1", "A-2", "A-3", "B-1"}),
        ({"sku": "SAW"}, {"A-3"}),
        ({"sku": "NONE"}, set()),
        ({"status": "SOLD"}, {"B-1"}),
        ({"location": "SHOP"}, {"A-3"}),
        ({"order": order_id}, {"A-1"}),
        ({"prefix": "a-"}, {"A-1", "A-2", "A-3"}),
        ({"prefix": "a", "sku": "CAM", "status": "IN_STOCK", "location": "WH"}, {"A-1", "A-2"}),
    ]

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.SCANNER)
        for given, expected in filters:
            data = await ops.ask(FILTERED, **given)
            assert set(serials(data["units"])) == expected, given

    play(world, story)


def test_many_units_are_looked_up_at_once_by_any_of_their_names(world: World) -> None:
    arrival = Arrival(serial="SN-1", product="CAM", identifiers=(("imei", "490154203237518"),))
    place = world.rows("SELECT * FROM location WHERE code = 'WH'")[0]
    world.write(lambda tx: receive(Work(tx, world.context(), new_id()), [arrival], place))
    world.receive("SN-2", "SN-3", "BOTH")
    world.receive("BOTH", sku="LENS")
    look = """query($names: [String!]!) { units(identifiers: $names) { nodes { serial } } }"""

    async def story(hub: Hub) -> None:
        dock = await hub.caller(Scope.SCANNER)
        names = ["490154203237518", "sn-2", world.unit("SN-3")["id"], "NONE", "BOTH", "\x00"]
        found = await dock.ask(look, names=names)
        assert set(serials(found["units"])) == {"SN-1", "SN-2", "SN-3"}
        assert serials((await dock.ask(look, names=[]))["units"]) == []
        many = await dock.error(look, names=["SN-1"] * 201)
        assert (many["code"], many["field"]) == ("INVALID_INPUT", "identifiers")

    play(world, story)


# --- Stock and orders -----------------------------------------------------------------------------


def test_availability_counts_what_can_be_promised_here_and_what_each_channel_shows(
    world: World,
) -> None:
    everywhere = world.channel("web", "shopify")
    counter = world.channel("till", "square", sites=["SHOP"], safety_buffer=1)
    world.receive("W-1", "W-2", "W-3", "W-4")
    world.receive("S-1", "S-2", "S-3", place="SHOP")
    for channel in (everywhere, counter):
        world.list_product(channel)
    world.do(Action.ALLOCATE, "W-1", hold_reference="cart")
    world.do(Action.HOLD, "W-2", hold_kind="quality")
    world.do(Action.SELL, "S-3")

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.POS)
        cam, none = (await shop.ask(AVAILABILITY, skus=["CAM", "NONE"]))["availability"]
        assert cam["available"] == 4
        stock = {each.pop("location"): each for each in cam["locations"]}
        assert stock["WH"] == {"available": 2, "promised": 1, "blocked": 1, "units": 4}
        assert stock["SHOP"] == {"available": 2, "promised": 0, "blocked": 0, "units": 2}
        shown = {each.pop("channel"): each for each in cam["channels"]}
        assert {code: each["desired"] for code, each in shown.items()} == {"web": 4, "till": 1}
        assert all(each["isPending"] for each in shown.values())
        assert none is None  # there is no such product

    play(world, story)


def test_orders_show_their_lines_and_the_units_that_serve_them(world: World) -> None:
    web, till = world.channel("web"), world.channel("till", "square")
    world.receive("SN-1", "SN-2")
    lines = [OrderLine(ref="l-1", sku="CAM", quantity=2)]
    order_id = world.accept(web, world.order("o-1", lines))
    other_id = world.accept(till, world.order("o-2", [OrderLine(ref="l", sku="SAW", quantity=1)]))

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.POS)
        newest, oldest = (await ops.ask(ORDERS))["orders"]["nodes"]
        assert (newest["id"], oldest["id"]) == (other_id, order_id)
        (line,) = oldest["lines"]
        promised = {"status": "IN_STOCK", "isPromised": True}
        assert line["units"] == [{"serial": serial, **promised} for serial in ("SN-1", "SN-2")]
        assert newest["lines"][0]["units"] == []
        for given, expected in (
            ({"channel": "web"}, [order_id]),
            ({"number": "#o-2"}, [other_id]),
            ({"state": "FULFILLED"}, []),
        ):
            nodes = (await ops.ask(ORDERS, **given))["orders"]["nodes"]
            assert [node["id"] for node in nodes] == expected
        one = await ops.ask("query($id: ID!) { order(id: $id) { number } }", id=order_id)
        assert one["order"]["number"] == "#o-1"
        error = await ops.error("query($id: ID!) { order(id: $id) { number } }", id=new_id())
        assert error["code"] == "UNKNOWN_REFERENCE"

    play(world, story)


# --- Who may look ---------------------------------------------------------------------------------


def test_a_storefront_sees_what_is_available_and_nothing_of_the_house(world: World) -> None:
    channel = world.channel()
    world.receive("SN-1")
    world.accept(channel, world.order())
    hidden = [
        'history(identifier: "SN-1") { id }',
        "units { nodes { serial } }",
        "orders { nodes { id } }",
        "locations { code }",
        "channels { code }",
        'channel(code: "shop") { code }',
        'deadLetters(channel: "shop") { id }',
        "cases { nodes { id } }",
        "reconciliationRuns { nodes { id } }",
        "differences { nodes { id } }",
        "oldestOpenDifferenceAt",
        "apiKeys { id }",
        "jobRuns { id }",
        'unit(identifier: "SN-1") { history { id } }',
        'unit(identifier: "SN-1") { holds { kind } }',
        'unit(identifier: "SN-1") { order { number } }',
    ]

    async def story(hub: Hub) -> None:
        shop, ops = await hub.caller(Scope.STOREFRONT), await hub.caller(Scope.ADMIN)
        open_to_all = """{ availability(skus: ["CAM"]) { band available } products { sku }
          unit(identifier: "SN-1") { serial status product { sku } warranty { status } } }"""
        data = await shop.ask(open_to_all)
        assert data["availability"] == [{"band": "OUT", "available": None}]
        assert len(data["products"]) == 3
        assert data["unit"]["warranty"] is None
        for selection in hidden:
            answer = await shop.post(f"{{ {selection} }}")
            codes = {error["extensions"]["code"] for error in answer.json()["errors"]}
            assert codes == {"FORBIDDEN"}, selection
            assert "#o-1" not in answer.text
            await ops.ask(f"{{ {selection} }}")  # it is there for those who may
        refused = (await shop.post("{ __schema { types { name } } }")).json()
        assert refused["errors"][0]["extensions"]["code"] == "INTROSPECTION_DISABLED"

    play(world, story)


# --- No N + 1 -------------------------------------------------------------------------------------

# In several pieces, since the cost of one operation is limited too.
NESTED = {
    "history": """query($first: Int!) { units(first: $first) { nodes { serial
      product { sku manufacturer { code } } location { code }
      history { action unit { serial } } } } }""",
    "holds": """query($first: Int!) { units(first: $first) { nodes { serial
      holds { kind } identifiers { value } } } }""",
    "order": """query($first: Int!) { units(first: $first) { nodes { serial
      order { number channel state } } } }""",
}
NESTED_ORDERS = """query($first: Int!) { orders(first: $first) { nodes { number
  lines { sku units { serial location { code } product { sku } } } } } }"""


@pytest.mark.parametrize(
    ("document", "root"),
    [*((document, "units") for document in NESTED.values()), (NESTED_ORDERS, "orders")],
    ids=[*NESTED, "orders"],
)
def test_ten_times_the_rows_take_as_many_statements(
    world: World, monkeypatch: pytest.MonkeyPatch, document: str, root: str
) -> None:
    channel = world.channel()
    world.receive(*(f"SN-{number}" for number in range(50)))
    for number in range(50):
        assert world.accept(channel, world.order(f"o-{number}"))
    counter = Counter(monkeypatch)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        few, few_statements = await counter.of(ops, document, first=5)
        many, many_statements = await counter.of(ops, document, first=50)
        assert (len(few[root]["nodes"]), len(many[root]["nodes"])) == (5, 50)
        assert many[root]["nodes"][:5] == few[root]["nodes"]
        assert many_statements == few_statements
        assert 2 <= many_statements <= 8
        # Everything that was asked for is really there.
        assert len(str(many[root]["nodes"])) > 9 * len(str(few[root]["nodes"]))
        assert "[]" not in str([node.get("holds", 1) for node in many[root]["nodes"]])

    play(world, story)


def test_the_stock_of_many_products_takes_as_many_statements_as_that_of_few(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = [world.channel("web"), world.channel("till", "square")]
    for sku in ("CAM", "LENS", "SAW"):
        world.receive(f"{sku}-1", sku=sku)
        for channel in channels:
            world.list_product(channel, sku)
    counter = Counter(monkeypatch)

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.POS)
        _, few = await counter.of(shop, AVAILABILITY, skus=["CAM"])
        data, many = await counter.of(shop, AVAILABILITY, skus=["CAM", "LENS", "SAW"])
        assert [len(each["channels"]) for each in data["availability"]] == [2, 2, 2]
        assert many == few

    play(world, story)
