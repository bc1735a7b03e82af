"""Records of a channel that cannot be read: kept, named, read again, in nobody else's way."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from connectors import NotOurs, OrderRef, Page, Unreadable, UnreadableRecord
from hub.storage.sql import Row
from hub.sync import channels, inbox
from hub.vocabulary import OrderLine
from jobs import backfill, intake, poll, unreadable
from jobs.reconciliation import run as reconcile
from jobs.runtime import Runtime
from recording import Calling, Recording, stage
from world import World

ODD = UnreadableRecord(
    kind="order",
    ref="bad",
    field="line_items[0].quantity",
    value='"many"',
    reason="is no number",
    raw='{"id": "bad"}',
)
DEAD = "SELECT COUNT(*) FROM inbox WHERE state = 'dead'"


def worked_in(runtime: Runtime) -> int:
    return asyncio.run(intake.drain(runtime))


def polled(runtime: Runtime, channel: Row) -> None:
    asyncio.run(poll.poll(runtime, channel))
    worked_in(runtime)


def open_cases(world: World) -> list[Row]:
    return world.rows(
        "SELECT * FROM exception_case WHERE state <> 'resolved' AND kind = 'unreadable_record' "
        "ORDER BY subject"
    )


def orders_of(world: World) -> list[str]:
    return [row["ref"] for row in world.rows("SELECT ref FROM sales_order ORDER BY ref")]


def page_with(world: World, *odd: UnreadableRecord) -> Page[Any]:
    return Page((world.order("a"), world.order("c")), "c1", unreadable=odd)


def test_the_odd_record_is_set_aside_and_its_neighbours_come_in(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.pages = [page_with(world, ODD)]
    polled(runtime, channel)
    assert orders_of(world) == ["a", "c"]
    assert world.read(lambda tx: channels.cursor(tx, channel["id"], "orders")) == "c1"
    (case,) = open_cases(world)
    assert (case["kind"], case["subject"]) == ("unreadable_record", "bad")
    assert 'line_items[0].quantity is "many"' in case["summary"]
    assert orjson.loads(case["details"])["record"] == '{"id": "bad"}'
    kept = world.rows("SELECT * FROM inbox WHERE source = 'unreadable'")
    assert [(row["state"], row["topic"], row["subject"]) for row in kept] == [
        ("dead", "order", "bad")
    ]


def test_a_repeated_page_opens_no_second_case(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.pages = [page_with(world, ODD) for _ in range(3)]
    for _ in range(3):
        polled(runtime, channel)
    (case,) = open_cases(world)
    assert case["occurrences"] == 1
    assert world.value(DEAD) == 1


def test_a_change_of_the_record_closes_its_case(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.pages = [page_with(world, ODD), Page((world.order("bad"),), "c2")]
    polled(runtime, channel)
    polled(runtime, channel)
    assert orders_of(world) == ["a", "bad", "c"]
    assert open_cases(world) == []
    assert world.value(DEAD) == 0


def test_a_record_that_goes_wrong_again_opens_its_case_again(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.pages = [
        page_with(world, ODD),
        Page((world.order("bad"),), "c2"),
        page_with(world, ODD),
    ]
    for _ in range(3):
        polled(runtime, channel)
    assert len(open_cases(world)) == 1
    assert world.value(DEAD) == 1


@pytest.mark.parametrize("seen_again", [False, True])
def test_what_was_pulled_before_closes_no_record_that_came_later(
    world: World, seen_again: bool
) -> None:
    connector, runtime, channel = stage(world)
    if seen_again:  # it was odd before, and is odd again
        connector.pages = [page_with(world, ODD)]
        polled(runtime, channel)
        world.pass_time(minutes=1)
    connector.pages = [Page((world.order("bad"),), "c2")]
    asyncio.run(poll.poll(runtime, channel))  # stored, and nobody processes it yet
    world.pass_time(minutes=1)
    connector.pages = [page_with(world, ODD)]
    asyncio.run(poll.poll(runtime, channel))
    world.pass_time(minutes=1)
    worked_in(runtime)
    assert "bad" in orders_of(world)
    assert len(open_cases(world)) == 1  # what changed since is not read
    assert world.value(DEAD) == 1
    world.pass_time(minutes=1)
    connector.orders = {"bad": world.order("bad")}
    world.write(lambda tx: channels.replay(tx, channel["code"], None, world.now))
    worked_in(runtime)
    assert (open_cases(world), world.value(DEAD)) == ([], 0)


def test_a_person_has_it_read_again(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.pages = [page_with(world, ODD)]
    polled(runtime, channel)
    connector.failures = [Unreadable(ODD)]
    assert world.write(lambda tx: channels.replay(tx, "rec", None, world.now)) == 1
    worked_in(runtime)
    assert len(open_cases(world)) == 1
    assert world.value(DEAD) == 1
    connector.orders["bad"] = world.order("bad")
    assert world.write(lambda tx: channels.replay(tx, "rec", None, world.now)) == 1
    worked_in(runtime)
    assert orders_of(world) == ["a", "bad", "c"]
    assert open_cases(world) == []
    assert world.value(DEAD) == 0


def test_an_upgrade_reads_it_again_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connector, runtime, channel = stage(world)
    connector.pages = [page_with(world, ODD)]
    polled(runtime, channel)
    assert asyncio.run(unreadable.read_again(runtime)).startswith("0 ")
    monkeypatch.setattr(unreadable, "version", lambda _: "99.0")
    connector.failures = [Unreadable(ODD)]
    assert asyncio.run(unreadable.read_again(runtime)).startswith("1 ")
    worked_in(runtime)
    assert asyncio.run(unreadable.read_again(runtime)).startswith("0 ")
    monkeypatch.setattr(unreadable, "version", lambda _: "99.1")
    connector.orders["bad"] = world.order("bad")
    assert asyncio.run(unreadable.read_again(runtime)).startswith("1 ")
    worked_in(runtime)
    assert "bad" in orders_of(world)
    assert open_cases(world) == []


def test_one_without_a_reference_is_read_again_with_its_page(world: World) -> None:
    connector, runtime, channel = stage(world)
    nameless = replace(ODD, ref=None, field="id", value="null", raw='{"id": null}')
    connector.pages = [page_with(world, nameless), page_with(world, nameless)]
    polled(runtime, channel)
    (case,) = open_cases(world)
    assert case["subject"].startswith("order ")
    world.write(lambda tx: channels.replay(tx, "rec", None, world.now))
    worked_in(runtime)
    assert [each["id"] for each in open_cases(world)] == [case["id"]]
    connector.pages = [Page((world.order("found"),), "c1")]
    world.write(lambda tx: channels.replay(tx, "rec", None, world.now))
    worked_in(runtime)
    assert "found" in orders_of(world)
    assert open_cases(world) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lines": (OrderLine(ref="l", sku="CAM\0", quantity=1),)}, "lines[0].sku"),
        ({"lines": (OrderLine(ref="l", sku="\ud800", quantity=1),)}, "lines[0].sku"),
        ({"lines": (OrderLine(ref="l", sku="CAM", quantity=10**30),)}, "lines[0].quantity"),
        ({"lines": (OrderLine(ref="l", sku="CAM", quantity="2"),)}, "lines[0].quantity"),
        ({"lines": [OrderLine(ref="l", sku="CAM", quantity=1)]}, "lines"),
        ({"number": None}, "number"),
        ({"placed_at": "yesterday"}, "placed_at"),
    ],
)
def test_a_sloppy_connector_stops_no_order_but_the_odd_one(
    world: World, change: dict[str, Any], field: str
) -> None:
    connector, runtime, channel = stage(world)
    odd = replace(world.order("bad"), **change)
    connector.pages = [Page((world.order("a"), odd, world.order("c")), "c1")]
    polled(runtime, channel)
    assert orders_of(world) == ["a", "c"]
    (case,) = open_cases(world)
    assert (case["kind"], case["subject"]) == ("unreadable_record", "bad")
    assert orjson.loads(case["details"])["field"] == field


def test_what_only_people_read_is_cleaned(world: World) -> None:
    connector, runtime, channel = stage(world)
    line = OrderLine(ref="l", sku="CAM", quantity=1, title="Cam\0era")
    connector.pages = [Page((world.order("a", [line]),), "c1")]
    polled(runtime, channel)
    assert orders_of(world) == ["a"]
    assert open_cases(world) == []


def test_a_hint_about_an_unreadable_order_is_one_case_however_often_it_comes(world: World) -> None:
    connector, runtime, channel = stage(world, Calling)
    for number in range(3):
        world.pass_time(seconds=10)  # before that the same content is not looked at again
        call = inbox.Message(channel["id"], f"w{number}", "webhook", "orders/updated", b"bad")
        world.write(lambda tx, call=call: inbox.accept(tx, [call], world.now))
        connector.failures = [Unreadable(ODD)]
        worked_in(runtime)
    assert [case["subject"] for case in open_cases(world)] == ["bad"]
    assert world.value(DEAD) == 1
    connector.orders["bad"] = world.order("bad")
    world.pass_time(seconds=10)
    call = inbox.Message(channel["id"], "w9", "webhook", "orders/updated", b"bad")
    world.write(lambda tx: inbox.accept(tx, [call], world.now))
    worked_in(runtime)
    assert orders_of(world) == ["bad"]
    assert open_cases(world) == []


class OfAnother(Calling):
    """Every order but `ours` belongs to another channel of the account."""

    def read(self, topic: str, body: bytes) -> list[OrderRef]:
        return [OrderRef(ref) for ref in json.loads(body)]

    async def read_order(self, ref: str) -> Any:
        if ref != "ours":
            raise NotOurs(ref)
        return await super().read_order(ref)


def test_a_hint_about_an_order_of_another_channel_is_dropped(world: World) -> None:
    connector, runtime, channel = stage(world, OfAnother)
    connector.orders["ours"] = world.order("ours")
    for name, refs in (("w1", ["theirs"]), ("w2", ["theirs", "ours"])):
        body = json.dumps(refs).encode()
        call = inbox.Message(channel["id"], name, "webhook", "orders/updated", body)
        world.write(lambda tx, call=call: inbox.accept(tx, [call], world.now))
    worked_in(runtime)
    assert orders_of(world) == ["ours"]
    assert open_cases(world) == []
    assert world.value(DEAD) == 0


class WithOddShelves(Recording):
    """Its snapshots hold a listing and an order that cannot be read."""

    odd: bool = True

    async def snapshot_stock(self) -> Any:
        async for level in super().snapshot_stock():
            if self.odd and level.sku == "SAW":
                yield replace(
                    ODD, kind="listing", ref="7", raw='{"sku": "SAW", "quantity": "many"}'
                )
            else:
                yield level

    async def snapshot_orders(self, since: Any, until: Any) -> Any:
        yield ODD
        async for order in super().snapshot_orders(since, until):
            yield order


def test_an_unreadable_listing_is_a_case_and_not_a_missing_one(world: World) -> None:
    connector, runtime, _ = stage(world, WithOddShelves)
    world.receive("S-1", sku="SAW")
    connector.shown = {"CAM": 0, "SAW": 1}
    missing = (
        "SELECT COUNT(*) FROM reconciliation_difference "
        "WHERE subject = 'SAW' AND kind = 'missing_listing'"
    )
    for connector.odd, named in ((False, []), (True, ["listing 7"]), (False, [])):
        world.pass_time(hours=1)
        asyncio.run(reconcile.reconcile_due(timedelta(), runtime))
        of_listings = [case["subject"] for case in open_cases(world) if case["subject"] != "bad"]
        assert of_listings == named
        assert world.value("SELECT COUNT(*) FROM listing") == 2
        assert world.value(missing) == 0


def test_a_back_fill_keeps_what_it_cannot_read(world: World) -> None:
    connector, runtime, channel = stage(world, WithOddShelves)
    connector.orders["a"] = world.order("a")
    read = asyncio.run(backfill.pull_orders(runtime, channel, world.now, world.now))
    assert orders_of(world) == ["a"]
    assert read[1] == 1
    assert [case["subject"] for case in open_cases(world)] == ["bad"]
