"""Shops: collected, shipped from store, sold at the till, transferred, exchanged; what is first."""

from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from hub import catalogue, decision_rules, orders
from hub.catalogue import ProductCard
from hub.clock import new_id
from hub.commands.work import Work
from hub.decision_rules import Conditions, Priority, Rule, Topic
from hub.errors import CaptureRequired, InvalidInput, StepNotAllowed, UnitPromised, UnknownReference
from hub.fulfillment import collection, counter_sales, exchanges, priorities, tasks, transfers
from hub.fulfillment.priorities import PRIORITY_RULES
from hub.fulfillment.tasks import TaskKind
from hub.history.sales import story_of
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.sync import listings
from hub.vocabulary import CaptureMethod, OrderLine
from world import World


def codes(verdicts: list[Verdict]) -> list[str | None]:
    return [verdict.code for verdict in verdicts]


def order(world: World, ref: str, quantity: int, **more: Any) -> str:
    shop = world.read(lambda tx: catalogue.reference(tx, "channel", "code", "shop"))
    lines = [OrderLine(ref="l-1", sku="CAM", quantity=quantity)]
    order_id = world.accept(shop, world.order(ref, lines=lines, **more))
    assert order_id is not None
    return order_id


def waiting(world: World, *serials: str, ref: str = "o-1") -> str:
    """An order that waits at the shop."""
    world.receive(*serials, place="SHOP")
    order_id = order(world, ref, len(serials), customer_ref="cust-1")
    world.do(Action.PICK, *serials)
    return order_id


def collect(
    world: World, order_id: str, *serials: str, place: str = "SHOP", **more: Any
) -> list[Verdict]:
    scans = [Scan(serial) for serial in serials]
    return world.write(
        lambda tx: collection.collect(
            Work(tx, world.context(), new_id()),
            order_id,
            scans,
            catalogue.location(tx, place),
            **more,
        )
    )


def sell(world: World, *scans: Scan, place: str | None = None, **more: Any) -> list[Verdict]:
    command = UnitCommand(action=Action.SELL, **more)
    return world.write(
        lambda tx: counter_sales.sell(
            Work(tx, world.context(), new_id()),
            command,
            scans,
            catalogue.location(tx, place) if place else None,
        )
    )


def arrive(world: World, *serials: str, place: str) -> list[Verdict]:
    scans = [Scan(serial) for serial in serials]
    return world.write(
        lambda tx: transfers.arrive(
            Work(tx, world.context(), new_id()), scans, catalogue.location(tx, place)
        )
    )


def swap(world: World, old: str, new: str, reason: str | None = "too small", **more: Any) -> Any:
    context = world.context(reason=reason)
    return world.write(
        lambda tx: exchanges.exchange(
            Work(tx, context, new_id()),
            Scan(old),
            Scan(new),
            catalogue.location(tx, "SHOP"),
            **more,
        )
    )


# --- Collected, and shipped from store -------------------------------------------------------


@pytest.mark.req("R79")
def test_a_collected_order_is_closed_with_its_serials_and_the_channel_is_told(
    world: World,
) -> None:
    world.channel()
    order_id = waiting(world, "SN-1", "SN-2")
    assert codes(collect(world, order_id, "SN-1", customer_ref="cust-1", code="o-1")) == [None]
    assert world.value("SELECT state FROM sales_order") == "open"
    assert codes(collect(world, order_id, "SN-2", "SN-1")) == [None, "STEP_NOT_ALLOWED"]
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    unit = world.unit("SN-2")
    assert (unit["status"], unit["location_code"]) == ("sold", "CUSTOMER")
    assert unit["order_line_id"] == world.value("SELECT id FROM order_line")
    facts = world.rows("SELECT payload FROM outbox WHERE topic = 'fulfillment' ORDER BY seq")
    assert [orjson.loads(row["payload"])["lines"] for row in facts] == [
        {"l-1": ["SN-1"]}, {"l-1": ["SN-2"]},
    ]  # fmt: skip


@pytest.mark.req("R79")
def test_nobody_collects_what_is_anothers_or_waits_elsewhere(world: World) -> None:
    world.channel()
    order_id = waiting(world, "SN-1")
    other = waiting(world, "SN-2", ref="o-2")
    world.receive("FREE-1", place="SHOP")
    for more in ({"customer_ref": "cust-2"}, {"code": "o-2"}):
        with pytest.raises(StepNotAllowed):
            collect(world, order_id, "SN-1", **more)
    with pytest.raises(UnknownReference):
        collect(world, "none", "SN-1")
    verdicts = collect(world, order_id, "SN-2", "FREE-1", "NONE-1")
    assert codes(verdicts) == ["WRONG_UNIT", "WRONG_UNIT", "UNKNOWN_UNIT"]
    assert verdicts[0].details == {"directed": ["SN-1"]}
    assert codes(collect(world, order_id, "SN-1", place="WH")) == ["STEP_NOT_ALLOWED"]
    world.write(lambda tx: tx.run("UPDATE sales_order SET state = 'cancelled'"))
    with pytest.raises(StepNotAllowed):
        collect(world, other, "SN-2")
    assert world.value("SELECT COUNT(*) FROM outbox WHERE topic = 'fulfillment'") == 0


@pytest.mark.req("R80")
def test_a_shop_ships_its_own_units_and_every_channel_counts_them(world: World) -> None:
    web, market = world.channel(), world.channel("market")
    world.receive("SN-1", "SN-2", place="SHOP")
    product = world.value("SELECT id FROM product WHERE sku = 'CAM'")

    def shown() -> list[int]:
        return [
            world.read(lambda tx, of=each: listings.available(tx, of, [product]))[product]
            for each in (web, market)
        ]

    for each in (web, market):
        world.list_product(each)
    assert shown() == [2, 2]
    order(world, "o-1", 1)
    assert shown() == [1, 1]
    wanted = "SELECT MIN(wanted_version) FROM listing_level"
    before = world.value(wanted)
    world.do(Action.PICK, "SN-1")
    scans = [Scan("SN-1")]
    verdicts = world.write(
        lambda tx: orders.ship(Work(tx, world.context(), new_id()), scans, Shipment("UPS", "1Z"))
    )
    assert codes(verdicts) == [None]
    assert shown() == [1, 1]
    assert world.value(wanted) == before  # told when it was promised, not again
    assert world.history("SN-1")[-1]["from_code"] == "SHOP"


# --- At the till -----------------------------------------------------------------------------


@pytest.mark.req("R77")
def test_the_till_sells_only_what_it_knows_has_here_and_has_scanned(world: World) -> None:
    world.receive("SN-1", place="SHOP")
    world.receive("L-1", sku="LENS", place="SHOP")
    world.receive("FAR-1")
    gtin = "4006381333931"
    for scan, code in (
        (Scan("SN-9"), "UNKNOWN_UNIT"),
        (Scan("SN-9", sku=gtin), "UNKNOWN_UNIT"),
        (Scan("L-1", sku=gtin), "WRONG_UNIT"),
        (Scan("SN-1", sku="LENS"), "WRONG_UNIT"),
        (Scan("SN-1", sku="0000000000017"), "UNKNOWN_REFERENCE"),
        (Scan("FAR-1", sku=gtin), "STEP_NOT_ALLOWED"),
        (Scan("SN-1", sku=gtin), None),
        (Scan("SN-1", sku=gtin), "STEP_NOT_ALLOWED"),
    ):
        assert codes(sell(world, scan, place="SHOP")) == [code], scan
    assert codes(sell(world, Scan("FAR-1"))) == [None]


@pytest.mark.req("R77")
def test_good_rows_of_a_receipt_are_sold_beside_bad_ones(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", place="SHOP")
    world.do(Action.ALLOCATE, "SN-2", hold_reference="cart-1")
    scans = [Scan("SN-1"), Scan("NONE-1"), Scan("SN-2"), Scan("SN-3", sku="SAW")]
    assert codes(sell(world, *scans, place="SHOP")) == [
        None, "UNKNOWN_UNIT", "UNIT_PROMISED", "WRONG_UNIT",
    ]  # fmt: skip
    assert codes(sell(world, Scan("SN-2"), hold_reference="cart-1")) == [None]


# --- Under way -------------------------------------------------------------------------------


def under_way(world: World, **more: Any) -> list[tuple[str, str, str, bool]]:
    given: dict[str, Any] = {"first": 50, "after": None} | more
    rows = world.read(lambda tx: transfers.under_way(tx, world.context(), **given))
    return [(row["serial"], row["sent_from"], row["sent_to"], row["is_overdue"]) for row in rows]


@pytest.mark.req("R81")
def test_what_is_under_way_is_at_neither_site_and_is_listed(world: World) -> None:
    web = world.channel()
    product = world.value("SELECT id FROM product WHERE sku = 'CAM'")
    world.receive("SN-1", place="WH-A1")
    world.do(Action.TRANSFER_OUT, "SN-1", place="SHOP")
    assert world.read(lambda tx: listings.available(tx, web, [product]))[product] == 0
    world.pass_time(hours=80)
    world.receive("SN-2", place="SHOP")
    world.do(Action.TRANSFER_OUT, "SN-2", place="WH")
    world.do(Action.HOLD, "SN-1", hold_kind="quality")  # a later event hides nothing
    first, second = ("SN-1", "WH", "SHOP", True), ("SN-2", "SHOP", "WH", False)
    assert under_way(world) == [first, second]
    assert under_way(world, overdue=True) == [first]
    assert under_way(world, overdue=False) == [second]
    assert under_way(world, overdue=True, overdue_hours=100) == []
    assert under_way(world, origin="SHOP") == [second]
    assert under_way(world, destination="SHOP") == [first]
    assert under_way(world, destination="SH_P") == []
    with pytest.raises(InvalidInput):
        under_way(world, overdue_hours=0)
    world.do(Action.UNBLOCK, "SN-1", hold_kind="quality")
    assert codes(arrive(world, "SN-1", place="SHOP")) == [None]
    assert under_way(world) == [second]
    assert world.read(lambda tx: listings.available(tx, web, [product]))[product] == 1
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0


@pytest.mark.req("R81")
def test_what_arrives_elsewhere_is_taken_and_told(world: World) -> None:
    world.receive("SN-1", "SN-2")
    world.do(Action.TRANSFER_OUT, "SN-1", place="SHOP")
    verdicts = arrive(world, "SN-1", "SN-2", "NONE-1", place="RETURNS")
    assert codes(verdicts) == [None, "STEP_NOT_ALLOWED", "UNKNOWN_UNIT"]
    (case,) = world.rows("SELECT * FROM exception_case")
    assert (case["kind"], case["subject"]) == ("wrong_location", world.unit("SN-1")["id"])
    assert orjson.loads(world.history("SN-1")[-1]["details"]) == {"sent_to": "SHOP"}
    assert codes(arrive(world, "SN-1", place="SHOP")) == ["STEP_NOT_ALLOWED"]


# --- Exchange --------------------------------------------------------------------------------


@pytest.mark.req("R82")
def test_an_exchange_closes_the_one_and_binds_the_other(world: World) -> None:
    world.channel()
    order_id = waiting(world, "SN-1")
    collect(world, order_id, "SN-1")
    world.receive("SN-2", place="SHOP")
    old_id, new_id_ = swap(world, "SN-1", "SN-2", receipt="R-7")
    old, new = world.unit("SN-1"), world.unit("SN-2")
    assert (old["status"], new["status"]) == ("returned", "sold")
    assert new["order_line_id"] == world.value("SELECT id FROM order_line")
    back, gone = world.history("SN-1")[-1], world.history("SN-2")[-1]
    assert orjson.loads(back["details"])["exchanged_for"] == new_id_ == new["id"]
    assert orjson.loads(gone["details"])["exchanges"] == old_id == old["id"]
    assert (back["reason"], back["document_ref"], gone["document_ref"]) == (
        "too small", "#o-1", "R-7",
    )  # fmt: skip
    sale = world.read(lambda tx: story_of(tx, new_id_)).sale
    assert sale is not None
    assert sale.order is not None
    assert sale.order["id"] == order_id


@pytest.mark.req("R82")
def test_another_product_is_given_without_taking_the_place_on_the_line(world: World) -> None:
    world.channel()
    collect(world, waiting(world, "SN-1"), "SN-1")
    world.receive("L-1", sku="LENS", place="SHOP")
    swap(world, "SN-1", "L-1")
    assert (world.unit("L-1")["status"], world.unit("L-1")["order_line_id"]) == ("sold", None)


@pytest.mark.req("R82")
def test_if_one_half_of_an_exchange_can_not_be_done_neither_is(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", place="SHOP")
    world.do(Action.SELL, "SN-1")
    world.do(Action.ALLOCATE, "SN-3", hold_reference="cart")
    events = world.value("SELECT COUNT(*) FROM event")
    for old, new, reason, refusal in (
        ("SN-1", "SN-3", "too small", UnitPromised),
        ("SN-2", "SN-2", "too small", InvalidInput),
        ("SN-3", "SN-2", "too small", StepNotAllowed),
        ("SN-1", "SN-2", None, InvalidInput),
    ):
        with pytest.raises(refusal):
            swap(world, old, new, reason)
    with pytest.raises(UnknownReference):
        swap(world, "SN-1", "SN-2", return_id="none")
    assert world.value("SELECT COUNT(*) FROM event") == events
    assert world.unit("SN-2")["status"] == "in_stock"


@pytest.mark.req("R82")
def test_what_must_be_scanned_to_be_sold_is_not_given_by_typing(world: World) -> None:
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", capture_points=("sell",))
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
    world.receive("SN-1", "SN-2", place="SHOP")
    scanned = world.context(captured_by=CaptureMethod.SCAN, reason="too small")
    command, scans = UnitCommand(action=Action.SELL), [Scan("SN-1")]
    world.write(lambda tx: counter_sales.sell(Work(tx, scanned, new_id()), command, scans))
    with pytest.raises(CaptureRequired):
        swap(world, "SN-1", "SN-2")
    assert world.unit("SN-1")["status"] == "sold"


# --- What is first ---------------------------------------------------------------------------


def work(world: World, code: str = "WH", **more: Any) -> list[tuple[str, str, str]]:
    given: dict[str, Any] = {"first": 50} | more
    rows = world.read(lambda tx: tasks.tasks(tx, world.now, catalogue.location(tx, code), **given))
    return [(row["serial"], str(row["kind"]), str(row["priority"])) for row in rows]


def urge(world: World, order_id: str, *tags: str, day: date | None = None) -> list[str]:
    return world.write(lambda tx: priorities.put(tx, order_id, tags, day))


@pytest.mark.req("R85")
def test_the_work_of_a_site_is_ranked_by_urgency(world: World) -> None:
    world.channel()
    world.receive("SN-1", "SN-2", "SN-3", "FREE-1", place="WH-A1")
    world.receive("NEW-1", put_away=False)
    for number in (1, 2, 3):
        order(world, f"o-{number}", 1)
        world.pass_time(hours=1)
    world.do(Action.PICK, "SN-2", "SN-3")
    world.do(Action.PACK, "SN-3")
    kinds = [("SN-1", "pick"), ("NEW-1", "put_away"), ("SN-2", "pack"), ("SN-3", "ship")]
    assert sorted(row[:2] for row in work(world)) == sorted(kinds)
    assert {row[2] for row in work(world)} == {"normal"}
    ids = {row["ref"]: row["id"] for row in world.rows("SELECT ref, id FROM sales_order")}
    assert urge(world, ids["o-3"], " Express ", "express") == ["express"]
    urge(world, ids["o-2"], day=world.now.date())
    assert work(world)[:2] == [("SN-3", "ship", "urgent"), ("SN-2", "pack", "high")]
    urge(world, ids["o-2"], day=world.now.date() - timedelta(days=1))
    assert [row[0] for row in work(world, first=2)] == ["SN-2", "SN-3"]  # the older of two
    urge(world, ids["o-2"])
    assert work(world, kind=TaskKind.PACK) == [("SN-2", "pack", "normal")]
    assert work(world, "SHOP") == []
    world.pass_time(days=2)
    assert work(world)[1][2] == "high"


@pytest.mark.req("R85")
def test_people_change_what_is_urgent(world: World) -> None:
    world.channel()
    world.receive("SN-1")
    order(world, "o-1", 1)
    fits = Conditions(channels=("shop",), reasons=("pick",))
    rule = Rule(
        topic=Topic.PRIORITY, code="web", name="The shop", rank=5, conditions=fits, decision="low"
    )
    world.write(lambda tx: decision_rules.put(tx, world.context(), rule, PRIORITY_RULES))
    assert work(world) == [("SN-1", "pick", str(Priority.LOW))]
    world.do(Action.PICK, "SN-1")
    assert work(world) == [("SN-1", "pack", str(Priority.NORMAL))]


def test_tags_are_few_and_short_and_the_order_exists(world: World) -> None:
    world.channel()
    order_id = order(world, "o-1", 1)
    for tags in ([f"x{number}" for number in range(11)], ["x" * 31], [" "]):
        with pytest.raises(InvalidInput):
            urge(world, order_id, *tags)
    with pytest.raises(UnknownReference):
        urge(world, "none", "express")
