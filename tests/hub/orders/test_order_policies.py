"""Orders that come twice, sell what nobody knows, sell too much, or sell one unit by itself."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import orjson
import pytest

from connectors import Rejected
from hub import catalogue, ledger, orders
from hub.catalogue import alternatives
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment, duplicates
from hub.reconciliation.comparison import level_comparison
from hub.storage.database import open_database
from hub.storage.sql import Row, Transaction
from hub.sync import bindings, listings
from hub.sync.channels import Oversell
from hub.vocabulary import ObservedLevel, OrderLine, OrderState
from jobs import relay
from jobs.maintenance import sweep
from reconciling_orders import compared
from recording import stage
from world import World

TWO = (OrderLine(ref="l-1", sku="CAM", quantity=2),)


def swept(world: World) -> None:
    asyncio.run(sweep.sweep(world.runtime()))


def order_id(world: World, ref: str) -> str:
    return str(world.value("SELECT id FROM sales_order WHERE ref = :ref", ref=ref))


def decide(world: World, ref: str, *, different: bool) -> None:
    found = order_id(world, ref)
    world.write(lambda tx: orders.decide_duplicate(tx, world.context(), found, different=different))


def promised(world: World) -> list[str]:
    rows = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL ORDER BY serial")
    return [row["serial"] for row in rows]


class TestTwice:
    """The same order by two channels."""

    @pytest.fixture
    def channels(self, world: World) -> tuple[Row, Row]:
        world.receive("SN-1", "SN-2")
        return world.channel("market"), world.channel("shop")

    def test_an_imported_order_takes_no_units_again(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        market, shop = channels
        world.accept(market, world.order("111-22"))
        for _ in range(2):
            world.accept(shop, world.order("o-1", origin_ref="111-22"))
        assert promised(world) == ["SN-1"]
        assert world.open_cases() == [("duplicate_order", "o-1")]
        swept(world)
        assert promised(world) == ["SN-1"]

    def test_whichever_comes_second_is_the_repeat(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        market, shop = channels
        world.accept(shop, world.order("o-1", origin_ref="111-22"))
        world.accept(market, world.order("111-22"))
        world.accept(shop, world.order("o-1", origin_ref="111-22"))
        assert promised(world) == ["SN-1"]
        assert world.open_cases() == [("duplicate_order", "111-22")]

    def test_two_that_come_at_the_same_instant_are_held_apart(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        market, shop = channels
        one, other = open_database(world.database.url), open_database(world.database.url)
        accepted, waited = threading.Event(), threading.Event()

        def first(tx: Transaction) -> None:
            orders.accept(tx, world.context(), market, world.order("111-22"))
            accepted.set()
            waited.wait(0.5)  # the other one is at work meanwhile, and may not end before this

        def second(tx: Transaction) -> None:
            orders.accept(tx, world.context(), shop, world.order("o-1", TWO, origin_ref="111-22"))
            waited.set()

        begun = one.submit(first)
        assert accepted.wait(5)
        other.write_now(second)
        begun.result()
        one.close()
        other.close()
        assert promised(world) == ["SN-1"]
        assert world.open_cases() == [("duplicate_order", "o-1")]

    def test_a_person_says_that_they_are_different_and_both_are_served(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        market, shop = channels
        world.accept(market, world.order("111-22"))
        world.accept(shop, world.order("o-1", origin_ref="111-22"))
        decide(world, "o-1", different=True)
        assert promised(world) == ["SN-1", "SN-2"]
        for channel, said in (
            (market, world.order("111-22")),
            (shop, world.order("o-1", origin_ref="111-22")),
        ):
            world.accept(channel, said)
        assert promised(world) == ["SN-1", "SN-2"]
        assert world.open_cases() == []
        (case,) = world.rows("SELECT * FROM exception_case")
        assert (case["resolved_by"], case["resolution"]) == (
            "tester",
            "They are different orders.",
        )

    def test_a_person_says_that_they_are_the_same(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        market, shop = channels
        world.accept(market, world.order("111-22"))
        world.accept(shop, world.order("o-1", origin_ref="111-22"))
        decide(world, "o-1", different=False)
        world.accept(shop, world.order("o-1", origin_ref="111-22"))
        assert promised(world) == ["SN-1"]
        assert world.open_cases() == []

    def test_only_an_order_that_repeats_another_is_decided(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        world.accept(channels[0], world.order("111-22"))
        with pytest.raises(StepNotAllowed, match="repeats no other"):
            decide(world, "111-22", different=True)
        with pytest.raises(UnknownReference):
            decide(world, "none", different=True)

    def test_equal_numbers_without_an_origin_are_two_orders(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        for channel in channels:
            world.accept(channel, world.order("1001"))
        assert promised(world) == ["SN-1", "SN-2"]
        assert world.open_cases() == []

    def test_a_cancelled_repeat_closes_its_case(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        market, shop = channels
        world.accept(market, world.order("111-22"))
        again = world.order("o-1", origin_ref="111-22")
        world.accept(shop, again)
        world.accept(shop, replace(again, state=OrderState.CANCELLED))
        assert world.open_cases() == []
        assert promised(world) == ["SN-1"]

    def test_what_the_first_one_shipped_is_no_difference_of_the_repeat(
        self, world: World, channels: tuple[Row, Row]
    ) -> None:
        market, shop = channels
        world.accept(market, world.order("111-22"))
        world.accept(shop, world.order("o-1", origin_ref="111-22"))
        shipped = OrderLine(ref="l-1", sku="CAM", quantity=1, fulfilled=1)
        remote = world.order("o-1", lines=[shipped], origin_ref="111-22")
        assert compared(world, shop, remote, world.now).result == "matched"


class TestUnmapped:
    """An order for what nobody knows."""

    def test_it_is_served_when_its_listing_is_bound(self, world: World) -> None:
        shop = world.channel()
        world.receive("SN-1", "SN-2", "SN-3")
        line = OrderLine(ref="l-1", sku="THEIRS", quantity=1)
        for ref in ("a", "b"):
            world.accept(shop, world.order(ref, lines=[line]))
        assert world.open_cases() == [("unmapped_listing", "THEIRS")]
        product = world.value("SELECT id FROM product WHERE sku = 'CAM'")
        world.write(lambda tx: bindings.bind(tx, shop["id"], product, "THEIRS", {}, world.now))
        swept(world)
        assert promised(world) == ["SN-1", "SN-2"]
        assert world.open_cases() == []

    def test_it_is_served_when_a_product_of_its_name_is_registered(self, world: World) -> None:
        shop = world.channel()
        world.accept(shop, world.order(lines=[OrderLine(ref="l-1", sku="NEW", quantity=1)]))
        card = catalogue.ProductCard(sku="NEW", name="New", manufacturer="ACME")
        world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
        world.receive("NEW-1", sku="NEW")
        swept(world)
        assert promised(world) == ["NEW-1"]
        assert world.open_cases() == []

    def test_a_till_sale_is_completed_with_its_serials(self, world: World) -> None:
        till = world.channel("till", "square")
        world.receive("SN-1", place="SHOP")
        line = OrderLine(ref="l-1", sku="THEIRS", quantity=1, serials=("SN-1",))
        sold = world.order(lines=[line], state=OrderState.FULFILLED, at_counter=True)
        world.accept(till, sold)
        product = world.value("SELECT id FROM product WHERE sku = 'CAM'")
        world.write(lambda tx: bindings.bind(tx, till["id"], product, "THEIRS", {}, world.now))
        swept(world)
        assert world.unit("SN-1")["status"] == "sold"
        assert world.open_cases() == []

    def test_a_case_ends_with_its_last_order(self, world: World) -> None:
        shop = world.channel()
        line = OrderLine(ref="l-1", sku="THEIRS", quantity=1)
        said = [world.order(ref, lines=[line]) for ref in ("a", "b")]
        for each in said:
            world.accept(shop, each)
        world.accept(shop, replace(said[0], state=OrderState.CANCELLED))
        assert world.open_cases() == [("unmapped_listing", "THEIRS")]
        world.accept(shop, replace(said[1], state=OrderState.CANCELLED))
        assert world.open_cases() == []


class TestOneUnit:
    """Listings that sell one unit beside those that sell any of a product."""

    def listed(self, world: World, channel: Row, serial: str = "SN-2") -> str:
        unit = world.unit(serial)
        return world.write(
            lambda tx: bindings.bind(
                tx,
                channel["id"],
                unit["product_id"],
                f"CAM-{serial}",
                {"id": serial},
                world.now,
                unit_id=unit["id"],
            )
        )

    def shown(self, world: World, channel: Row) -> dict[str, int]:
        rows = world.rows(
            "SELECT listing.sku, listing_level.* FROM listing_level "
            "JOIN listing ON listing.id = listing_level.listing_id "
            "WHERE listing.channel_id = :id",
            id=channel["id"],
        )
        counts = world.read(lambda tx: listings.desired(tx, channel, rows, world.now))
        return {row["sku"]: counts[row["listing_id"]] for row in rows}

    def test_it_shows_one_while_its_unit_can_be_sold(self, world: World) -> None:
        used, shop = world.channel("used", safety_buffer=1), world.channel("shop")
        world.receive("SN-1", "SN-2")
        self.listed(world, used)
        world.list_product(used)
        world.list_product(shop)
        assert self.shown(world, used) == {"CAM": 1, "CAM-SN-2": 1}
        assert self.shown(world, shop) == {"CAM": 2}
        world.do(Action.HOLD, "SN-2", hold_kind="quality", reason="scratch")
        assert self.shown(world, used)["CAM-SN-2"] == 0
        world.do(Action.UNBLOCK, "SN-2", hold_kind="quality")
        line = OrderLine(ref="l-1", sku="CAM-SN-2", quantity=1)
        world.accept(used, world.order(lines=[line]))
        assert promised(world) == ["SN-2"]
        assert self.shown(world, used) == {"CAM": 0, "CAM-SN-2": 0}
        assert self.shown(world, shop) == {"CAM": 1}

    def test_its_level_is_told_only_when_its_own_unit_changes(self, world: World) -> None:
        connector, runtime, used = stage(world)
        world.receive("SN-1", "SN-2")
        self.listed(world, used)
        world.list_product(used)
        asyncio.run(relay.drain(runtime, used["id"]))
        assert connector.shown == {"CAM": 2, "CAM-SN-2": 1}
        connector.pushes.clear()
        world.receive("SN-3")
        asyncio.run(relay.drain(runtime, used["id"]))
        assert [each.sku for each in connector.pushes] == ["CAM"]
        world.do(Action.ALLOCATE, "SN-2", hold_reference="x")
        asyncio.run(relay.drain(runtime, used["id"]))
        assert connector.shown == {"CAM": 2, "CAM-SN-2": 0}

    def test_an_order_on_it_never_takes_another_unit(self, world: World) -> None:
        used, shop = world.channel("used"), world.channel("shop")
        world.receive("SN-2")
        self.listed(world, used)
        world.accept(shop, world.order("first"))
        world.receive("SN-3")
        line = OrderLine(ref="l-1", sku="CAM-SN-2", quantity=1)
        world.accept(used, world.order("second", lines=[line]))
        swept(world)
        assert promised(world) == ["SN-2"]
        assert world.open_cases() == [("oversold", "second/l-1")]
        world.accept(shop, world.order("first", state=OrderState.CANCELLED))
        swept(world)
        assert promised(world) == ["SN-2"]
        assert world.open_cases() == []

    def test_it_is_compared_by_its_own_unit(self, world: World) -> None:
        used = world.channel("used")
        world.receive("SN-1", "SN-2")
        listing = self.listed(world, used)
        world.write(
            lambda tx: tx.run(
                "UPDATE listing_level SET done_version = wanted_version, acknowledged = 1 "
                "WHERE listing_id = :id",
                id=listing,
            )
        )
        for quantity, result in ((1, "matched"), (2, "different")):
            seen = [ObservedLevel(sku="CAM-SN-2", quantity=quantity, remote={})]
            outcome = world.write(
                lambda tx, seen=seen: level_comparison.levels(tx, used, seen, world.now)
            )
            assert [each.result for each in outcome.compared] == [result]


class TestTooMuch:
    """What a channel wants done when it sold more than there is."""

    def named(self, world: World, *skus: str) -> None:
        world.write(lambda tx: alternatives.put(tx, "CAM", skus))

    def test_another_product_is_sent_where_one_is_named(self, world: World) -> None:
        shop = world.channel(oversell=Oversell.ALTERNATIVE)
        world.receive("CAM-1")
        world.receive("LENS-1", "LENS-2", sku="LENS")
        self.named(world, "SAW", "LENS")
        for _ in range(2):
            world.accept(shop, world.order(lines=TWO))
        assert promised(world) == ["CAM-1", "LENS-1"]
        assert world.open_cases() == [("substitution", "o-1/l-1")]
        scans = [Scan("CAM-1"), Scan("LENS-1")]
        world.do(Action.PICK, "CAM-1", "LENS-1")
        verdicts = world.write(
            lambda tx: orders.ship(Work(tx, world.context(), "c-1"), scans, Shipment())
        )
        assert all(each.accepted for each in verdicts), verdicts
        assert world.value("SELECT state FROM sales_order") == "fulfilled"
        world.accept(shop, world.order(lines=TWO))
        assert world.open_cases() == [("substitution", "o-1/l-1")]

    def test_a_product_that_nobody_named_is_never_sent(self, world: World) -> None:
        shop = world.channel(oversell=Oversell.ALTERNATIVE)
        world.receive("LENS-1", sku="LENS")
        world.receive("SAW-1", sku="SAW")
        self.named(world, "LENS")
        world.accept(shop, world.order(lines=TWO))
        assert promised(world) == ["LENS-1"]
        assert [kind for kind, _ in world.open_cases()] == ["oversold", "substitution"]
        line = world.value("SELECT id FROM order_line")
        verdicts = world.write(
            lambda tx: ledger.record(
                Work(tx, world.context(), "c-2"),
                orders.UnitCommand(action=Action.PICK, line=line),
                [Scan("SAW-1")],
            )
        )
        assert verdicts[0].code == "WRONG_UNIT"

    def test_alternatives_are_other_products_and_known(self, world: World) -> None:
        self.named(world, "LENS", "SAW")
        assert world.read(lambda tx: alternatives.of(tx, "CAM")) == ["LENS", "SAW"]
        self.named(world, "SAW")
        assert world.read(lambda tx: alternatives.of(tx, "CAM")) == ["SAW"]
        for wrong in (("CAM",), ("LENS", "LENS")):
            with pytest.raises(InvalidInput):
                self.named(world, *wrong)
        with pytest.raises(UnknownReference):
            self.named(world, "NONE")

    def told(self, world: World, **more: Any) -> tuple[Any, Any, Row]:
        return stage(world, oversell=Oversell.CANCEL, **more)

    def test_the_channel_is_told_to_cancel_once(self, world: World) -> None:
        connector, runtime, shop = self.told(world)
        world.receive("SN-1")
        for _ in range(2):
            world.accept(shop, world.order(lines=TWO))
        (case,) = world.rows("SELECT * FROM exception_case")
        assert case["kind"] == "oversold"
        assert "is asked to cancel" in case["summary"]
        asyncio.run(relay.drain(runtime, shop["id"]))
        (asked,) = connector.cancellations
        assert (asked.order_ref, asked.reason) == ("o-1", "out of stock")
        world.accept(shop, world.order(lines=TWO, state=OrderState.CANCELLED))
        assert world.open_cases() == []
        assert promised(world) == []

    def test_an_order_that_can_be_served_after_all_is_not_cancelled(self, world: World) -> None:
        connector, runtime, shop = self.told(world)
        world.accept(shop, world.order())
        world.receive("SN-1")
        swept(world)
        asyncio.run(relay.drain(runtime, shop["id"]))
        assert connector.cancellations == []
        assert world.value("SELECT state FROM outbox") == "sent"

    def test_what_the_channel_refuses_to_cancel_is_a_case(self, world: World) -> None:
        connector, runtime, shop = self.told(world)
        world.accept(shop, world.order())
        connector.failures = [Rejected("it is shipped")]
        asyncio.run(relay.drain(runtime, shop["id"]))
        assert [kind for kind, _ in world.open_cases()] == ["oversold", "sync_failure"]

    def test_a_channel_that_can_not_cancel_leaves_it_to_a_person(self, world: World) -> None:
        shop = world.channel("mail", oversell=Oversell.CANCEL, capabilities=["pull_orders"])
        world.accept(shop, world.order())
        (case,) = world.rows("SELECT * FROM exception_case")
        assert "cancel it there by hand" in case["summary"]
        assert world.value("SELECT COUNT(*) FROM outbox") == 0

    def test_an_order_of_which_something_left_is_not_cancelled(self, world: World) -> None:
        _, _, shop = self.told(world)
        world.receive("SN-1")
        world.accept(shop, world.order())
        world.do(Action.PICK, "SN-1")
        world.write(
            lambda tx: orders.ship(Work(tx, world.context(), "c-1"), [Scan("SN-1")], Shipment())
        )
        world.accept(shop, world.order(lines=TWO))
        (case,) = world.rows("SELECT * FROM exception_case")
        assert orjson.loads(case["details"])["policy"] == "cancel"
        assert "have left already" in case["summary"]
        assert world.value("SELECT COUNT(*) FROM outbox WHERE topic = 'cancellation'") == 0


def test_the_verdicts_are_the_words_that_the_schema_tells() -> None:
    assert (duplicates.SUSPECTED, duplicates.SAME, duplicates.DIFFERENT) == (
        "suspected",
        "same",
        "different",
    )
