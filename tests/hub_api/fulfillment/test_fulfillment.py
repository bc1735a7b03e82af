"""Fulfillment over the API: lists, checks, substitutes, packing, collection, exchange, work."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from api_client import RESULTS, Caller, Hub, dump, play
from hub import catalogue
from hub.access.keys import Scope
from hub.lifecycle import Action
from hub.vocabulary import OrderLine
from world import World

PICKS = """query($order: ID, $location: String, $first: Int!) {
  pickList(orderId: $order, location: $location, first: $first) {
    serial bin site sku order line lineId priority rule } }"""
PICK = """mutation($key: String!, $units: [UnitInput!]!, $line: ID, $substitute: Boolean!,
  $reason: String) {
  done: pickUnits(idempotencyKey: $key, units: $units, orderLineId: $line, substitute: $substitute,
    context: {reason: $reason}) { __typename ... on Problem { code }
    ... on CommandResult { replayed results { accepted status
      problem { code ... on WrongUnit { directed } } } } } }"""
SUBSTITUTE = """mutation($key: String!, $line: ID!, $old: String!, $new: String!, $why: String!) {
  done: substituteUnit(idempotencyKey: $key, orderLineId: $line, directed: {identifier: $old},
    picked: {identifier: $new}, reason: $why) { __typename
    ... on Substitution { replayed brokenRule picked { serial status } released { serial status } }
    ... on Problem { code message } ... on WrongUnit { directed } ... on UnitExpired { expiresOn }
    ... on UnitPromised { reference } } }"""
CHECK = """orderId isWhole isCancelled lacking missing { serial }
  scanned { identifier finding lineId unit { serial } }"""
DISPATCH = f"""query($order: ID!, $scanned: [UnitInput!]!, $step: DispatchStep!) {{
  checkDispatch(orderId: $order, scanned: $scanned, step: $step) {{ {CHECK} }} }}"""
PACK = f"""mutation($key: String!, $order: ID!, $scanned: [UnitInput!]!, $partial: Boolean!) {{
  done: packOrder(idempotencyKey: $key, orderId: $order, scanned: $scanned, partial: $partial) {{
    __typename ... on OrderPacking {{ replayed packed {{ serial status }} check {{ {CHECK} }} }}
    ... on Problem {{ code message }} }} }}"""
COLLECT = f"""mutation($key: String!, $order: ID!, $units: [UnitInput!]!, $location: String!,
  $customer: String) {{
  done: collectUnits(idempotencyKey: $key, orderId: $order, units: $units, location: $location,
    customerRef: $customer) {RESULTS} }}"""
EXCHANGE = """mutation($key: String!, $old: String!, $new: String!, $return: ID, $why: String!) {
  done: exchangeUnit(idempotencyKey: $key, returned: {identifier: $old},
    replacement: {identifier: $new}, location: "SHOP", reason: $why, returnId: $return) {
    __typename ... on Exchange { replayed returned { serial status } given { serial status } }
    ... on Problem { code message } ... on UnitPromised { reference } } }"""
CHECK_RETURN = """mutation($unit: String!) { done: checkReturn(idempotencyKey: "c",
  identifier: $unit, location: "SHOP", reason: "too small") {
    ... on ReturnCase { id decision } } }"""
ORDER = """query($id: ID!) { order(id: $id) { state customerRef
  units { boundAt leftAt returnedAt releasedAt lineId unit { serial status } } } }"""
SALES = """query($serial: String!) { unit(identifier: $serial) { sales {
  soldAt returnedAt place channel channelName orderId orderNumber line customerRef documentRef
  } } }"""
TASKS = """query($location: String!, $kind: TaskKind) {
  tasks(location: $location, kind: $kind) { kind priority rule serial order tags promisedOn } }"""
PRIORITY = """mutation($key: String!, $order: ID!, $tags: [String!]!, $day: Date) {
  done: setOrderPriority(idempotencyKey: $key, orderId: $order, tags: $tags, promisedOn: $day) {
    __typename ... on OrderPriority { replayed tags promisedOn order { number } }
    ... on Problem { code } } }"""
TRANSFERS = """query($first: Int!, $after: String, $overdue: Boolean) {
  transfers(first: $first, after: $after, overdue: $overdue) {
    nodes { origin destination since sentBy isOverdue unit { serial status } }
    pageInfo { hasNextPage endCursor } } }"""


def units(*serials: str) -> list[dict[str, str]]:
    return [{"identifier": serial} for serial in serials]


def order(world: World, quantity: int, ref: str = "o-1", **more: Any) -> str:
    shop = world.read(lambda tx: catalogue.reference(tx, "channel", "code", "shop"))
    lines = [OrderLine(ref="l-1", sku="CAM", quantity=quantity)]
    order_id = world.accept(shop, world.order(ref, lines=lines, **more))
    assert order_id is not None
    return order_id


def line_of(world: World, order_id: str) -> str:
    return str(world.value("SELECT id FROM order_line WHERE order_id = :id", id=order_id))


def as_ops(world: World, story: Callable[[Caller], Awaitable[None]]) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(Scope.OPS, name="olga"))

    play(world, told)


@pytest.mark.req("R70", "R71")
def test_a_picker_is_led_to_serial_and_bin_and_another_unit_is_refused_or_named(
    world: World,
) -> None:
    world.channel()
    world.receive("SN-1")
    world.receive("SN-2", place="WH-A1")
    world.pass_time(hours=1)
    world.receive("SN-3", "SN-4")
    order_id = order(world, 2)
    line = line_of(world, order_id)

    async def story(ops: Caller) -> None:
        for given in ({"order": order_id}, {"location": "WH-A1"}):
            found = (await ops.ask(PICKS, first=9, **given))["pickList"]
            assert [(row["serial"], row["bin"]) for row in found] == [
                ("SN-1", "WH"), ("SN-2", "WH-A1"),
            ]  # fmt: skip
            assert {(row["lineId"], row["priority"], row["rule"]) for row in found} == {
                (line, "NORMAL", "else")
            }
        assert (await ops.error(PICKS, first=9))["code"] == "INVALID_INPUT"
        assert (await ops.error(PICKS, first=0, order=order_id))["code"] == "INVALID_INPUT"
        assert (await ops.error(PICKS, first=9, order="none"))["code"] == "UNKNOWN_REFERENCE"
        before = dump(world)
        given = {"line": line, "substitute": False}
        refused = await ops.ask(PICK, key="p-1", units=units("SN-3"), **given)
        (verdict,) = refused["done"]["results"]
        assert verdict["problem"] == {"code": "WRONG_UNIT", "directed": ["SN-1", "SN-2"]}
        assert dump(world) == before
        given = {"line": line, "substitute": True}
        unsaid = await ops.ask(PICK, key="p-2", units=units("SN-3"), **given)
        assert unsaid["done"]["code"] == "INVALID_INPUT"
        given["reason"] = "torn box"
        done = await ops.ask(PICK, key="p-3", units=units("SN-3", "SN-2"), **given)
        assert [row["status"] for row in done["done"]["results"]] == ["PICKED", "PICKED"]
        again = await ops.ask(PICK, key="p-3", units=units("SN-3", "SN-2"), **given)
        assert again["done"]["replayed"]
        assert again["done"]["results"] == done["done"]["results"]
        assert (await ops.ask(PICKS, first=9, order=order_id))["pickList"] == []

    as_ops(world, story)


@pytest.mark.req("R71")
def test_a_substitute_is_made_once_and_refused_with_its_reason(world: World) -> None:
    world.channel()
    world.receive("SN-1")
    world.pass_time(hours=1)
    world.receive("SN-2", "CART-1")
    world.do(Action.ALLOCATE, "CART-1", hold_reference="cart")
    line = line_of(world, order(world, 1))

    async def story(ops: Caller) -> None:
        given = {"line": line, "old": "SN-1", "new": "SN-2", "why": "torn box"}
        before = dump(world)
        for change, code in (
            ({"new": "CART-1"}, "UNIT_PROMISED"),
            ({"old": "SN-2", "new": "SN-1"}, "WRONG_UNIT"),
            ({"new": "NONE-1"}, "UNKNOWN_UNIT"),
            ({"line": "none"}, "UNKNOWN_REFERENCE"),
            ({"why": " "}, "INVALID_INPUT"),
        ):
            refused = await ops.ask(SUBSTITUTE, key="s-1", **(given | change))
            assert refused["done"]["code"] == code
        assert dump(world) == before
        done = (await ops.ask(SUBSTITUTE, key="s-1", **given))["done"]
        assert done == {
            "__typename": "Substitution",
            "replayed": False,
            "brokenRule": "FIFO",
            "picked": {"serial": "SN-2", "status": "PICKED"},
            "released": {"serial": "SN-1", "status": "IN_STOCK"},
        }
        after = dump(world)
        assert (await ops.ask(SUBSTITUTE, key="s-1", **given))["done"]["replayed"]
        assert dump(world) == after

    as_ops(world, story)


@pytest.mark.req("R72", "R73")
def test_an_order_is_checked_and_packed_as_a_whole_or_in_part_where_that_is_said(
    world: World,
) -> None:
    world.channel()
    world.receive("SN-1", "SN-2", "SN-3")
    order_id = order(world, 2)
    world.do(Action.PICK, "SN-1", "SN-2")

    async def story(ops: Caller) -> None:
        before = dump(world)
        given = {"order": order_id, "scanned": units("SN-1", "SN-3")}
        for step in ("PACK", "SHIP", "COLLECT"):
            found = (await ops.ask(DISPATCH, step=step, **given))["checkDispatch"]
            assert [row["finding"] for row in found["scanned"]] == ["FITS", "NOT_PROMISED"]
            assert (found["isWhole"], found["missing"]) == (False, [{"serial": "SN-2"}])
        many = units(*[f"SN-{number}" for number in range(1_001)])
        code = (await ops.error(DISPATCH, step="SHIP", order=order_id, scanned=many))["code"]
        assert code in {"INVALID_INPUT", "LIMIT_EXCEEDED"}
        refused = (await ops.ask(PACK, key="k-1", partial=False, **given))["done"]
        assert (refused["packed"], refused["check"]["isWhole"]) == ([], False)
        assert dump(world) == before
        # What packed nothing is not kept: the key is free for another try.
        whole = {"order": order_id, "scanned": units("SN-1", "SN-2")}
        done = (await ops.ask(PACK, key="k-1", partial=False, **whole))["done"]
        assert (done["replayed"], done["check"]["isWhole"]) == (False, True)
        assert [row["status"] for row in done["packed"]] == ["PACKED", "PACKED"]
        again = (await ops.ask(PACK, key="k-1", partial=False, **whole))["done"]
        assert again == done | {"replayed": True}
        other = await ops.ask(PACK, key="k-2", partial=False, order="none", scanned=units("SN-1"))
        assert other["done"]["code"] == "UNKNOWN_REFERENCE"

    as_ops(world, story)


@pytest.mark.req("R72")
def test_part_of_an_order_is_packed_where_that_is_said(world: World) -> None:
    world.channel()
    world.receive("SN-1", "SN-2")
    order_id = order(world, 2)
    world.do(Action.PICK, "SN-1", "SN-2")

    async def story(ops: Caller) -> None:
        given = {"order": order_id, "scanned": units("SN-1", "NONE-1"), "partial": True}
        done = (await ops.ask(PACK, key="k-1", **given))["done"]
        assert [row["serial"] for row in done["packed"]] == ["SN-1"]
        assert world.unit("SN-2")["status"] == "picked"

    as_ops(world, story)


@pytest.mark.req("R75", "R76")
def test_the_order_and_the_unit_know_each_other_for_good(world: World) -> None:
    world.channel()
    world.receive("SN-1")
    order_id = order(world, 1, customer_ref="cust-1")
    world.do(Action.PICK, "SN-1")

    async def story(ops: Caller) -> None:
        shipped = await ops.command("shipUnits", ["SN-1"], key="s", carrier="UPS")
        assert shipped["accepted"] == 1
        world.pass_time(days=3)
        world.do(Action.ACCEPT_RETURN, "SN-1", place="SHOP", reason="too big")
        world.do(Action.RESTOCK, "SN-1")
        sold = await ops.command("sellUnits", ["SN-1"], key="r", receipt="R-1")
        assert sold["accepted"] == 1
        told = (await ops.ask(ORDER, id=order_id))["order"]
        (bound,) = told["units"]
        assert told["customerRef"] == "cust-1"
        assert bound["unit"] == {"serial": "SN-1", "status": "SOLD"}
        assert None not in (bound["boundAt"], bound["leftAt"], bound["returnedAt"])
        first, second = (await ops.ask(SALES, serial="SN-1"))["unit"]["sales"]
        assert (first["orderNumber"], first["customerRef"], first["line"], first["channel"]) == (
            "#o-1", "cust-1", "l-1", "shop",
        )  # fmt: skip
        assert first["orderId"] == order_id
        assert first["returnedAt"] == bound["returnedAt"]
        assert (second["orderId"], second["documentRef"], second["returnedAt"]) == (
            None, "R-1", None,
        )  # fmt: skip

    as_ops(world, story)


@pytest.mark.req("R79")
def test_an_order_is_collected_once_and_by_its_customer(world: World) -> None:
    world.channel()
    world.receive("SN-1", place="SHOP")
    order_id = order(world, 1, customer_ref="cust-1")
    world.do(Action.PICK, "SN-1")

    async def story(ops: Caller) -> None:
        given = {"order": order_id, "units": units("SN-1"), "location": "SHOP"}
        before = dump(world)
        refused = await ops.ask(COLLECT, key="c-1", customer="cust-2", **given)
        assert refused["done"]["code"] == "STEP_NOT_ALLOWED"
        assert dump(world) == before
        done = (await ops.ask(COLLECT, key="c-1", customer="cust-1", **given))["done"]
        assert [row["status"] for row in done["results"]] == ["SOLD"]
        after = dump(world)
        again = (await ops.ask(COLLECT, key="c-1", customer="cust-1", **given))["done"]
        assert again["replayed"]
        assert dump(world) == after
        assert (await ops.ask(ORDER, id=order_id))["order"]["state"] == "FULFILLED"

    as_ops(world, story)


@pytest.mark.req("R77")
def test_a_till_names_its_shop_and_what_it_scanned(world: World) -> None:
    world.receive("FAR-1")
    world.receive("SN-1", place="SHOP")

    async def story(hub: Hub) -> None:
        till = await hub.caller(Scope.POS, name="till")
        given = {"receipt": "R-1", "location": "SHOP"}
        scans = ["FAR-1", {"identifier": "SN-1", "sku": "LENS"}]
        refused = await till.command("sellUnits", scans, key="k-1", **given)
        problems = [row["problem"]["code"] for row in refused["results"]]
        assert problems == ["STEP_NOT_ALLOWED", "WRONG_UNIT"]
        scan = {"identifier": "SN-1", "sku": "4006381333931"}
        assert (await till.command("sellUnits", [scan], key="k-2", **given))["accepted"] == 1

    play(world, story)


@pytest.mark.req("R82")
def test_an_exchange_is_one_operation_that_is_done_once(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", place="SHOP")
    world.do(Action.SELL, "SN-1")
    world.do(Action.ALLOCATE, "SN-3", hold_reference="cart")

    async def story(ops: Caller) -> None:
        checked = (await ops.ask(CHECK_RETURN, unit="SN-1"))["done"]
        before = dump(world)
        given = {"old": "SN-1", "why": "too small", "return": checked["id"]}
        for new, code in (("SN-3", "UNIT_PROMISED"), ("NONE-1", "UNKNOWN_UNIT")):
            refused = await ops.ask(EXCHANGE, key="x-1", new=new, **given)
            assert refused["done"]["code"] == code
        assert dump(world) == before
        done = (await ops.ask(EXCHANGE, key="x-1", new="SN-2", **given))["done"]
        assert done == {
            "__typename": "Exchange",
            "replayed": False,
            "returned": {"serial": "SN-1", "status": "RETURNED"},
            "given": {"serial": "SN-2", "status": "SOLD"},
        }
        after = dump(world)
        assert (await ops.ask(EXCHANGE, key="x-1", new="SN-2", **given))["done"]["replayed"]
        second = await ops.ask(EXCHANGE, key="x-2", new="SN-2", **given)
        assert second["done"]["code"] == "STEP_NOT_ALLOWED"
        assert dump(world) == after
        row = world.rows("SELECT * FROM return_case")[0]
        assert (row["state"], row["replacement_id"]) == ("received", world.unit("SN-2")["id"])

    as_ops(world, story)


@pytest.mark.req("R85")
def test_what_is_first_follows_from_tags_days_and_rules(world: World) -> None:
    world.channel()
    world.receive("SN-1", "SN-2")
    first, second = order(world, 1), order(world, 1, "o-2")

    async def story(ops: Caller) -> None:
        found = (await ops.ask(TASKS, location="WH"))["tasks"]
        assert [(row["serial"], row["priority"]) for row in found] == [
            ("SN-1", "NORMAL"), ("SN-2", "NORMAL"),
        ]  # fmt: skip
        day = (world.now + timedelta(days=5)).date().isoformat()
        given = {"order": second, "tags": ["Express"], "day": day}
        done = (await ops.ask(PRIORITY, key="p-1", **given))["done"]
        assert (done["tags"], done["promisedOn"], done["replayed"]) == (["express"], day, False)
        assert done["order"] == {"number": "#o-2"}
        assert (await ops.ask(PRIORITY, key="p-1", **given))["done"]["replayed"]
        found = (await ops.ask(TASKS, location="WH", kind="PICK"))["tasks"]
        assert [(row["serial"], row["priority"], row["rule"]) for row in found] == [
            ("SN-2", "URGENT", "express"), ("SN-1", "NORMAL", "else"),
        ]  # fmt: skip
        assert (found[0]["tags"], found[0]["promisedOn"]) == (["express"], day)
        refused = await ops.ask(PRIORITY, key="p-2", order=first, tags=["x" * 31])
        assert refused["done"]["code"] == "INVALID_INPUT"

    as_ops(world, story)


@pytest.mark.req("R81")
def test_what_is_under_way_is_listed_page_by_page(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(ops: Caller) -> None:
        out = await ops.command("transferOutUnits", ["SN-1", "SN-2"], key="o", destination="SHOP")
        assert out["accepted"] == 2
        found = (await ops.ask(TRANSFERS, first=1))["transfers"]
        (row,) = found["nodes"]
        assert (row["origin"], row["destination"], row["sentBy"], row["isOverdue"]) == (
            "WH", "SHOP", "olga", False,
        )  # fmt: skip
        assert row["unit"]["status"] == "IN_TRANSFER"
        assert found["pageInfo"]["hasNextPage"]
        rest = await ops.ask(TRANSFERS, first=9, after=found["pageInfo"]["endCursor"])
        assert len(rest["transfers"]["nodes"]) == 1
        world.pass_time(days=4)
        late = (await ops.ask(TRANSFERS, first=9, overdue=True))["transfers"]["nodes"]
        assert [each["isOverdue"] for each in late] == [True, True]
        arrived = await ops.command("transferInUnits", ["SN-1"], key="i", location="RETURNS")
        assert arrived["accepted"] == 1
        assert world.value("SELECT kind FROM exception_case") == "wrong_location"

    as_ops(world, story)


def test_who_may_not_fulfil_changes_and_sees_nothing(world: World) -> None:
    world.channel()
    world.receive("SN-1")
    order_id = order(world, 1)

    async def story(hub: Hub) -> None:
        till = await hub.caller(Scope.POS, name="till")
        scanner = await hub.caller(Scope.SCANNER, name="gun")
        for query, given in (
            (PICKS, {"first": 9, "order": order_id}),
            (TASKS, {"location": "WH"}),
            (TRANSFERS, {"first": 9}),
        ):
            assert (await till.error(query, **given))["code"] == "FORBIDDEN"
        before = dump(world)
        line = line_of(world, order_id)
        for caller, mutation, given in (
            (till, SUBSTITUTE, {"line": line, "old": "SN-1", "new": "SN-1", "why": "x"}),
            (till, PACK, {"order": order_id, "scanned": units("SN-1"), "partial": False}),
            (scanner, EXCHANGE, {"old": "SN-1", "new": "SN-1", "why": "x"}),
            (scanner, PRIORITY, {"order": order_id, "tags": []}),
        ):
            done = (await caller.ask(mutation, key="k", **given))["done"]
            assert done["code"] == "FORBIDDEN"
        assert dump(world) == before

    play(world, story)
