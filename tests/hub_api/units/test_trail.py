"""The trail of a unit: one question tells all of it, and whoever asks is told the same."""

import asyncio
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from api_client import Caller, Hub, play
from hub import kits, orders
from hub.access import keys
from hub.access.keys import Scope
from hub.clock import new_id
from hub.commands.context import Document
from hub.commands.work import Work
from hub.history import corrections
from hub.history.corrections import Changes
from hub.history.replay import Declaration
from hub.history.unit_history import VIEWS, View
from hub.kits import Part
from hub.ledger import units
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.storage.sql import Transaction
from signing import sign
from subscribing import begun, listening, over_a_socket
from world import World

EVENTS = 2_000
TRAIL = """{ unit(identifier: "SN-1") { id serial version soldAt
  history(view: BOTH) { id version action occurredAt hash previousHash corrects } } }"""
OF_SHOPS = """{ history(identifier: "SN-1") { action bizStep status locationFrom location
  documentType documentRef actor } }"""
ASKED = """query($serial: String!) {
  unit(identifier: $serial) { id serial version status location { code } history { hash } }
  capture(readings: [$serial], purpose: FIND) {
    unit { id serial version status location { code } } }
  history(identifier: $serial) { hash }
  units(serialPrefix: $serial) {
    nodes { id serial version status location { code } } }
  custodyCertificate(identifier: $serial) }"""
OF_ORDER = """query($id: ID!) { order(id: $id) { lines { units {
  id serial version status location { code } } } } }"""


def live_for_years(world: World) -> None:
    """Let a unit live: received, in a kit, sold and back, sent around, corrected, and counted."""
    world.receive("SN-1", "SN-KIT")
    world.pass_time(days=1)
    kit, part = Scan("SN-KIT"), Part(Scan("SN-1"), "body")
    returns = {"place": "RETURNS"}
    world.write(lambda tx: kits.assemble(Work(tx, world.context(), new_id()), kit, [part]))
    place = units_place(world, "WH")
    world.write(lambda tx: kits.disassemble(Work(tx, world.context(), new_id()), kit, place))
    world.do(Action.RESTOCK, "SN-1", place="WH", grade="new")
    for _ in range(3):
        world.pass_time(days=90)
        for shop in ("SHOP", "WH"):
            world.do(Action.TRANSFER_OUT, "SN-1", place=shop)
            world.do(Action.TRANSFER_IN, "SN-1", place=shop)
        world.do(Action.SELL, "SN-1")
        world.pass_time(days=9)
        world.do(Action.ACCEPT_RETURN, "SN-1", reason="too small", **returns)
        world.do(Action.RESTOCK, "SN-1", grade="open box", **returns)
        world.do(Action.TRANSFER_OUT, "SN-1", place="WH")
        world.do(Action.TRANSFER_IN, "SN-1", place="WH")
    event_id = world.history("SN-1")[0]["id"]
    changes = Changes(document=Document("po", "PO-7"))
    context = world.context(reason="mistyped")
    world.write(
        lambda tx: corrections.correct(
            Work(tx, context, new_id()),
            event_id,
            reason=Declaration.INCORRECT_DATA,
            changes=changes,
        )
    )
    while (lacking := EVENTS - 1 - world.unit("SN-1")["version"]) > 0:
        world.pass_time(days=7)
        world.do(Action.COUNT, *["SN-1"] * min(lacking, 100))
    assert world.do(Action.SELL, "SN-1")[0].accepted
    world.pass_time(days=731)


def units_place(world: World, code: str) -> Any:
    (row,) = world.rows("SELECT * FROM location WHERE code = :code", code=code)
    return row


@pytest.mark.req("R38", "R55")
def test_one_question_tells_the_whole_trail_in_order_two_years_after_the_sale(
    world: World,
) -> None:
    live_for_years(world)
    rows = world.rows(
        "SELECT event.id, event.hash FROM event JOIN unit ON unit.id = event.unit_id "
        "WHERE unit.serial = 'SN-1' ORDER BY event.version"
    )
    assert len(rows) == EVENTS

    async def story(hub: Hub) -> None:
        pos = await hub.caller(Scope.POS)
        unit = (await pos.ask(TRAIL))["unit"]
        told = unit["history"]
        assert unit["version"] == len(told) == EVENTS
        assert [(each["id"], each["hash"]) for each in told] == [
            (row["id"], row["hash"]) for row in rows
        ]
        assert [each["version"] for each in told] == list(range(1, EVENTS + 1))
        assert [each["occurredAt"] for each in told] == sorted(each["occurredAt"] for each in told)
        assert all(each["previousHash"] == before["hash"] for before, each in pairwise(told))
        actions = {each["action"] for each in told}
        assert actions == {
            "RECEIVE", "PUT_AWAY", "ENTER_KIT", "FOLLOW_KIT", "LEAVE_KIT", "RESTOCK",
            "TRANSFER_OUT", "TRANSFER_IN", "SELL", "ACCEPT_RETURN", "CORRECT", "COUNT",
        }  # fmt: skip
        assert [each["corrects"] for each in told if each["corrects"]] == [told[0]["id"]]

    play(world, story)


def plans(tx: Transaction, read: Callable[[], Any]) -> list[str]:
    """Return how the database would find the rows of a read: one line for each step."""
    asked: list[tuple[str, dict[str, Any]]] = []
    rows = tx.rows

    def noted(statement: str, **values: Any) -> Any:
        asked.append((statement, values))
        return rows(statement, **values)

    with patch.object(tx, "rows", noted):
        read()
    assert asked
    explain = "EXPLAIN QUERY PLAN" if tx.dialect == "sqlite" else "EXPLAIN"
    if tx.dialect == "postgresql":
        # What no index serves is read whole even so.
        tx.run("SET LOCAL enable_seqscan = off")
    return [
        str(step.get("detail") or step.get("QUERY PLAN"))
        for statement, values in asked
        for step in rows(f"{explain} {statement}", **values)
    ]


@pytest.mark.req("R38", "R55")
@pytest.mark.parametrize("view", View)
def test_a_trail_is_read_by_indexes_alone(world: World, view: View) -> None:
    live = [f"SN-{number}" for number in range(1, 60)]
    world.receive(*live)
    world.do(Action.COUNT, *live)

    def explained(tx: Transaction) -> list[str]:
        def read() -> None:
            found = units.find(tx, "SN-1")
            assert len(VIEWS[view](tx, [found["id"]])[found["id"]]) == 3

        return plans(tx, read)

    steps = world.write(explained)
    assert any("event" in step for step in steps)
    # json_each is the list of ids that is asked for, not a table.
    whole = [step for step in steps if "Seq Scan" in step or re.match(r"SCAN (?!json_each)", step)]
    assert whole == []


@pytest.mark.req("R47")
def test_the_moves_between_shops_and_to_customers_are_read_for_each_unit(world: World) -> None:
    channel = world.channel()
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    world.do(Action.TRANSFER_OUT, "SN-1", place="SHOP")
    world.do(Action.TRANSFER_IN, "SN-1", place="SHOP")
    world.do(Action.HOLD, "SN-2", hold_kind="quality", reason="scratched")
    world.accept(channel, world.order())
    world.do(Action.PICK, "SN-1")
    world.do(Action.PACK, "SN-1")
    shipment = Shipment(carrier="UPS", tracking="1Z9")
    world.write(
        lambda tx: orders.ship(Work(tx, world.context(), new_id()), [Scan("SN-1")], shipment)
    )

    async def story(hub: Hub) -> None:
        pos: Caller = await hub.caller(Scope.POS)
        told = (await pos.ask(OF_SHOPS))["history"]
        assert [
            (each["action"], each["bizStep"], each["locationFrom"], each["location"])
            for each in told[2:]
        ] == [
            ("TRANSFER_OUT", "SHIPPING", "WH", "IN-TRANSIT"),
            ("TRANSFER_IN", "RECEIVING", "IN-TRANSIT", "SHOP"),
            ("ALLOCATE", "ALLOCATING", "SHOP", "SHOP"),
            ("PICK", "PICKING", "SHOP", "SHOP"),
            ("PACK", "PACKING", "SHOP", "SHOP"),
            ("SHIP", "SHIPPING", "SHOP", "CUSTOMER"),
        ]
        assert told[4]["documentRef"] == "#o-1"
        assert {each["actor"] for each in told} == {"tester"}

    play(world, story)


async def page_of(http: httpx.AsyncClient, secret: str, serial: str) -> tuple[str, str]:
    """Sign in to the console, look a serial up, and return the unit's address and page."""
    found = re.search('name="csrf" value="([^"]+)"', (await http.get("/console/login")).text)
    assert found is not None
    form = {"csrf": found[1], "key": secret, "next": "/console/"}
    assert (await http.post("/console/login", data=form)).status_code == 303
    answer = await http.get("/console/units", params={"q": serial})
    assert answer.status_code == 303
    address = answer.headers["location"]
    return address, (await http.get(address)).text


@pytest.mark.req("R53")
def test_every_door_gives_the_same_answer_about_a_serial(world: World) -> None:
    channel = world.channel()
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    order_id = world.accept(channel, world.order())
    _, secret = world.write(lambda tx: keys.create(tx, "ops", [Scope.OPS], world.now))
    headers = {"authorization": f"Bearer {secret}"}

    async def story(url: str) -> None:
        async with listening(url, secret) as listener:
            await listener.subscribe()
            await begun(world, [listener])
            await asyncio.to_thread(world.do, Action.MOVE, "SN-1", place="WH-A1")
            event = await listener.event()
        await asyncio.to_thread(sign, world)
        async with httpx.AsyncClient(base_url=url, headers=headers) as http:
            asker = Caller(http)
            of_order = (await asker.ask(OF_ORDER, id=order_id))["order"]
            answers = [await asker.ask(ASKED, serial=each) for each in ("SN-1", "sn 1")]
            address, page = await page_of(http, secret, "sn-1")
        assert answers[0]["unit"] == answers[1]["unit"]
        told = answers[0]
        unit = told["unit"]
        hashes = [each["hash"] for each in unit.pop("history")]
        assert (unit["serial"], unit["version"], len(hashes)) == ("SN-1", 4, 4)
        assert unit["location"] == {"code": "WH-A1"}
        for another in (
            told["capture"]["unit"],
            told["units"]["nodes"][0],
            of_order["lines"][0]["units"][0],
        ):
            assert another == unit
        assert [each["hash"] for each in told["history"]] == hashes
        assert [each["hash"] for each in told["custodyCertificate"]["events"]] == hashes
        assert (event["version"], event["unit"]) == (4, {"serial": "SN-1"})
        assert event["location"] == "WH-A1"
        assert address == f"/console/units/{unit['id']}"
        assert all(each in page for each in ("SN-1", "WH-A1", hashes[-1][:8]))

    over_a_socket(world, story)
