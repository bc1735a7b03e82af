"""Recalls: what they describe is caught and blocked, now and later, until each unit is resolved."""

import threading
from datetime import timedelta
from typing import Any

import orjson
import pytest

from hub import catalogue, kits, recalls
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.history import corrections
from hub.history.replay import Declaration
from hub.inbound import receiving, ship_notices
from hub.inbound.receiving import Arrival
from hub.inbound.ship_notices import DeliveryCard, LineCard
from hub.kits import Part
from hub.ledger import hash_chain
from hub.ledger.arrivals import RecordOrigin
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.proof import conservation
from hub.recalls import Resolution
from hub.recalls.containment import customers, orders_of
from hub.storage.sql import Row
from hub.sync import listings
from hub.vocabulary import OrderLine
from recalling import caught, open_recall, preview, resolve, sell
from world import NOON, World


def whole(world: World) -> None:
    assert world.read(conservation.check).breaches == ()
    assert world.read(hash_chain.verify).breaks == ()


def standing(world: World, serial: str) -> tuple[str, str, int]:
    unit = world.unit(serial)
    return unit["status"], unit["disposition"], unit["blocks"]


def row_of(world: World, serial: str, ref: str = "R-1") -> Row:
    (row,) = world.rows(
        "SELECT recall_unit.* FROM recall_unit JOIN recall ON recall.id = recall_id "
        "WHERE unit_id = :unit AND recall.ref = :ref",
        unit=world.unit(serial)["id"],
        ref=ref,
    )
    return row


def total(world: World, ref: str = "R-1") -> Any:
    recall = world.read(lambda tx: recalls.by_ref(tx, ref))
    return world.read(lambda tx: recalls.containment(tx, recall["id"]))


def receive_lot(world: World, lot: str, *serials: str, sku: str = "CAM") -> None:
    arrivals = [Arrival(serial=each, product=sku, lot=lot) for each in serials]
    verdicts = world.write(
        lambda tx: receiving.receive(
            Work(tx, world.context(), new_id()),
            arrivals,
            catalogue.location(tx, "WH"),
            put_away=True,
        )
    )
    assert [verdict.code for verdict in verdicts] == [None] * len(serials)
    for verdict in verdicts:
        version = world.value("SELECT version FROM unit WHERE id = :id", id=verdict.unit_id)
        assert verdict.version == version


def assemble(world: World, kit: str, *parts: str) -> None:
    given = [Part(Scan(part)) for part in parts]
    verdicts = world.write(
        lambda tx: kits.assemble(Work(tx, world.context(), new_id()), Scan(kit), given)
    )
    assert all(verdict.accepted for verdict in verdicts)


@pytest.mark.req("R115", "R121")
def test_a_preview_counts_what_is_affected_and_does_nothing(world: World) -> None:
    shop = world.channel("pos", "square")
    world.receive("A-1", "A-2", "A-3", "A-4")
    world.receive("A-5", place="SHOP")
    world.receive("L-1", sku="LENS")
    sell(world, shop, "o-1", "A-1", "A-2", customer="c-1")
    events = world.value("SELECT COUNT(*) FROM event")
    scope = preview(world, ranges=[{"first": "A-2", "last": "A-5"}])
    assert (scope.affected, scope.of_products, scope.customers) == (4, 5, 1)
    assert scope.products == [("CAM", 4, 5)]
    assert scope.statuses == [("in_stock", 3), ("sold", 1)]
    assert scope.places == [("CUSTOMER", 1), ("SHOP", 1), ("WH", 2)]
    assert scope.channels == [("pos", 1), (None, 3)]
    assert world.value("SELECT COUNT(*) FROM event") == events
    assert preview(world, serials=["NONE-1"]).affected == 0


@pytest.mark.req("R117", "R118", "R122")
def test_what_stands_on_the_shelf_is_blocked_at_once_and_off_every_channel(world: World) -> None:
    shop = world.channel("shop", "square")
    world.list_product(shop)
    world.receive("A-1", "A-2", "A-3")
    world.write(lambda tx: listings.lease(tx, shop, world.now, limit=10))
    open_recall(world, ranges=[{"first": "A-1", "last": "A-2"}])
    assert standing(world, "A-1") == ("in_stock", "recalled", 1)
    products = [world.unit("A-1")["product_id"]]
    assert list(world.read(lambda tx: listings.available(tx, shop, products)).values()) == [1]
    (level,) = world.rows("SELECT wanted_version, done_version FROM listing_level")
    assert level["wanted_version"] > level["done_version"]
    for action in (Action.ALLOCATE, Action.SELL, Action.PICK):
        (verdict,) = world.do(action, "A-1")
        assert verdict.code in {"UNIT_BLOCKED", "STEP_NOT_ALLOWED"}
    assert standing(world, "A-3")[2] == 0
    assert world.history("A-1")[-1]["reason"] == "R-1: Fire"
    whole(world)


@pytest.mark.req("R117")
def test_promised_units_are_let_go_and_their_orders_served_from_others(world: World) -> None:
    shop = world.channel("shop", "square")
    world.receive("A-1", "A-2", "A-3")
    two = OrderLine(ref="l-1", sku="CAM", quantity=2)
    world.accept(shop, world.order("o-1", [two]))
    promised = {
        row["serial"] for row in world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    }
    assert promised == {"A-1", "A-2"}
    world.do(Action.PICK, "A-1")
    open_recall(world, serials=["A-1", "A-2"])
    assert world.unit("A-1")["promised_to"] is None
    assert standing(world, "A-1") == ("in_stock", "recalled", 1)
    assert world.unit("A-3")["promised_to"] is not None
    (case,) = world.rows("SELECT * FROM exception_case")
    assert (case["kind"], case["subject"]) == ("oversold", "o-1/l-1")
    assert orjson.loads(case["details"])["lacking"] == 1
    whole(world)


@pytest.mark.req("R115", "R116")
def test_what_was_sold_is_listed_with_its_customer_and_order(world: World) -> None:
    shop, other = world.channel("pos", "square"), world.channel("web", "square")
    world.receive("A-1", "A-2", "A-3", "A-4")
    sell(world, shop, "o-1", "A-1", "A-2", customer="c-1")
    sell(world, other, "o-2", "A-3", customer="c-2")
    recall = open_recall(world, products=["CAM"], ranges=[{"first": "A-2", "last": "A-4"}])
    assert caught(world) == ["A-2", "A-3", "A-4"]
    row = row_of(world, "A-2")
    assert (row["channel_id"], row["customer_ref"]) == (shop["id"], "pos:c-1")
    assert row["status_when_caught"] == "sold"
    assert row["why"] == "product CAM; serials A2 to A4"
    assert standing(world, "A-2") == ("sold", "recalled", 1)
    found = world.read(lambda tx: customers(tx, recall["id"], first=10, after=None))
    assert [(each["customer_ref"], each["units"]) for each in found] == [
        ("pos:c-1", 1),
        ("web:c-2", 1),
    ]
    orders = world.read(lambda tx: orders_of(tx, recall["id"], ["pos:c-1", "web:c-2"]))
    assert [each["number"] for each in orders["pos:c-1"]] == ["#o-1"]
    whole(world)


@pytest.mark.req("R113", "R117")
def test_what_comes_later_is_caught_in_the_same_transaction(world: World) -> None:
    open_recall(world, lots=["BAD"])
    receive_lot(world, "GOOD", "A-1")
    receive_lot(world, "BAD", "A-2")
    assert caught(world) == ["A-2"]
    assert standing(world, "A-2") == ("in_stock", "recalled", 1)
    arrivals = [Arrival(serial="A-3", product="CAM", lot="BAD")]
    world.write(
        lambda tx: receiving.commission(
            Work(tx, world.context(), new_id()), arrivals, None, point=RecordOrigin.MANUFACTURING
        )
    )
    card = DeliveryCard(
        supplier="ACME",
        ref="ASN-1",
        lines=(LineCard(ref="1", product="CAM", quantity=2, serials=("A-4",), lot="BAD"),),
    )
    world.write(lambda tx: ship_notices.announce(Work(tx, world.context(), new_id()), card))
    assert caught(world) == ["A-2", "A-3", "A-4"]
    assert standing(world, "A-4") == ("expected", "recalled", 1)
    receive_lot(world, "BAD", "A-3", "A-4")
    assert standing(world, "A-4") == ("in_stock", "recalled", 1)
    whole(world)


def test_a_lot_that_is_known_only_at_the_receipt_is_caught_then(world: World) -> None:
    arrivals = [Arrival(serial="A-1", product="CAM")]
    world.write(
        lambda tx: receiving.commission(
            Work(tx, world.context(), new_id()), arrivals, None, point=RecordOrigin.MANUFACTURING
        )
    )
    open_recall(world, lots=["BAD"])
    assert caught(world) == []
    receive_lot(world, "BAD", "A-1")
    assert caught(world) == ["A-1"]


@pytest.mark.req("R114")
def test_kits_are_caught_by_what_they_were_ever_built_with(world: World) -> None:
    world.receive("CAM-1", "CAM-2", "CAM-3", "CAM-4")
    receive_lot(world, "BAD", "L-1", "L-2", sku="LENS")
    receive_lot(world, "GOOD", "L-3", "L-4", sku="LENS")
    assemble(world, "CAM-1", "L-1")
    assemble(world, "CAM-2", "L-2", "L-3")
    assemble(world, "CAM-3", "CAM-2")  # a kit in a kit
    world.pass_time(hours=1)

    def out(tx: Any) -> Any:
        where = catalogue.location(tx, "WH")
        scans = [Scan("L-1")]
        return kits.disassemble(Work(tx, world.context(), new_id()), Scan("CAM-1"), where, scans)

    world.write(out)
    world.pass_time(hours=1)
    open_recall(world, component={"lots": ["BAD"], "products": ["LENS"]})
    assert caught(world) == ["CAM-1", "CAM-2", "CAM-3"]
    assert row_of(world, "CAM-1")["why"] == "built with: lot BAD; product LENS"
    world.do(Action.RESTOCK, "L-1", place="WH")
    world.pass_time(hours=1)
    assemble(world, "CAM-4", "L-1")  # caught when it is built
    assert caught(world)[-1] == "CAM-4"
    assert standing(world, "CAM-4") == ("in_stock", "recalled", 1)
    whole(world)


@pytest.mark.req("R114", "R116", "R117")
def test_a_part_that_is_recalled_blocks_its_kit_and_names_who_has_it(world: World) -> None:
    shop = world.channel("pos", "square")
    world.receive("CAM-1", "CAM-2")
    receive_lot(world, "BAD", "L-1", "L-2", sku="LENS")
    assemble(world, "CAM-1", "L-1")
    assemble(world, "CAM-2", "L-2")
    sell(world, shop, "o-1", "CAM-1", customer="c-1")
    world.accept(shop, world.order("o-2"))
    assert world.unit("CAM-2")["promised_to"] is not None
    open_recall(world, lots=["BAD"])
    assert caught(world) == ["L-1", "L-2"]
    assert row_of(world, "L-1")["customer_ref"] == "pos:c-1"
    assert standing(world, "CAM-2") == ("in_stock", "recalled", 1)
    assert world.unit("CAM-2")["promised_to"] is None
    assert world.value("SELECT kind FROM exception_case") == "oversold"
    (verdict,) = world.do(Action.ALLOCATE, "CAM-2")
    assert verdict.code == "UNIT_BLOCKED"
    assert [v.code for v in resolve(world, Resolution.CLEARED, "L-2")] == [None]
    assert standing(world, "CAM-2")[2] == 0
    whole(world)


def test_a_kit_and_its_part_under_one_recall_become_free_together(world: World) -> None:
    world.receive("CAM-1")
    world.receive("L-1", sku="LENS")
    assemble(world, "CAM-1", "L-1")
    open_recall(world, serials=["CAM-1", "L-1"])
    assert (standing(world, "CAM-1")[2], standing(world, "L-1")[2]) == (1, 1)
    assert resolve(world, Resolution.REPAIRED, "L-1")[0].accepted
    assert (standing(world, "CAM-1")[2], standing(world, "L-1")[2]) == (1, 0)
    assert resolve(world, Resolution.REPAIRED, "CAM-1")[0].accepted
    assert standing(world, "CAM-1")[2] == 0
    open_recall(world, "R-2", serials=["CAM-1", "L-1"])
    resolve(world, Resolution.REPAIRED, "CAM-1", ref="R-2")
    assert standing(world, "CAM-1")[2] == 1  # its part still blocks it
    resolve(world, Resolution.REPAIRED, "L-1", ref="R-2")
    assert (standing(world, "CAM-1")[2], standing(world, "L-1")[2]) == (0, 0)
    whole(world)


@pytest.mark.req("R119", "R120")
def test_the_containment_adds_up_per_channel_and_in_total(world: World) -> None:
    shop, other = world.channel("pos", "square"), world.channel("web", "square")
    world.receive(*(f"A-{number}" for number in range(1, 9)))
    sell(world, shop, "o-1", "A-1", "A-2", customer="c-1")
    sell(world, other, "o-2", "A-3", customer=None)
    world.do(Action.LOSE, "A-4")
    world.do(Action.WRITE_OFF, "A-5", reason="broken")
    open_recall(world, products=["CAM"])
    world.do(Action.ACCEPT_RETURN, "A-1", place="RETURNS")
    assert resolve(world, Resolution.REPAIRED, "A-1", "A-6")[1].accepted
    everything, by_channel = total(world)
    assert (everything.affected, everything.located, everything.on_hand) == (8, 7, 4)
    assert (everything.sold, everything.missing, everything.destroyed) == (2, 1, 1)
    assert (everything.blocked, everything.returned) == (2, 1)
    assert (everything.resolved, everything.open) == (3, 5)
    assert [(code, each.affected, each.sold) for code, each in by_channel] == [
        ("pos", 2, 1), ("web", 1, 1), (None, 5, 0),
    ]  # fmt: skip
    for each in (everything, *(each for _, each in by_channel)):
        assert each.on_hand + each.sold + each.missing + each.destroyed == each.affected
        assert each.located == each.affected - each.missing
        assert each.open + each.resolved == each.affected
    assert row_of(world, "A-5")["resolution"] == "destroyed"
    whole(world)


@pytest.mark.req("R120")
def test_each_unit_is_followed_until_the_recall_can_be_closed(world: World) -> None:
    shop = world.channel("pos", "square")
    world.receive("A-1", "A-2", "A-3", "A-9")
    sell(world, shop, "o-1", "A-1", "A-2", customer="c-1")
    open_recall(world, ranges=[{"first": "A-1", "last": "A-3"}])

    def close(**more: Any) -> None:
        world.write(lambda tx: recalls.close(tx, world.context(), "R-1", **more))

    with pytest.raises(StepNotAllowed, match="3 units are still open"):
        close()
    with pytest.raises(InvalidInput):
        close(force=True, reason=" ")
    world.do(Action.ACCEPT_RETURN, "A-1", place="RETURNS")
    assert row_of(world, "A-1")["returned_at"] is not None
    (verdict,) = world.do(Action.UNBLOCK, "A-1", hold_kind="recall")
    assert verdict.code == "STEP_NOT_ALLOWED"  # only through the recall
    codes = [v.code for v in resolve(world, Resolution.REPAIRED, "A-1", "A-9", "NONE-1", "A-1")]
    assert codes == [None, "UNKNOWN_REFERENCE", "UNKNOWN_UNIT", "STEP_NOT_ALLOWED"]
    assert standing(world, "A-1") == ("returned", "returned", 0)
    assert resolve(world, Resolution.REFUNDED, "A-1")[0].code == "STEP_NOT_ALLOWED"
    assert resolve(world, Resolution.RETURNED, "A-2")[0].code == "STEP_NOT_ALLOWED"
    assert resolve(world, Resolution.REFUNDED, "A-2")[0].accepted
    assert standing(world, "A-2")[2] == 1  # it stays what it is
    assert orjson.loads(world.history("A-2")[-1]["details"])["resolution"] == "refunded"
    assert resolve(world, Resolution.DESTROYED, "A-3")[0].code == "STEP_NOT_ALLOWED"
    world.do(Action.WRITE_OFF, "A-3", reason="burnt")
    assert row_of(world, "A-3")["resolution"] == "destroyed"
    close()
    with pytest.raises(StepNotAllowed):
        close()
    world.receive("A-02")
    assert caught(world) == ["A-1", "A-2", "A-3"]
    whole(world)


def test_a_recall_that_was_closed_by_force_keeps_its_units_blocked(world: World) -> None:
    world.receive("A-1")
    open_recall(world, products=["CAM"])
    world.write(lambda tx: recalls.close(tx, world.context(), "R-1", force=True, reason="no way"))
    assert world.do(Action.UNBLOCK, "A-1", hold_kind="recall")[0].code == "STEP_NOT_ALLOWED"
    world.receive("A-2")
    assert caught(world) == ["A-1"]
    assert resolve(world, Resolution.CLEARED, "A-1")[0].accepted
    assert standing(world, "A-1")[2] == 0


def test_two_recalls_hold_a_unit_until_both_are_resolved(world: World) -> None:
    world.receive("A-1")
    open_recall(world, "R-1", products=["CAM"])
    open_recall(world, "R-2", serials=["A-1"])
    assert standing(world, "A-1")[2] == 1
    resolve(world, Resolution.REPAIRED, "A-1", ref="R-1")
    assert standing(world, "A-1")[2] == 1
    resolve(world, Resolution.REPAIRED, "A-1", ref="R-2")
    assert standing(world, "A-1")[2] == 0
    world.do(Action.HOLD, "A-1", hold_kind="recall")  # a plain block of nobody's recall
    assert world.do(Action.UNBLOCK, "A-1", hold_kind="recall")[0].accepted
    whole(world)


def test_the_block_of_a_recall_can_not_be_corrected_away(world: World) -> None:
    world.receive("A-1")
    open_recall(world, products=["CAM"])
    event = world.history("A-1")[-1]
    with pytest.raises(StepNotAllowed, match="under a recall"):
        world.write(
            lambda tx: corrections.correct(
                Work(tx, world.context(reason="mistake"), new_id()),
                event["id"],
                reason=Declaration.DID_NOT_OCCUR,
            )
        )


def test_a_reference_is_used_once_and_unknown_ones_are_refused(world: World) -> None:
    world.receive("A-1")
    open_recall(world, lots=["X"])
    with pytest.raises(InvalidInput, match="already"):
        open_recall(world, products=["CAM"])
    assert caught(world) == []
    with pytest.raises(UnknownReference):
        resolve(world, Resolution.CLEARED, "A-1", ref="R-9")
    with pytest.raises(InvalidInput):
        open_recall(world, " ", lots=["X"])


def test_the_first_alternative_that_fits_says_why(world: World) -> None:
    receive_lot(world, "L1", "A-1")
    receive_lot(world, "L2", "A-2", "A-3")
    open_recall(world, products=["CAM"], any=[{"lots": ["L1"]}, {"serials": ["A-1", "A-2"]}])
    assert row_of(world, "A-1")["why"] == "product CAM; lot L1"
    assert row_of(world, "A-2")["why"] == "product CAM; serial A-1, A-2"
    assert caught(world) == ["A-1", "A-2"]


@pytest.mark.req("R117", "R116")
def test_a_unit_sold_while_a_recall_opens_is_sold_and_listed_or_blocked(world: World) -> None:
    serials = [f"A-{number}" for number in range(20)]
    world.receive(*serials)
    start = threading.Barrier(3)
    sold: list[str] = []

    def sells(mine: list[str]) -> None:
        start.wait()
        for serial in mine:
            (verdict,) = world.do(Action.SELL, serial)
            if verdict.accepted:
                sold.append(serial)

    def opens() -> None:
        start.wait()
        open_recall(world, products=["CAM"])

    threads = [
        threading.Thread(target=sells, args=(serials[:10],)),
        threading.Thread(target=sells, args=(serials[10:],)),
        threading.Thread(target=opens),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caught(world) == sorted(serials)
    for serial in serials:
        status, disposition, blocks = standing(world, serial)
        assert (status, disposition, blocks) == (
            "sold" if serial in sold else "in_stock", "recalled", 1,
        )  # fmt: skip
        assert row_of(world, serial)["status_when_caught"] == status
    whole(world)


@pytest.mark.req("R117")
def test_a_unit_received_while_a_recall_opens_is_caught_by_one_of_the_two(world: World) -> None:
    serials = [f"A-{number}" for number in range(12)]
    start = threading.Barrier(3)

    def receives(mine: list[str]) -> None:
        start.wait()
        for serial in mine:
            world.receive(serial)

    def opens() -> None:
        start.wait()
        open_recall(world, products=["CAM"])

    threads = [
        threading.Thread(target=receives, args=(serials[:6],)),
        threading.Thread(target=receives, args=(serials[6:],)),
        threading.Thread(target=opens),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caught(world) == sorted(serials)
    whole(world)


@pytest.mark.req("R112")
def test_what_was_produced_in_a_period_is_caught(world: World) -> None:
    day = NOON.date()
    arrivals = [
        Arrival(serial=f"A-{back}", product="CAM", produced_on=day - timedelta(days=back))
        for back in range(1, 5)
    ]
    world.write(
        lambda tx: receiving.receive(
            Work(tx, world.context(), new_id()),
            arrivals,
            catalogue.location(tx, "WH"),
            put_away=True,
        )
    )
    period = {
        "produced_from": str(day - timedelta(days=3)),
        "produced_to": str(day - timedelta(days=2)),
    }
    open_recall(world, **period)
    assert caught(world) == ["A-2", "A-3"]


@pytest.mark.req("R111", "R122")
def test_a_range_is_isolated_before_anything_of_it_ships(world: World) -> None:
    world.receive(*(f"SN-{number:04}" for number in range(98, 103)))
    open_recall(world, ranges=[{"first": "SN-0100", "last": "SN-0101"}])
    assert caught(world) == ["SN-0100", "SN-0101"]
    assert world.do(Action.ALLOCATE, "SN-0100")[0].code == "UNIT_BLOCKED"
    assert world.do(Action.ALLOCATE, "SN-0102", hold_reference="c")[0].accepted


@pytest.mark.req("R120")
def test_of_two_who_resolve_a_unit_at_once_one_wins(world: World) -> None:
    world.receive("A-1")
    open_recall(world, products=["CAM"])
    start, codes = threading.Barrier(2), []

    def resolves(how: Resolution) -> None:
        start.wait()
        codes.append(resolve(world, how, "A-1")[0].code)

    threads = [
        threading.Thread(target=resolves, args=(how,))
        for how in (Resolution.REPAIRED, Resolution.CLEARED)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes, key=str) == [None, "STEP_NOT_ALLOWED"]
    assert standing(world, "A-1")[2] == 0
    whole(world)
