"""Holds of orders: nothing leaves that is not to leave, and no promise lasts for ever."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import orjson
import pytest

from hub import orders
from hub.commands.work import Work
from hub.decision_rules import Priority
from hub.errors import InvalidInput, StepNotAllowed
from hub.fulfillment import picking, tasks
from hub.history.sales import stories
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import order_holds
from hub.storage.sql import Row
from hub.sync import mappings
from hub.sync.mappings import Mapping, MappingKind
from hub.vocabulary import HoldReason, LineKind, OrderLine, OrderState
from world import World

PAID = {"state": OrderState.OPEN, "remote_state": "paid"}
UNPAID = {"state": OrderState.PENDING, "remote_state": "unpaid"}


@pytest.fixture
def shop(world: World) -> Row:
    """A channel whose unpaid orders keep their units for two hours."""
    return world.channel(unpaid_promise_hours=2)


def order_row(world: World) -> Row:
    (row,) = world.rows("SELECT * FROM sales_order")
    return row


def code(world: World, action: Action, serial: str = "SN-1", **more: object) -> str | None:
    (verdict,) = world.do(action, serial, **more)
    return verdict.code


def to_pick(world: World) -> list[str]:
    found = world.read(
        lambda tx: picking.pick_list(
            tx, world.now, order_id=order_row(world)["id"], site_id=None, first=10
        )
    )
    return [row["serial"] for row in found]


@pytest.mark.parametrize("hold", list(HoldReason))
def test_a_held_order_keeps_its_unit_and_lets_nothing_leave(
    world: World, shop: Row, hold: HoldReason
) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(state=OrderState.OPEN, hold=hold))
    assert world.unit("SN-1")["promised_to"] is not None
    assert to_pick(world) == []
    assert code(world, Action.PICK) == "ORDER_ON_HOLD"
    line = world.value("SELECT id FROM order_line")
    assert code(world, Action.SELL, line=line) == "ORDER_ON_HOLD"


@pytest.mark.parametrize("step", [Action.PICK, Action.PACK, Action.SHIP, Action.COLLECT])
def test_a_hold_that_comes_late_stops_each_further_step(
    world: World, shop: Row, step: Action
) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(**PAID))
    before = [Action.PICK, Action.PACK, Action.SHIP]
    for done in before[: before.index(step) if step in before else 2]:
        assert code(world, done) is None
    world.pass_time(minutes=1)
    world.accept(shop, world.order(**PAID, hold=HoldReason.CANCELLATION_REQUESTED))
    assert code(world, step) == "ORDER_ON_HOLD"
    (case,) = world.rows("SELECT * FROM exception_case WHERE kind = 'order_on_hold'")
    assert case["severity"] == "high"
    assert "cancellation requested" in case["summary"]
    world.pass_time(minutes=1)
    world.accept(shop, world.order(**PAID))
    assert code(world, step) is None
    assert world.value("SELECT state FROM exception_case") == "resolved"


def test_tasks_of_a_held_order_wait(world: World, shop: Row) -> None:
    world.receive("SN-1")
    site = world.rows("SELECT * FROM location WHERE code = 'WH'")[0]
    world.accept(shop, world.order(**UNPAID))
    assert world.read(lambda tx: tasks.tasks(tx, world.now, site, first=5)) == []
    world.pass_time(minutes=1)
    world.accept(shop, world.order(**PAID))
    assert len(world.read(lambda tx: tasks.tasks(tx, world.now, site, first=5))) == 1


def test_an_override_lets_this_hold_pass_and_no_other(world: World, shop: Row) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(**UNPAID))
    order_id = order_row(world)["id"]

    def override(reason: str) -> None:
        context = world.context(reason=reason)
        world.write(lambda tx: order_holds.override(Work(tx, context, "c-9"), order_id))

    with pytest.raises(InvalidInput):
        override(" ")
    override("paid in cash")
    last = world.history("SN-1")[-1]
    assert (last["action"], last["reason"]) == ("annotate", "paid in cash")
    assert '"order_hold_overridden":"payment_pending"' in last["details"].replace(" ", "")
    assert to_pick(world) == ["SN-1"]
    world.pass_time(minutes=1)
    world.accept(shop, world.order(**PAID, hold=HoldReason.FRAUD_REVIEW))
    assert code(world, Action.PICK) == "ORDER_ON_HOLD"
    world.pass_time(minutes=1)
    world.accept(shop, world.order(**UNPAID))
    assert code(world, Action.PICK) == "ORDER_ON_HOLD"  # a hold that comes back is a new one
    world.pass_time(minutes=1)
    world.accept(shop, world.order(**PAID))
    with pytest.raises(StepNotAllowed):
        override("again")


def test_what_was_handed_over_is_recorded_whatever_its_payment(world: World, shop: Row) -> None:
    world.receive("SN-1")
    line = OrderLine(ref="l-1", sku="CAM", quantity=1, serials=("SN-1",))
    sale = world.order(
        lines=[line], state=OrderState.FULFILLED, at_counter=True, hold=HoldReason.PAYMENT_PENDING
    )
    world.accept(shop, sale)
    assert world.unit("SN-1")["status"] == "sold"


def test_an_unpaid_order_loses_its_units_in_time_and_gets_them_back(
    world: World, shop: Row
) -> None:
    world.receive("SN-1")
    end = lambda: world.write(  # noqa: E731 # said three times below
        lambda tx: orders.end_unpaid_promises(tx, world.context(), limit=10)
    )
    world.accept(shop, world.order(**UNPAID))
    world.pass_time(minutes=119)
    assert end() == 0
    world.pass_time(minutes=1)
    assert end() == 1
    assert world.unit("SN-1")["promised_to"] is None
    assert world.history("SN-1")[-1]["reason"] == "not paid in time"
    world.accept(shop, world.order(**UNPAID))  # read again: it stays without
    tried = world.write(lambda tx: orders.retry_backorders(tx, world.context(), limit=10))
    assert (end(), tried, world.unit("SN-1")["promised_to"]) == (0, 0, None)
    world.accept(shop, world.order(**PAID))
    assert world.unit("SN-1")["promised_to"] is not None


def test_an_unpaid_order_that_a_person_allocates_again_keeps_its_units_for_as_long(
    world: World, shop: Row
) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(**UNPAID))
    order_id = order_row(world)["id"]

    def ended(**later: float) -> int:
        world.pass_time(**later)
        return world.write(lambda tx: orders.end_unpaid_promises(tx, world.context(), limit=10))

    assert ended(hours=2) == 1
    world.write(lambda tx: orders.allocate_again(Work(tx, world.context(), "c-1"), order_id))
    assert ended(minutes=119) == 0
    assert world.unit("SN-1")["promised_to"] is not None
    assert ended(minutes=1) == 1
    assert world.unit("SN-1")["promised_to"] is None


def test_a_hold_that_is_no_missing_payment_has_no_end(world: World, shop: Row) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(**PAID, hold=HoldReason.ON_HOLD))
    world.pass_time(days=300)
    world.write(lambda tx: orders.end_unpaid_promises(tx, world.context(), limit=10))
    assert world.unit("SN-1")["promised_to"] is not None


@pytest.mark.parametrize("more", [{"state": OrderState.DRAFT}, {"test": True}])
def test_drafts_and_test_orders_take_no_units(
    world: World, shop: Row, more: dict[str, object]
) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(**more))
    row = order_row(world)
    assert (row["state"], bool(row["is_test"])) == ("draft", "test" in more)
    assert world.unit("SN-1")["promised_to"] is None
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
    line = world.value("SELECT id FROM order_line")
    assert code(world, Action.SELL, line=line) == "STEP_NOT_ALLOWED"


def test_a_channel_may_serve_its_test_orders(world: World) -> None:
    shop = world.channel(serves_test_orders=True)
    world.receive("SN-1")
    world.accept(shop, world.order(test=True))
    assert world.unit("SN-1")["promised_to"] is not None


def test_a_deleted_order_is_cancelled_and_frees_its_units(world: World, shop: Row) -> None:
    world.receive("SN-1", "SN-2")
    line = OrderLine(ref="l-1", sku="CAM", quantity=2)
    world.accept(shop, world.order(**PAID, lines=[line]))
    world.do(Action.PICK, "SN-1")
    assert world.write(lambda tx: orders.delete(tx, world.context(), shop, "o-1")) is not None
    assert order_row(world)["state"] == "cancelled"
    assert [world.unit(each)["promised_to"] for each in ("SN-1", "SN-2")] == [None, None]
    assert world.history("SN-2")[-1]["reason"] == "deleted in its channel"
    delete = partial(orders.delete, context=world.context(), channel=shop)
    again = [world.write(lambda tx, ref=ref: delete(tx, ref=ref)) for ref in ("o-1", "o-9")]
    assert again == [None, None]


def test_what_a_person_takes_off_an_order_stays_off(world: World, shop: Row) -> None:
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order(**PAID))
    taken = world.value("SELECT serial FROM unit WHERE promised_to IS NOT NULL")

    def release(serial: str) -> None:
        world.write(
            lambda tx: order_holds.release(Work(tx, world.context(), "c-1"), [Scan(serial)])
        )

    release(taken)
    world.accept(shop, world.order(**PAID))
    world.write(lambda tx: orders.retry_backorders(tx, world.context(), limit=10))
    promised = "SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL"
    assert world.value(promised) == 0
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
    world.pass_time(minutes=1)
    two = OrderLine(ref="l-1", sku="CAM", quantity=2)
    world.accept(shop, world.order(**PAID, lines=[two]))
    assert world.value(promised) == 1  # the buyer asked for one more
    order_id = order_row(world)["id"]
    world.write(lambda tx: orders.allocate_again(Work(tx, world.context(), "c-2"), order_id))
    assert world.value(promised) == 2


GIFT = OrderLine(ref="l-2", sku="GIFT-50", quantity=1, kind=LineKind.GIFT_CARD)
NO_SKU = OrderLine(ref="l-3", sku="", quantity=2, title="Engraving")
CAMERA = OrderLine(ref="l-1", sku="CAM", quantity=1)


def leave(world: World, *serials: str) -> None:
    for action in (Action.PICK, Action.PACK):
        world.do(action, *serials)
    world.write(
        lambda tx: orders.ship(
            Work(tx, world.context(), "c-ship"), [Scan(each) for each in serials], orders.Shipment()
        )
    )


def test_lines_that_are_no_goods_never_keep_an_order_open(world: World, shop: Row) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(**PAID, lines=[CAMERA, GIFT, NO_SKU]))
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
    leave(world, "SN-1")
    assert order_row(world)["state"] == "fulfilled"


def test_an_order_without_goods_is_as_done_as_its_channel_says(world: World, shop: Row) -> None:
    world.accept(shop, world.order(**PAID, lines=[GIFT]))
    assert order_row(world)["state"] == "open"
    world.pass_time(minutes=1)
    world.accept(shop, world.order(state=OrderState.FULFILLED, lines=[GIFT]))
    assert order_row(world)["state"] == "fulfilled"


def test_an_order_without_lines_is_never_done(world: World, shop: Row) -> None:
    order = replace(world.order(state=OrderState.FULFILLED), lines=())
    world.accept(shop, order)
    assert order_row(world)["state"] == "open"


def test_an_unknown_line_is_asked_about_once(world: World, shop: Row) -> None:
    line = OrderLine(ref="l-9", sku="SETUP", quantity=1, title="Set-up at home")
    world.accept(shop, world.order(**PAID, lines=[line]))
    assert world.value("SELECT kind FROM exception_case") == "unmapped_listing"
    answer = [Mapping("setup", "service")]
    world.write(lambda tx: mappings.put(tx, shop["code"], MappingKind.LINE_KIND, answer))
    shop = world.rows("SELECT * FROM channel")[0]
    world.write(lambda tx: orders.apply_line_kinds(tx, world.context(), shop, limit=10))
    assert world.value("SELECT state FROM exception_case") == "resolved"
    world.accept(shop, world.order("o-2", **PAID, lines=[line]))
    assert world.value("SELECT COUNT(*) FROM exception_case") == 1
    words = world.read(lambda tx: mappings.words(tx, shop["code"], MappingKind.LINE_KIND))
    assert [(each.source, each.target, each.times) for each in words] == [("SETUP", "service", 2)]


def test_amounts_are_kept_exactly(world: World, shop: Row) -> None:
    line = OrderLine(
        ref="l-1", sku="CAM", quantity=3, unit_price=Decimal("0.10"), tax=Decimal("0.057")
    )
    world.accept(shop, world.order(**PAID, lines=[line], currency="EUR", total=Decimal("1E+2")))
    row = world.rows("SELECT * FROM order_line")[0]
    assert (row["unit_price"], row["tax"], row["discount"]) == ("0.10", "0.057", None)
    assert (order_row(world)["currency"], order_row(world)["total"]) == ("EUR", "100")


def test_a_shipment_names_the_lines_that_the_hub_never_ships(world: World, shop: Row) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(**PAID, lines=[CAMERA, GIFT, NO_SKU]))
    leave(world, "SN-1")
    payload = world.value("SELECT payload FROM outbox WHERE topic = 'fulfillment'")
    assert orjson.loads(payload)["other_lines"] == ["l-2", "l-3"]


def test_the_price_that_was_paid_is_known_of_each_unit(world: World, shop: Row) -> None:
    world.receive("SN-1", "SN-2", "SN-3")
    line = OrderLine(
        ref="l-1", sku="CAM", quantity=3, unit_price=Decimal("10.00"), discount=Decimal("1.00")
    )
    world.accept(shop, world.order(**PAID, lines=[line], currency="EUR"))
    leave(world, "SN-1", "SN-2", "SN-3")
    (story,) = world.read(lambda tx: stories(tx, [world.unit("SN-1")["id"]])).values()
    assert story.sale is not None
    assert (story.sale.price, story.sale.currency) == (Decimal("9.67"), "EUR")


def test_what_the_channel_promised_makes_an_order_urgent(world: World, shop: Row) -> None:
    world.receive("SN-1")
    world.accept(shop, world.order(**PAID, ship_by=world.now - timedelta(days=1)))
    site = world.rows("SELECT * FROM location WHERE code = 'WH'")[0]
    (task,) = world.read(lambda tx: tasks.tasks(tx, world.now, site, first=5))
    assert task["priority"] is not Priority.NORMAL


@pytest.mark.parametrize("account", ["seller / US", "other / US"])
def test_one_sale_in_two_channels_of_an_account_takes_one_unit(world: World, account: str) -> None:
    world.receive("SN-1", "SN-2")
    here = world.channel("us", "amazon", account=("seller / US",))
    there = world.channel("ca", "amazon", account=(account.replace("US", "CA"),))
    for channel in (here, there):
        world.accept(channel, world.order("302-1"))
    promised = world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL")
    kinds = [kind for kind, _ in world.open_cases()]
    same = account.startswith("seller")
    assert (promised, kinds) == ((1, ["duplicate_order"]) if same else (2, []))


@pytest.mark.parametrize(
    ("more", "hold"),
    [
        ({**UNPAID, "total": Decimal("0.00")}, None),  # nobody has to pay for a free order
        ({**UNPAID, "total": Decimal("0.01")}, "payment_pending"),
        ({**UNPAID}, "payment_pending"),
        ({**PAID, "total": Decimal(0), "hold": HoldReason.ON_HOLD}, "on_hold"),
        ({**PAID, "total": Decimal(10), "refunded": Decimal("10.00")}, "refunded"),
        ({**PAID, "total": Decimal(10), "refunded": Decimal("9.99")}, None),
        ({**PAID, "total": Decimal(0), "refunded": Decimal(0)}, None),
    ],
)
def test_amounts_say_whether_anything_is_to_be_paid(
    world: World, shop: Row, more: dict[str, object], hold: str | None
) -> None:
    world.accept(shop, world.order(**more))
    row = order_row(world)
    assert (row["hold"], row["state"]) == (hold, "open" if hold is None else "pending")


def sold_at_the_till(*serials: str, quantity: int = 1) -> OrderLine:
    return OrderLine(ref="l-1", sku="CAM", quantity=quantity, serials=serials)


def test_a_serial_that_is_none_stops_no_order(world: World, shop: Row) -> None:
    world.receive("SN-1", "SN-2")
    line = sold_at_the_till("-", "\u200b", "SN-1", quantity=3)
    sale = world.order(lines=[line], state=OrderState.FULFILLED, at_counter=True)
    for _ in range(2):
        world.accept(shop, sale)
    assert world.unit("SN-1")["status"] == "sold"
    unknown = [subject for kind, subject in world.open_cases() if kind == "unknown_serial"]
    assert sorted(unknown) == ["-", "\u200b"]


def test_serials_that_differ_in_case_alone_are_two_sales_where_case_counts(
    world: World, shop: Row
) -> None:
    world.write(lambda tx: tx.run("UPDATE product SET serial_case = 'exact' WHERE sku = 'CAM'"))
    world.receive("Ab-1", "aB-1")
    line = sold_at_the_till("Ab-1", "aB-1", quantity=2)
    world.accept(shop, world.order(lines=[line], state=OrderState.FULFILLED, at_counter=True))
    assert world.rows("SELECT DISTINCT status FROM unit") == [{"status": "sold"}]


def test_a_product_with_serials_is_goods_whatever_its_shop_ticks(world: World, shop: Row) -> None:
    """A shop that never ships marks a camera as a service; only people may say that it is none."""
    world.receive("SN-1", "SN-2")
    line = OrderLine(ref="l-1", sku="CAM", quantity=1, kind=LineKind.DIGITAL)
    world.accept(shop, world.order(**PAID, lines=[line]))
    promised = "SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL"
    assert world.value(promised) == 1
    said = [Mapping("CAM", "digital")]
    world.write(lambda tx: mappings.put(tx, shop["code"], MappingKind.LINE_KIND, said))
    world.accept(world.rows("SELECT * FROM channel")[0], world.order("o-2", **PAID, lines=[line]))
    assert world.value(promised) == 1
