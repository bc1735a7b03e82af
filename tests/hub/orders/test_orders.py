"""Orders: promises on named units, and never an order lost."""

import pytest

from hub import orders
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.vocabulary import OrderLine, OrderState
from world import World

TWO = (OrderLine(ref="l-1", sku="CAM", quantity=2),)


def ship(world: World, *serials: str, command: str = "c-1") -> None:
    world.do(Action.PICK, *serials)
    world.do(Action.PACK, *serials)
    scans = [Scan(serial) for serial in serials]
    shipment = Shipment(carrier="UPS", tracking="1Z9")
    verdicts = world.write(
        lambda tx: orders.ship(Work(tx, world.context(), command), scans, shipment)
    )
    assert all(verdict.accepted for verdict in verdicts), verdicts


@pytest.mark.req("R67", "R69")
def test_an_order_takes_the_oldest_units(world: World) -> None:
    shop = world.channel()
    world.receive("OLD-1", "OLD-2")
    world.pass_time(hours=1)
    world.receive("NEW-1")
    world.accept(shop, world.order(lines=TWO))
    taken = [world.unit(each)["promised_to"] for each in ("OLD-1", "OLD-2", "NEW-1")]
    assert [each is not None for each in taken] == [True, True, False]
    assert world.history("OLD-1")[-1]["document_ref"] == "#o-1"


def test_the_same_order_again_changes_nothing(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2", "SN-3")
    for _ in range(3):
        world.accept(shop, world.order(lines=TWO))
    assert world.value("SELECT COUNT(*) FROM hold") == 2
    assert world.value("SELECT COUNT(*) FROM sales_order") == 1


def test_an_older_state_never_overwrites_a_newer_one(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1")
    old = world.order()
    world.pass_time(minutes=5)
    world.accept(shop, world.order(state=OrderState.CANCELLED, placed_at=old.placed_at))
    assert world.accept(shop, old) is None
    assert world.value("SELECT state FROM sales_order") == "cancelled"
    assert world.unit("SN-1")["promised_to"] is None


def test_a_cancelled_order_frees_its_units(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order(lines=TWO))
    world.do(Action.PICK, "SN-1")
    world.accept(shop, world.order(lines=TWO, state=OrderState.CANCELLED))
    assert world.unit("SN-1")["status"] == "in_stock"
    assert world.value("SELECT COUNT(*) FROM hold WHERE released_at IS NULL") == 0


def test_an_edited_order_releases_and_takes_units(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2", "SN-3")
    promised = "SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL"
    for quantity in (1, 3, 2):
        line = OrderLine(ref="l-1", sku="CAM", quantity=quantity)
        world.accept(shop, world.order(lines=[line]))
        assert world.value(promised) == quantity
    world.accept(shop, world.order(lines=[OrderLine(ref="l-2", sku="CAM", quantity=1)]))
    assert world.value(promised) == 1


@pytest.mark.req("R142")
def test_an_oversold_order_is_kept_and_served_when_stock_comes(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1")
    world.accept(shop, world.order(lines=TWO))
    (case,) = world.rows("SELECT * FROM exception_case")
    assert (case["kind"], case["state"], case["severity"]) == ("oversold", "open", "high")
    world.receive("SN-2")
    tried = world.write(lambda tx: orders.retry_backorders(tx, world.context(), limit=10))
    assert tried == 1
    assert world.value("SELECT state FROM exception_case") == "resolved"
    assert world.unit("SN-2")["promised_to"] is not None


@pytest.mark.req("R74", "R129")
def test_two_channels_never_get_the_same_unit(world: World) -> None:
    shop, other = world.channel("shop"), world.channel("other")
    world.receive("SN-1")
    world.accept(shop, world.order("a"))
    world.accept(other, world.order("b"))
    assert world.value("SELECT COUNT(*) FROM hold") == 1
    assert world.value("SELECT COUNT(*) FROM exception_case WHERE kind = 'oversold'") == 1


def test_an_order_for_what_nobody_knows_is_a_case(world: World) -> None:
    shop = world.channel()
    world.accept(shop, world.order(lines=[OrderLine(ref="l-1", sku="NONE", quantity=1)]))
    assert world.value("SELECT kind FROM exception_case") == "unmapped_listing"
    assert world.value("SELECT state FROM sales_order") == "open"


@pytest.mark.req("R75", "R132")
def test_what_left_is_told_to_the_channel_with_its_serials(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order(lines=TWO))
    ship(world, "SN-1")
    assert world.value("SELECT state FROM sales_order") == "open"
    ship(world, "SN-2", command="c-2")
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    facts = world.rows("SELECT * FROM outbox ORDER BY seq")
    assert [fact["topic"] for fact in facts] == ["fulfillment", "fulfillment"]
    assert '"l-1":["SN-1"]' in facts[0]["payload"]
    assert len({fact["subject"] for fact in facts}) == 1


@pytest.mark.req("R71", "R73", "R74")
def test_a_unit_of_another_order_can_not_be_shipped_on_this_one(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order("a"))
    world.accept(shop, world.order("b"))
    lines = {row["id"] for row in world.rows("SELECT id FROM order_line")}
    wrong = (lines - {world.unit("SN-1")["order_line_id"]}).pop()
    (verdict,) = world.do(Action.PICK, "SN-1", line=wrong)
    assert verdict.code == "UNIT_PROMISED"


class TestCounter:
    """What a till sold has left already."""

    def sold(self, world: World, *serials: str, quantity: int = 1, ref: str = "t-1") -> None:
        till = world.channel("till", "square")
        line = OrderLine(ref="l-1", sku="CAM", quantity=quantity, serials=serials)
        world.accept(
            till, world.order(ref, lines=[line], state=OrderState.FULFILLED, at_counter=True)
        )

    def test_the_named_serial_is_sold(self, world: World) -> None:
        world.receive("SN-1", "SN-2", place="SHOP")
        self.sold(world, "sn 2")
        self.sold(world, "sn 2")
        assert world.unit("SN-2")["status"] == "sold"
        assert world.unit("SN-1")["promised_to"] is None
        assert world.value("SELECT state FROM sales_order") == "fulfilled"
        assert world.value("SELECT COUNT(*) FROM exception_case") == 0

    def test_a_serial_that_nobody_knows_is_a_case(self, world: World) -> None:
        world.receive("SN-1", place="SHOP")
        self.sold(world, "FAKE-9")
        case = world.rows("SELECT * FROM exception_case WHERE kind = 'unknown_serial'")
        assert case[0]["subject"] == "FAKE-9"
        # Something left the shelf: one unit is held back until it is known which.
        assert world.unit("SN-1")["promised_to"] is not None

    def test_a_unit_that_was_sold_already_is_a_case(self, world: World) -> None:
        world.receive("SN-1", place="SHOP")
        self.sold(world, "SN-1", ref="t-1")
        self.sold(world, "SN-1", ref="t-2")
        kinds = {row["kind"] for row in world.rows("SELECT kind FROM exception_case")}
        assert "wrong_status" in kinds
        assert len(world.history("SN-1")) == 3

    def test_a_sale_without_a_serial_holds_a_unit_back_until_it_is_named(
        self, world: World
    ) -> None:
        world.receive("SN-1", "SN-2", place="SHOP")
        self.sold(world)
        assert world.value("SELECT kind FROM exception_case") == "missing_capture"
        assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 1
        self.sold(world, "SN-2")
        assert world.unit("SN-2")["status"] == "sold"
        assert world.unit("SN-1")["promised_to"] is None
        assert world.value("SELECT state FROM exception_case") == "resolved"


def test_an_order_is_served_from_the_sites_of_its_channel_only(world: World) -> None:
    outlet = world.channel("outlet", sites=["WH"])
    world.receive("IN-SHOP", place="SHOP")
    world.accept(outlet, world.order())
    assert world.unit("IN-SHOP")["promised_to"] is None
    assert world.value("SELECT kind FROM exception_case") == "oversold"
    world.receive("IN-WH", place="WH")
    world.accept(outlet, world.order())
    assert world.unit("IN-WH")["promised_to"] is not None


def test_an_order_that_was_served_lacks_nothing_when_a_unit_came_back(world: World) -> None:
    shop = world.channel()
    world.receive("SN-1", "SN-2")
    world.accept(shop, world.order("o-1"))
    world.do(Action.PICK, "SN-1")
    world.write(
        lambda tx: orders.ship(Work(tx, world.context(), "c-1"), [Scan("SN-1")], orders.Shipment())
    )
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS")
    world.pass_time(hours=1)
    world.accept(shop, world.order("o-1"))  # read again, for a reason of its own
    assert world.unit("SN-2")["promised_to"] is None
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
    more = OrderLine(ref="l-1", sku="CAM", quantity=2)  # now it does lack one
    world.pass_time(hours=1)
    world.accept(shop, world.order("o-1", lines=[more]))
    assert world.unit("SN-2")["promised_to"] is not None
