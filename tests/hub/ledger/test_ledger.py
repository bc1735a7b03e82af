"""The ledger: what happens to a unit is recorded once, in order, or refused with a reason."""

import orjson
import pytest

from hub import ledger
from hub.commands import idempotency
from hub.commands.work import Work
from hub.errors import InvalidInput, KeyReused
from hub.inbound import receiving
from hub.ledger import event_writer, hash_chain
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from world import World


def codes(verdicts: list[Verdict]) -> list[str | None]:
    return [verdict.code for verdict in verdicts]


@pytest.mark.req("R1", "R3", "R36", "R37", "R38")
def test_a_received_unit_has_its_record_and_its_first_two_events(world: World) -> None:
    (verdict,) = world.receive("SN-0001")
    assert verdict.accepted
    unit = world.unit("SN-0001")
    assert (unit["status"], unit["disposition"]) == ("in_stock", "sellable_not_accessible")
    assert [event["biz_step"] for event in world.history("SN-0001")] == ["receiving", "storing"]
    assert [event["version"] for event in world.history("SN-0001")] == [1, 2]


def test_a_unit_in_a_shop_is_on_the_shelf(world: World) -> None:
    world.receive("SN-0001", place="SHOP")
    assert world.unit("SN-0001")["disposition"] == "sellable_accessible"


@pytest.mark.req("R24", "R29", "R141")
@pytest.mark.parametrize(
    "written", ["SN-0001", "sn0001", " sn 0001 ", "S/N: SN-0001", "]C1SN-0001"]
)
def test_a_unit_is_found_by_its_serial_in_any_writing(world: World, written: str) -> None:
    world.receive("SN-0001")
    assert world.unit(written)["serial"] == "SN-0001"


@pytest.mark.req("R20", "R22", "R208")
def test_one_bad_row_never_loses_the_good_ones(world: World) -> None:
    world.receive("SN-1")
    verdicts = world.receive("SN-2", "sn 1", "", "SN-3", "SN-3", "x" * 101, "4006381333931")
    assert codes(verdicts) == [
        None,
        "DUPLICATE_SERIAL",
        "INVALID_BARCODE",
        None,
        "DUPLICATE_SERIAL",
        "INVALID_BARCODE",
        "INVALID_BARCODE",
    ]
    assert world.value("SELECT COUNT(*) FROM unit") == 3
    assert world.value("SELECT COUNT(*) FROM event") == 6


@pytest.mark.req("R1")
def test_two_products_may_bear_the_same_serial_and_then_the_product_must_be_named(
    world: World,
) -> None:
    world.receive("100", sku="CAM")
    world.receive("100", sku="SAW")
    (verdict,) = world.do(Action.MOVE, "100", place="WH-A1")
    assert verdict.code == "AMBIGUOUS_UNIT"
    assert verdict.details == {"identifier": "100", "skus": ["CAM", "SAW"]}
    (verdict,) = world.do(Action.MOVE, Scan("100", sku="SAW"), place="WH-A1")
    assert verdict.accepted


@pytest.mark.req("R16")
def test_a_wrong_barcode_is_recognised(world: World) -> None:
    verdicts = world.receive("4006381333931", "CAM", "CAM-M1")
    for verdict, word in zip(verdicts, ("GTIN", "SKU", "model number"), strict=True):
        assert word in (verdict.message or "")


@pytest.mark.req("R3")
def test_an_unknown_product_or_unit_is_a_refusal_of_its_row(world: World) -> None:
    assert codes(world.receive("SN-1", sku="NONE")) == ["UNKNOWN_REFERENCE"]
    assert codes(world.do(Action.MOVE, "SN-1", place="WH-A1")) == ["UNKNOWN_UNIT"]


@pytest.mark.req("R7", "R39", "R40", "R81")
def test_the_whole_life_of_a_unit_is_one_unbroken_chain(world: World) -> None:
    world.receive("SN-1", put_away=False)
    steps = [
        (Action.PUT_AWAY, {"place": "WH-A1"}),
        (Action.MOVE, {"place": "WH"}),
        (Action.TRANSFER_OUT, {"place": "SHOP"}),
        (Action.TRANSFER_IN, {"place": "SHOP"}),
        (Action.HOLD, {"hold_kind": "quality"}),
        (Action.UNBLOCK, {"hold_kind": "quality"}),
        (Action.ALLOCATE, {"hold_reference": "cart-1"}),
        (Action.RELEASE, {}),
        (Action.ALLOCATE, {"hold_reference": "cart-2"}),
        (Action.PICK, {}),
        (Action.PACK, {}),
        (Action.SHIP, {}),
        (Action.ACCEPT_RETURN, {"place": "RETURNS", "reason": "changed mind"}),
        (Action.REPAIR, {}),
        (Action.RESTOCK, {"grade": "B"}),
        (Action.WRITE_OFF, {"reason": "crushed"}),
    ]
    for action, more in steps:
        (verdict,) = world.do(action, "SN-1", **more)
        assert verdict.accepted, (action, verdict)
    assert world.unit("SN-1")["version"] == len(steps) + 1
    assert world.unit("SN-1")["grade"] == "B"
    proof = world.read(hash_chain.verify)
    assert (proof.events, proof.units, proof.breaks) == (len(steps) + 1, 1, ())


@pytest.mark.req("R39")
def test_an_illegal_step_says_what_would_be_allowed(world: World) -> None:
    world.receive("SN-1")
    (verdict,) = world.do(Action.PACK, "SN-1")
    assert verdict.code == "STEP_NOT_ALLOWED"
    assert verdict.details is not None
    assert "allocate" in verdict.details["allowed"]
    assert "ship" not in verdict.details["allowed"]
    assert world.unit("SN-1")["version"] == 2


@pytest.mark.req("R74", "R77")
def test_a_promised_unit_can_not_be_sold_to_somebody_else(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.ALLOCATE, "SN-1", hold_reference="cart-1")
    assert codes(world.do(Action.SELL, "SN-1")) == ["UNIT_PROMISED"]
    assert codes(world.do(Action.ALLOCATE, "SN-1")) == ["UNIT_PROMISED"]
    assert codes(world.do(Action.SELL, "SN-1", hold_reference="cart-1")) == [None]
    assert world.unit("SN-1")["promised_to"] is None


@pytest.mark.req("R117")
def test_a_blocked_unit_can_not_be_promised_and_two_blocks_are_two(world: World) -> None:
    world.receive("SN-1")
    world.do(Action.HOLD, "SN-1", hold_kind="recall")
    world.do(Action.HOLD, "SN-1", hold_kind="fraud")
    assert world.unit("SN-1")["disposition"] == "recalled"
    assert codes(world.do(Action.ALLOCATE, "SN-1")) == ["UNIT_BLOCKED"]
    assert codes(world.do(Action.HOLD, "SN-1", hold_kind="fraud")) == ["STEP_NOT_ALLOWED"]
    world.do(Action.UNBLOCK, "SN-1", hold_kind="recall")
    assert world.unit("SN-1")["disposition"] == "non_sellable_other"
    world.do(Action.UNBLOCK, "SN-1", hold_kind="fraud")
    assert codes(world.do(Action.ALLOCATE, "SN-1")) == [None]


def test_a_block_of_no_kind_is_refused(world: World) -> None:
    world.receive("SN-1")
    assert codes(world.do(Action.HOLD, "SN-1", hold_kind="sale")) == ["INVALID_INPUT"]


def test_a_stale_version_is_refused(world: World) -> None:
    world.receive("SN-1")
    stale = Scan("SN-1", expected_version=1)
    (verdict,) = world.do(Action.MOVE, stale, place="WH-A1")
    assert (verdict.code, verdict.details) == ("VERSION_CONFLICT", {"version": 2})


def test_a_unit_scanned_twice_in_one_batch_is_one_unit(world: World) -> None:
    world.receive("SN-1")
    verdicts = world.do(Action.ALLOCATE, "SN-1", "sn1")
    assert codes(verdicts) == [None, "UNIT_PROMISED"]
    verdicts = world.do(Action.MOVE, "SN-1", "sn1", place="WH-A1")
    assert [verdict.version for verdict in verdicts] == [4, 5]


@pytest.mark.req("R57", "R81")
def test_a_move_to_another_site_is_a_transfer(world: World) -> None:
    world.receive("SN-1")
    assert codes(world.do(Action.MOVE, "SN-1", place="SHOP")) == ["STEP_NOT_ALLOWED"]
    assert codes(world.do(Action.TRANSFER_OUT, "SN-1", place="WH-A1")) == ["STEP_NOT_ALLOWED"]
    world.do(Action.TRANSFER_OUT, "SN-1", place="SHOP")
    assert world.unit("SN-1")["location_code"] == "IN-TRANSIT"
    assert orjson.loads(world.history("SN-1")[-1]["details"]) == {"destination": "SHOP"}


@pytest.mark.req("R91", "R97", "R48")
def test_a_returned_unit_is_not_sellable_before_it_is_inspected(world: World) -> None:
    world.receive("SN-1", place="SHOP")
    world.do(Action.SELL, "SN-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="SHOP", reason="defect")
    assert codes(world.do(Action.ALLOCATE, "SN-1")) == ["STEP_NOT_ALLOWED"]
    world.do(Action.QUARANTINE, "SN-1")
    assert codes(world.do(Action.RESTOCK, "SN-1")) == ["UNIT_BLOCKED"]
    world.do(Action.CONDEMN, "SN-1")
    assert codes(world.do(Action.RESTOCK, "SN-1")) == ["STEP_NOT_ALLOWED"]
    assert world.unit("SN-1")["status"] == "condemned"
    assert world.history("SN-1")[3]["reason"] == "defect"


@pytest.mark.req("R15")
def test_a_serial_rule_of_the_manufacturer_is_enforced(world: World) -> None:
    world.write(
        lambda tx: tx.run(
            "UPDATE manufacturer SET serial_pattern = :rule WHERE code = 'ACME'", rule=r"AC\d{6}"
        )
    )
    assert codes(world.receive("AC123456", "AC12345", "XX123456")) == [
        None,
        "INVALID_BARCODE",
        "INVALID_BARCODE",
    ]


@pytest.mark.req("R26", "R28", "R30")
def test_further_identifiers_find_the_unit_and_are_unique(world: World) -> None:
    def receive(serial: str, imei: str) -> list[Verdict]:
        arrival = receiving.Arrival(serial=serial, product="CAM", identifiers=(("imei", imei),))
        return world.write(
            lambda tx: receiving.receive(
                Work(tx, world.context(), "c"), [arrival], tx.rows("SELECT * FROM location")[0]
            )
        )

    receive("SN-1", "490154203237518")
    assert world.unit("49-015420-323751-8")["serial"] == "SN-1"
    assert codes(receive("SN-2", "490154203237518")) == ["DUPLICATE_SERIAL"]


def test_the_same_key_gives_the_first_answer_again(world: World) -> None:
    world.receive("SN-1")

    def sell(key: str, serial: str) -> idempotency.Answer:
        def work(tx):
            def do(command_id: str) -> list[str | None]:
                command = UnitCommand(action=Action.SELL)
                return codes(
                    ledger.record(Work(tx, world.context(), command_id), command, [Scan(serial)])
                )

            return idempotency.once(
                tx, world.context(), key=key, name="sell", given=serial, work=do
            )

        return world.write(work)

    first, again = sell("k-1", "SN-1"), sell("k-1", "SN-1")
    assert (first.value, first.replayed) == ([None], False)
    assert (again.value, again.replayed) == ([None], True)
    assert again.command_id == first.command_id
    assert sell("k-2", "SN-1").value == ["STEP_NOT_ALLOWED"]
    with pytest.raises(KeyReused):
        sell("k-1", "SN-2")
    with pytest.raises(InvalidInput):
        sell("", "SN-1")
    with pytest.raises(InvalidInput):
        sell("k" * 256, "SN-1")
    assert len(world.history("SN-1")) == 3


def test_a_command_of_no_units_or_too_many_is_refused(world: World) -> None:
    for scans in ([], ["SN"] * (event_writer.SCANS_MAX + 1)):
        with pytest.raises(InvalidInput):
            world.do(Action.MOVE, *scans, place="WH")


@pytest.mark.req("R20")
def test_no_serial_is_ever_two_units_however_many_race(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: world.receive("SN-1", "SN-2")[0].code, range(8)))
    assert sorted(map(str, answers)) == ["DUPLICATE_SERIAL"] * 7 + ["None"]
    assert world.value("SELECT COUNT(*) FROM unit") == 2


@pytest.mark.req("R74")
def test_no_unit_is_promised_twice_however_many_race(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    world.receive(*[f"SN-{number}" for number in range(20)])
    serials = [f"SN-{number}" for number in range(20)]

    def race(racer: int) -> list[str | None]:
        mine = serials if racer % 2 else serials[::-1]
        return codes(world.do(Action.ALLOCATE, *mine, hold_reference=f"cart-{racer}"))

    with ThreadPoolExecutor(8) as pool:
        won = [code for answer in pool.map(race, range(8)) for code in answer if code is None]
    assert len(won) == 20
    assert world.value("SELECT COUNT(*) FROM hold WHERE released_at IS NULL") == 20
    assert world.read(hash_chain.verify).breaks == ()
