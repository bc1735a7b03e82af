"""What the firewall says of readings that only look like another standard's number."""

from typing import Any

import pytest

from hub import catalogue
from hub.capture import capture
from hub.capture.answers import Capture, CaptureCode, Purpose
from hub.catalogue import ProductCard
from hub.clock import new_id
from hub.commands.work import Work
from hub.identifiers.medical import hibc_check
from hub.inbound import receiving
from hub.ledger.arrivals import Arrival, RecordOrigin
from hub.storage.sql import Transaction
from world import World


def judged(
    world: World, *readings: str, purpose: Purpose = Purpose.RECEIVE, **more: Any
) -> Capture:
    return world.read(lambda tx: capture(tx, readings, purpose=purpose, **more))


def announce(world: World, *serials: str) -> None:
    def work(tx: Transaction) -> None:
        arrivals = [Arrival(serial=each, product="LENS") for each in serials]
        done = receiving.commission(
            Work(tx, world.context(), new_id()), arrivals, None, point=RecordOrigin.MANUFACTURING
        )
        assert all(each.accepted for each in done)

    world.write(work)


ANNOUNCED = [
    "12345670",
    "353879234252633",
    "99000012345678",
    "89049032123451234512345678901235",
    "1M8GDM9AXKP042788",
]


@pytest.mark.parametrize("serial", ANNOUNCED)
def test_an_announced_serial_is_taken_whatever_it_looks_like(world: World, serial: str) -> None:
    said = judged(world, serial, "POSTCODE 10115", product="LENS", expected=[serial])
    assert (said.signal, said.parts.serial) == ("accept", serial)


@pytest.mark.parametrize("serial", ANNOUNCED)
def test_a_unit_with_a_record_that_is_awaited_is_no_duplicate(world: World, serial: str) -> None:
    announce(world, serial)
    said = judged(world, serial, product="LENS")
    assert (said.signal, said.parts.serial) == ("accept", serial)
    assert world.receive(serial, sku="LENS")[0].accepted
    assert judged(world, serial, product="LENS").code is CaptureCode.DUPLICATE


@pytest.mark.parametrize(
    "text", ["IMEI1: 353879234252633", "353879234252633/01", "99000012345678", "00:00:5E:00:53:01",
             "89049032123451234512345678901235"]
)  # fmt: skip
def test_a_number_of_a_device_is_no_serial_unless_it_was_announced(world: World, text: str) -> None:
    said = judged(world, text, product="LENS")
    assert (said.code, said.parts.serial) == (CaptureCode.NO_SERIAL, None)
    assert len(said.parts.identifiers) == 1


@pytest.mark.parametrize(
    "text",
    [
        "89049032000001000000000000012345",
        "4C4C4544-0042-3510-8054-B7C04F4E3432",
        "0190a0b0c0d070008000000000000001",
        "300025001350324E31333220",
        "3036142C8C008F8000053244",
    ],
)
def test_hexadecimal_digits_are_a_serial_where_nothing_else_is_known(
    world: World, text: str
) -> None:
    said = judged(world, text, product="LENS")
    assert (said.signal, said.parts.serial) == ("accept", text)


def test_a_label_of_our_own_is_known_in_any_case(world: World) -> None:
    world.receive("SN-1")
    unit_id = world.unit("SN-1")["id"]
    for text in (unit_id, unit_id.upper(), unit_id.replace("-", "")):
        found = judged(world, text, purpose=Purpose.FIND)
        assert found.unit is not None
        assert found.unit["id"] == unit_id
        assert world.unit(text)["serial"] == "SN-1"


def test_a_barcode_that_lost_its_separators_is_what_is_wrong(world: World) -> None:
    said = judged(world, "01108573260055401722081110A2021121092220084115197")
    assert said.code is CaptureCode.BROKEN_BARCODE
    known = judged(world, "01108573260055401722081110A2021121092220084115197", "4006381333931")
    assert known.product is not None
    assert known.code is CaptureCode.BROKEN_BARCODE


def test_a_short_trade_number_is_its_products_and_a_serial_elsewhere(world: World) -> None:
    card = ProductCard(sku="UPCE", name="U", manufacturer="ACME", gtin="078000003864")
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
    assert judged(world, "07838604", product="UPCE").code is CaptureCode.WRONG_BARCODE
    said = judged(world, "]E007838604", "SN-1")
    assert said.product is not None
    assert (said.product["sku"], said.parts.serial) == ("UPCE", "SN-1")
    assert judged(world, "07838604", product="LENS").code is CaptureCode.PRODUCT_MISMATCH
    assert world.receive("07838604", sku="UPCE")[0].code == "INVALID_BARCODE"
    assert judged(world, "01234036", product="LENS").parts.serial == "01234036"


@pytest.mark.parametrize(
    ("label", "read"),
    [
        ("IPAD5/6", "IPAD5é6"),  # Canada
        ("SN-12", "SNß12"),  # Germany
        ("XZ/7", "XY-7"),
        ("QA-1", "AQ)&"),  # France
        ("A-1", "A'1"),  # Italy, Spain
    ],
)
def test_a_scanner_on_another_keyboard_is_recognized(world: World, label: str, read: str) -> None:
    world.receive(label)
    said = judged(world, read, purpose=Purpose.FIND)
    assert said.code is CaptureCode.LOOK_ALIKE
    assert [each.serial for each in said.suggestions] == [label]


def test_both_labels_of_a_device_give_its_serial(world: World) -> None:
    primary = "+A123BJC5D6E71" + hibc_check("+A123BJC5D6E71")
    secondary = "+$+SN0001" + primary[-1]
    said = judged(world, primary, secondary + hibc_check(secondary), product="LENS")
    assert (said.signal, said.parts.serial) == ("accept", "SN0001")


def test_the_secondary_label_of_another_device_is_refused(world: World) -> None:
    primary = "+A123BJC5D6E71" + hibc_check("+A123BJC5D6E71")
    other = "+A123BJC5D6E81" + hibc_check("+A123BJC5D6E81")
    secondary = "+$+SN0001" + other[-1]
    secondary += hibc_check(secondary)
    said = judged(world, primary, secondary, product="LENS")
    assert (said.signal, said.code) == ("refuse", CaptureCode.CONTRADICTION)
    assert judged(world, other, secondary, product="LENS").signal == "accept"
    # A label with both parts states its primary too.
    both = "+A123BJC5D6E71/$+SN0001"
    said = judged(world, both + hibc_check(both), secondary, product="LENS")
    assert said.code is CaptureCode.CONTRADICTION
    assert judged(world, secondary, product="LENS").parts.serial == "SN0001"
