"""What a channel may sell and how much of it it shows: for counting and promising alike."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest

from hub import orders
from hub.availability import counting, reasons
from hub.availability import policy as policies
from hub.availability.policy import PolicyCard
from hub.availability.reasons import PendingReason, Reason
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.inbound import ship_notices
from hub.inbound.receiving import Arrival, commission
from hub.inbound.ship_notices import DeliveryCard, LineCard
from hub.ledger.arrivals import Condition, RecordOrigin
from hub.lifecycle import Action
from hub.storage.sql import Row, Transaction
from hub.sync import availability_settings, channels, listings
from hub.vocabulary import OrderLine, OrderState
from jobs import relay
from jobs.maintenance.sweep import sweep
from recording import stage
from world import World


def product(world: World, sku: str = "CAM") -> str:
    return str(world.value("SELECT id FROM product WHERE sku = :sku", sku=sku))


def fresh(world: World, channel: Row) -> Row:
    return world.read(lambda tx: channels.by_id(tx, channel["id"]))


def set_policy(world: World, channel: Row, **points: object) -> Row:
    card = PolicyCard(**points)  # type: ignore[arg-type]
    world.write(
        lambda tx: availability_settings.set_for_channel(tx, world.context(), channel, card)
    )
    return fresh(world, channel)


def set_own(world: World, channel: Row, sku: str = "CAM", **points: object) -> None:
    card = PolicyCard(**points)  # type: ignore[arg-type]
    world.write(
        lambda tx: availability_settings.set_for_listing(
            tx, world.context(), fresh(world, channel), sku, card
        )
    )


def shown(world: World, channel: Row, sku: str = "CAM") -> int:
    of, asked = fresh(world, channel), product(world, sku)
    return world.read(lambda tx: listings.available(tx, of, [asked], world.now))[asked]


def why(world: World, channel: Row) -> dict[Reason, int]:
    of, asked = fresh(world, channel), product(world)
    return world.read(lambda tx: reasons.explain(tx, of, asked, world.now)).units


def announce(world: World, ref: str, quantity: int, *serials: str) -> str:
    line = LineCard(ref="1", product="CAM", quantity=quantity, serials=serials)
    card = DeliveryCard(supplier="ACME", ref=ref, lines=(line,))
    return world.write(lambda tx: ship_notices.announce(Work(tx, world.context(), new_id()), card))[
        0
    ]


def buy(world: World, channel: Row, ref: str, quantity: int = 1) -> None:
    line = OrderLine(ref="l-1", sku="CAM", quantity=quantity)
    world.accept(fresh(world, channel), world.order(ref, lines=[line]))


def bound(world: World, ref: str) -> list[str]:
    rows = world.rows(
        "SELECT unit.serial FROM unit JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN sales_order ON sales_order.id = order_line.order_id WHERE sales_order.ref = :ref "
        "ORDER BY unit.serial",
        ref=ref,
    )
    return [row["serial"] for row in rows]


@pytest.mark.req("R60")
@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ({}, 7),
        ({"cap": 3}, 3),
        ({"cap": 0}, 0),
        ({"cap": 9}, 7),
        ({"share": 50}, 3),
        ({"share": 0}, 0),
        ({"share": 100}, 7),
        ({"share": 50, "safety_buffer": 1}, 2),
        ({"share": 50, "safety_buffer": 5}, 0),
        ({"share": 80, "safety_buffer": 1, "cap": 2}, 2),
        ({"selling_paused": True}, 0),
        ({"sites": ("SHOP",)}, 2),
    ],
)
def test_a_policy_limits_what_is_shown(
    world: World, points: dict[str, object], expected: int
) -> None:
    shop = world.channel()
    world.list_product(shop)
    world.receive(*[f"SN-{number}" for number in range(5)])
    world.receive("SN-5", "SN-6", place="SHOP")
    set_policy(world, shop, **points)
    assert shown(world, shop) == expected


def test_a_limit_of_the_figure_never_keeps_an_order_from_its_units(world: World) -> None:
    shop = world.channel()
    world.list_product(shop)
    world.receive("SN-1", "SN-2")
    set_policy(world, shop, selling_paused=True, safety_buffer=2, share=10, cap=0)
    assert shown(world, shop) == 0
    buy(world, shop, "o-1", 2)
    assert bound(world, "o-1") == ["SN-1", "SN-2"]


@pytest.mark.parametrize("kind", ["condition", "grade"])
def test_a_channel_for_refurbished_goods_counts_and_promises_nothing_else(
    world: World, kind: str
) -> None:
    shop, outlet = world.channel("shop"), world.channel("outlet", "square")
    world.list_product(shop)
    world.list_product(outlet)
    world.receive("SN-1")
    world.receive("SN-2", condition=Condition.REFURBISHED)
    world.receive("SN-3")
    world.do(Action.SELL, "SN-3")
    world.do(Action.ACCEPT_RETURN, "SN-3", place="WH")
    world.do(Action.RESTOCK, "SN-3", place="WH", grade="B")
    only = {"conditions": ("refurbished",)} if kind == "condition" else {"grades": ("B",)}
    set_policy(world, outlet, **only)
    set_policy(world, shop, conditions=("new",))
    assert shown(world, outlet) == 1
    assert shown(world, shop) == 2
    buy(world, outlet, "o-1", 2)
    assert bound(world, "o-1") == ["SN-2" if kind == "condition" else "SN-3"]
    assert world.value("SELECT kind FROM exception_case") == "oversold"


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ({"grades": ("B",)}, "without a grade"),
        ({"conditions": ("open_box",)}, "what is new"),
        ({"sites": ("SHOP",)}, "nothing from this site"),
    ],
)
def test_nobody_promises_by_hand_what_does_not_count(
    world: World, points: dict[str, object], words: str
) -> None:
    shop = world.channel()
    world.list_product(shop)
    set_policy(world, shop, **points)
    buy(world, shop, "o-1")
    world.receive("SN-1")
    line = world.value("SELECT id FROM order_line")
    (verdict,) = world.do(Action.ALLOCATE, "SN-1", line=line)
    assert verdict.code == StepNotAllowed.code
    assert words in (verdict.message or "")
    set_policy(world, shop)
    (verdict,) = world.do(Action.ALLOCATE, "SN-1", line=line)
    assert verdict.accepted


def test_a_listing_differs_from_its_channel_only_where_it_says_so(world: World) -> None:
    shop = world.channel()
    world.list_product(shop, "CAM")
    world.list_product(shop, "SAW")
    world.receive("SN-1", "SN-2", "SN-3", "SN-4")
    world.receive("S-1", "S-2", "S-3", "S-4", sku="SAW")
    set_policy(world, shop, safety_buffer=1, cap=2, sites=("WH",))
    set_own(world, shop, cap=9)
    assert (shown(world, shop, "CAM"), shown(world, shop, "SAW")) == (3, 2)
    set_own(world, shop, selling_paused=True)
    assert (shown(world, shop, "CAM"), shown(world, shop, "SAW")) == (0, 2)
    set_own(world, shop)  # nothing of its own any more
    assert shown(world, shop, "CAM") == 2
    assert world.value("SELECT COUNT(*) FROM listing WHERE policy IS NOT NULL") == 0


def test_an_order_takes_its_units_by_the_policy_of_each_listing(world: World) -> None:
    shop = world.channel()
    world.list_product(shop, "CAM")
    world.list_product(shop, "SAW")
    set_own(world, shop, "SAW", sites=("SHOP",))
    world.receive("SN-1", place="WH")
    world.receive("S-1", sku="SAW", place="WH")
    world.receive("S-2", sku="SAW", place="SHOP")
    lines = [OrderLine(ref=sku, sku=sku, quantity=1) for sku in ("CAM", "SAW")]
    world.accept(shop, world.order(lines=lines))
    assert bound(world, "o-1") == ["S-2", "SN-1"]


def test_a_change_of_a_policy_is_told_at_once(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel, "CAM")
    world.list_product(channel, "SAW")
    world.receive("SN-1", "SN-2")
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shown == {"CAM": 2, "SAW": 0}
    set_policy(world, channel, cap=1)
    assert asyncio.run(relay.drain(runtime, channel["id"])) == 2
    set_own(world, channel, selling_paused=True)
    assert asyncio.run(relay.drain(runtime, channel["id"])) == 1
    assert connector.shown == {"CAM": 0, "SAW": 0}


@pytest.mark.parametrize(
    ("points", "field"),
    [
        ({"safety_buffer": -1}, "safetyBuffer"),
        ({"cap": -1}, "cap"),
        ({"share": 101}, "share"),
        ({"share": -1}, "share"),
        ({"pre_order": 1_000_001}, "preOrder"),
        ({"grades": (" ",)}, "grades"),
        ({"grades": ("B",) * 51}, "grades"),
        ({"conditions": ("broken",)}, "conditions"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    world: World, points: dict[str, object], field: str
) -> None:
    shop = world.channel()
    with pytest.raises(InvalidInput) as refusal:
        set_policy(world, shop, **points)
    assert refusal.value.details["field"] == field
    assert fresh(world, shop)["policy"] is None


def test_what_is_not_there_can_not_have_a_policy(world: World) -> None:
    shop = world.channel()
    with pytest.raises(UnknownReference):
        set_policy(world, shop, sites=("NOWHERE",))
    with pytest.raises(UnknownReference):
        set_own(world, shop, cap=1)


# --- pre-orders -------------------------------------------------------------------------------


def test_what_is_announced_may_be_sold_up_to_a_limit_and_is_promised_on_arrival(
    world: World,
) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    set_policy(world, channel, pre_order=3)
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shown == {"CAM": 0}
    announce(world, "D-1", 5, "SN-1", "SN-2")
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shown == {"CAM": 3}
    buy(world, channel, "o-1", 2)
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shown == {"CAM": 1}
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0  # agreed, not oversold
    world.receive("SN-1", "SN-2", "SN-3")
    asyncio.run(sweep(runtime))
    assert bound(world, "o-1") == ["SN-1", "SN-2"]
    asyncio.run(relay.drain(runtime, channel["id"]))
    # One is here; of the delivery two are still to come (SN-3 was not of it).
    assert connector.shown == {"CAM": 1 + 3}


def test_what_is_expected_by_its_serial_counts_early_too(world: World) -> None:
    shop = world.channel()
    world.list_product(shop)
    set_policy(world, shop, pre_order=10)
    arrivals = [Arrival(serial=f"SN-{number}", product="CAM") for number in range(4)]
    world.write(
        lambda tx: commission(
            Work(tx, world.context(), new_id()), arrivals, None, point=RecordOrigin.MANUFACTURING
        )
    )
    assert shown(world, shop) == 4
    world.receive("SN-0", put_away=False)  # here, and not on the shelf yet
    assert shown(world, shop) == 3
    world.do(Action.HOLD, "SN-1", hold_kind="quality")
    assert shown(world, shop) == 2
    set_policy(world, shop, pre_order=10, grades=("A",))
    assert shown(world, shop) == 0


def test_two_channels_do_not_sell_one_unit_that_is_to_come_twice(world: World) -> None:
    one, two = world.channel("one"), world.channel("two", "square")
    for channel in (one, two):
        world.list_product(channel)
        set_policy(world, channel, pre_order=5)
    announce(world, "D-1", 2)
    assert (shown(world, one), shown(world, two)) == (2, 2)
    buy(world, one, "o-1", 2)
    assert (shown(world, one), shown(world, two)) == (0, 0)
    buy(world, two, "o-2")
    (case,) = world.rows("SELECT * FROM exception_case")
    assert (case["kind"], case["subject"]) == ("oversold", "o-2/l-1")


def test_a_clients_channel_sells_early_what_is_his(world: World) -> None:
    world.client("CLIENT")
    shop, his = world.channel("shop"), world.channel("his", "square", client="CLIENT")
    for channel in (shop, his):
        world.list_product(channel)
        set_policy(world, channel, pre_order=5)
    arrivals = [Arrival(serial="SN-1", product="CAM", client="CLIENT")]
    world.write(
        lambda tx: commission(
            Work(tx, world.context(), new_id()), arrivals, None, point=RecordOrigin.MANUFACTURING
        )
    )
    announce(world, "D-1", 2)
    assert (shown(world, shop), shown(world, his)) == (2, 1)


def test_a_pre_order_becomes_an_oversale_when_less_comes_and_none_when_more_does(
    world: World,
) -> None:
    shop = world.channel()
    world.list_product(shop)
    set_policy(world, shop, pre_order=5)
    delivery = announce(world, "D-1", 2, "SN-1", "SN-2")
    buy(world, shop, "o-1", 2)
    asyncio.run(sweep(world.runtime()))
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
    world.write(
        lambda tx: ship_notices.close(Work(tx, world.context(), new_id()), delivery, give_up=True)
    )
    asyncio.run(sweep(world.runtime()))
    oversold = "SELECT state FROM exception_case WHERE kind = 'oversold'"
    assert world.value(oversold) == "open"
    asyncio.run(sweep(world.runtime()))
    assert world.value("SELECT occurrences FROM exception_case WHERE kind = 'oversold'") == 1
    announce(world, "D-2", 2)
    asyncio.run(sweep(world.runtime()))
    assert world.value(oversold) == "resolved"


def test_an_announcement_tells_nothing_to_channels_that_sell_what_is_here(world: World) -> None:
    shop = world.channel()
    world.list_product(shop)
    wanted = world.value("SELECT wanted_version FROM listing_level")
    delivery = announce(world, "D-1", 2, "SN-1")
    buy(world, shop, "o-1")
    world.write(
        lambda tx: ship_notices.close(Work(tx, world.context(), new_id()), delivery, give_up=False)
    )
    assert world.value("SELECT wanted_version FROM listing_level") == wanted


def test_lines_that_can_not_be_served_do_not_keep_others_from_being_tried(world: World) -> None:
    outlet, shop = world.channel("outlet", "square"), world.channel("shop")
    set_policy(world, outlet, grades=("B",))
    for number in range(5):
        buy(world, outlet, f"b-{number}")
    world.pass_time(minutes=1)
    buy(world, shop, "o-1")
    world.receive("SN-1")
    world.write(lambda tx: orders.retry_backorders(tx, world.context(), limit=2))
    assert bound(world, "o-1") == ["SN-1"]


# --- why --------------------------------------------------------------------------------------


def test_every_unit_has_the_reason_why_it_counts_or_does_not(world: World) -> None:
    world.client("CLIENT")
    shop = world.channel()
    world.list_product(shop)
    for serial in ("SN-OK", "SN-HELD", "SN-BLOCKED", "SN-TRANSIT", "SN-LOST", "SN-GONE"):
        world.receive(serial)
    world.receive("SN-DOCK", put_away=False)
    world.receive("SN-SHOP", place="SHOP")
    world.receive("SN-CLIENT", client="CLIENT")
    world.receive("SN-USED", condition=Condition.USED)
    world.receive("SN-OLD", expires_on=date(2026, 11, 2))
    world.receive("SN-BACK", place="RETURNS")
    announce(world, "D-1", 2, "SN-COMING")
    world.do(Action.ALLOCATE, "SN-HELD", hold_reference="#1")
    world.do(Action.HOLD, "SN-BLOCKED", hold_kind="quality")
    world.do(Action.TRANSFER_OUT, "SN-TRANSIT", place="SHOP")
    world.do(Action.LOSE, "SN-LOST")
    world.do(Action.SELL, "SN-GONE")
    set_policy(world, shop, sites=("WH", "RETURNS"), conditions=("new",))
    world.pass_time(days=1)
    assert why(world, shop) == dict.fromkeys(
        [
            Reason.COUNTS, Reason.PROMISED, Reason.BLOCKED, Reason.IN_TRANSIT, Reason.MISSING,
            Reason.NOT_PUT_AWAY, Reason.OTHER_SITE, Reason.OTHER_OWNER, Reason.WRONG_CONDITION,
            Reason.EXPIRED, Reason.EXPECTED, Reason.NOT_FOR_SALE_HERE,
        ],
        1,
    )  # fmt: skip
    assert shown(world, shop) == 1
    set_policy(world, shop, grades=("A",))
    assert Reason.COUNTS not in why(world, shop)
    assert why(world, shop)[Reason.WRONG_GRADE] == 4  # SN-OK, SN-SHOP, SN-USED, SN-OLD


def test_what_counts_in_the_explanation_is_what_is_counted(world: World) -> None:
    shop = world.channel()
    world.list_product(shop)
    world.receive(*[f"SN-{number}" for number in range(9)])
    world.receive("SN-B", condition=Condition.OPEN_BOX)
    set_policy(world, shop, share=50, safety_buffer=1, cap=3, conditions=("new",))
    of, asked = fresh(world, shop), product(world)
    found = world.read(lambda tx: reasons.explain(tx, of, asked, world.now))
    figure = found.figure
    assert found.units[Reason.COUNTS] == figure.counted == 9
    assert (figure.after_share, figure.after_buffer, figure.after_cap) == (4, 3, 3)
    assert figure.shown == shown(world, shop) == 3


def test_the_units_are_listed_page_by_page_with_their_promises(world: World) -> None:
    shop = world.channel()
    world.list_product(shop)
    world.receive("SN-1", "SN-2", "SN-3")
    buy(world, shop, "o-1")
    of, asked = fresh(world, shop), product(world)

    def page(after: str | None, reason: Reason | None = None) -> list[Row]:
        return world.read(
            lambda tx: reasons.units(tx, of, asked, world.now, first=2, after=after, reason=reason)
        )

    first = page(None)
    assert [row["serial"] for row in first] == ["SN-1", "SN-2", "SN-3"]  # one more than asked for
    assert [row["serial"] for row in page(first[1]["id"])] == ["SN-3"]
    (promised,) = page(None, Reason.PROMISED)
    assert (promised["serial"], promised["promised_to"]) == ("SN-1", "#o-1")


def test_it_is_said_why_a_channel_was_not_told_yet(world: World) -> None:
    shop = world.channel()
    world.list_product(shop)

    def untold() -> PendingReason | None:
        (level,) = world.rows("SELECT * FROM listing_level")
        return reasons.untold(fresh(world, shop), level, world.now)

    def lease() -> listings.LeasedLevel:
        of = fresh(world, shop)
        (level,) = world.write(lambda tx: listings.lease(tx, of, world.now, limit=1))
        return level

    assert untold() is PendingReason.WAITING
    world.write(lambda tx: channels.pause(tx, shop["id"], "stocktaking"))
    assert untold() is PendingReason.CHANNEL_PAUSED
    world.write(lambda tx: channels.resume(tx, shop["id"]))
    until = world.now.replace(hour=13)
    world.write(lambda tx: channels.slow_down(tx, shop["id"], until))
    assert untold() is PendingReason.RATE_LIMITED
    world.write(lambda tx: channels.resume(tx, shop["id"]))
    level = lease()
    assert untold() is PendingReason.SENDING
    world.write(lambda tx: listings.retry(tx, level, "no wire", until, counted=True))
    assert untold() is PendingReason.RETRYING
    world.pass_time(hours=2)
    level = lease()
    world.write(lambda tx: listings.give_up(tx, level, "no such listing"))
    assert untold() is PendingReason.DEAD_LETTER
    world.write(lambda tx: listings.revive(tx, shop["id"], world.now))
    level = lease()
    world.write(lambda tx: listings.acknowledge(tx, level, 0, world.now))
    assert untold() is None


# --- counting reads an index alone ------------------------------------------------------------


def test_counting_reads_the_index_alone(world: World) -> None:
    """Looking up 2 million rows for one count would take seconds; the index has all it asks."""
    policy = policies.Policy(site_ids=("s",), grades=("A",), conditions=("new",))
    condition, values = counting.sellable(policy, "2026-11-02")
    statement = (
        "SELECT unit.product_id, COUNT(*) AS units FROM unit "
        "JOIN location ON location.id = unit.location_id "
        f"WHERE unit.product_id IN (:ids...) AND {condition} AND {counting.FREE} "
        "GROUP BY unit.product_id"
    )

    def plan(tx: Transaction) -> str:
        if tx.dialect == "sqlite":
            rows = tx.rows(f"EXPLAIN QUERY PLAN {statement}", ids=[], **values)
            return " ".join(row["detail"] for row in rows)
        tx.run("SET LOCAL enable_seqscan = off")
        tx.run("SET LOCAL enable_bitmapscan = off")
        rows = tx.rows(f"EXPLAIN {statement}", ids=[product(world)], **values)
        return " ".join(row["QUERY PLAN"] for row in rows)

    said = world.write(plan)
    assert "COVERING INDEX unit_available" in said or "Index Only Scan using unit_available" in said


def test_a_policy_tells_who_set_it_and_when(world: World) -> None:
    shop = set_policy(world, world.channel(), cap=1)
    assert policies.changed(shop["policy"]) == ("tester", int(world.now.timestamp() * 1_000_000))
    assert policies.changed(None) is None


def test_registering_a_channel_again_keeps_the_policy_that_it_does_not_name(world: World) -> None:
    shop = set_policy(world, world.channel(), cap=1)
    assert policies.of_channel(world.channel()).cap == 1
    again = world.channel(policy=PolicyCard(share=50))
    assert policies.of_channel(again) == replace(policies.of_channel(shop), cap=None, share=50)


def test_a_cancelled_pre_order_is_sold_anew(world: World) -> None:
    shop = world.channel()
    world.list_product(shop)
    set_policy(world, shop, pre_order=5)
    announce(world, "D-1", 1)
    buy(world, shop, "o-1")
    assert shown(world, shop) == 0
    wanted = world.value("SELECT wanted_version FROM listing_level")
    world.pass_time(minutes=1)
    world.accept(fresh(world, shop), world.order("o-1", state=OrderState.CANCELLED))
    assert shown(world, shop) == 1
    assert world.value("SELECT wanted_version FROM listing_level") > wanted
