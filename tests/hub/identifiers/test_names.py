"""One unit, one record: whatever of its labels was scanned, every way in takes it for the same."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.capture import capture
from hub.capture.answers import Purpose
from hub.capture.bulk import read_tags
from hub.errors import InvalidBarcode
from hub.identifiers import barcodes, epc
from hub.identifiers.barcodes import Kind
from hub.identifiers.device_numbers import (
    is_eid,
    is_imei,
    is_mac,
    is_meid,
    is_vin,
    keys_of,
    normalized,
    space_of,
)
from hub.identifiers.medical import HIBC_LETTERS, hibc_check, read_hibc
from hub.identifiers.names import names_of, unit_of
from hub.identifiers.numbers import upc_a
from hub.ledger import units
from hub.lifecycle import Action
from world import World

CAM = "04006381333931"
IMEI = "490154203237518"
FORMS = (
    f"01{CAM}216789",
    f"]C101{CAM}216789",
    f"]d201{CAM}17271231216789",
    f"01{CAM}10LOT|216789",
    f"01{CAM}10LOT{{GS}}216789",
    f"01{CAM}10LOT^216789",
    f"01{CAM}10LOT<GS>216789",
    f"(01){CAM}(21)6789",
    f"(21)6789(01){CAM}",
    f"(01){CAM}(10)LOT<GS>(21)6789<FNC1>",
    f"1727123101{CAM}216789",
    f"01{CAM} 10LOT 216789",
    f"（01）{CAM}（21）6789",
    f"\x0201{CAM}216789\x03",
    f"https://id.gs1.org/gtin/{CAM}/ser/6789",
    '{"sn": "6789"}',
    "SN: 6789 MODEL: X5",
    "Seriennummer: 6789",
    "序列号：6789",
    "\x026789\x03\r",
    f"https://id.gs1.org/01/{CAM}/21/6789",
    f"https://shop.example/de/01/{CAM}/21/6789?17=271231",
    epc.of_gtin(CAM, "6789", 7).uri,
    epc.encode(epc.of_gtin(CAM, "6789", 7)),
    f"[)>\x1e05\x1d01{CAM}\x1d216789\x1e\x04",
    f"[)>\x1e06\x1d8P{CAM}\x1dS6789\x1e\x04",
    "[)>{RS}06{GS}1PCAM-M1{GS}S6789{RS}{EOT}",
    "6789",
    "S/N: 6789",
    "67-89",
)


def hibc(text: str) -> str:
    return text + hibc_check(text)


def found(world: World, text: str) -> str | None:
    answer = world.read(lambda tx: capture(tx, [text], purpose=Purpose.FIND))
    return answer.unit["serial"] if answer.unit else None


@pytest.mark.parametrize("text", FORMS)
def test_every_way_in_takes_every_form_for_the_same_unit(world: World, text: str) -> None:
    world.receive("6789")
    assert world.unit(text)["serial"] == "6789"
    assert found(world, text) == "6789"
    (tag,) = world.read(lambda tx: read_tags(tx, [text]))
    assert tag.code == "ok"
    assert world.do(Action.MOVE, text, place="WH-A1")[0].accepted
    (again,) = world.receive(text)
    assert again.code == "DUPLICATE_SERIAL"
    assert world.value("SELECT COUNT(*) FROM unit") == 1


@pytest.mark.parametrize("text", FORMS)
def test_every_form_is_received_as_the_same_serial(world: World, text: str) -> None:
    assert world.receive(text)[0].accepted
    assert world.rows("SELECT DISTINCT serial_canonical FROM unit") == [
        {"serial_canonical": "6789"}
    ]


def test_a_code_fills_in_what_is_not_stated(world: World) -> None:
    world.receive(f"01{CAM}172712311125010110LOT-7\x1d216789", "S-2")
    unit = world.unit("6789")
    assert (unit["lot"], unit["expires_on"], unit["produced_on"]) == (
        "LOT-7",
        "2027-12-31",
        "2025-01-01",
    )


@pytest.mark.parametrize("text", [f"]d201{CAM}10LOT", f"(01){CAM}", f"01{CAM}17271231"])
def test_a_label_of_all_units_of_a_product_is_no_serial(world: World, text: str) -> None:
    assert world.receive(text)[0].code == "INVALID_BARCODE"
    with pytest.raises(InvalidBarcode, match="scan the serial label"):
        world.unit(text)


@pytest.mark.parametrize(
    "serial",
    [
        "300025001350324E31333220",  # the id of a chip, no tag
        "3036142C8C008F8000053244",  # a tag's digits, of a GTIN that nobody knows
        "10D9T",
        "+X-1",
        "=/PLAIN",
        "(A)12",
        "01234567890123",
        "0104006381333932216789",  # the check digit is wrong
        "4c4c4544-0042-3510-8054-b7c04f4e3432",
        "4C4C4544-0042-7510-8054-B7C04F4E3432",  # as an id of ours
        "https://example.com/page",
    ],
)
def test_what_is_only_shaped_like_a_code_is_a_serial(world: World, serial: str) -> None:
    assert world.receive(serial, sku="LENS")[0].accepted
    assert world.unit(serial)["serial"] == serial
    assert found(world, serial) in {serial, None} if serial.startswith(("+", "=", "h")) else True
    assert world.do(Action.MOVE, serial, place="WH-A1")[0].accepted


# --- Numbers of devices -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "one", "others"),
    [
        (
            "imei",
            IMEI,
            [
                "49-015420-323751-8",
                "IMEI1: 490154203237518",
                "490154203237518/01",
                "49015420323751",
                "4901542032375101",
            ],
        ),
        (
            "meid",
            "AF0123450ABCDE",
            ["af 01 23 45 0ABCDE", "293608736500703710", "MEID: AF0123450ABCDE"],
        ),
        (
            "eid",
            "89049032123451234512345678901235",
            ["EID: 8904 9032 1234 5123 4512 3456 7890 1235"],
        ),
        (
            "mac",
            "00:00:5E:00:53:01",
            [
                "00-00-5e-00-53-01",
                "0000.5e00.5301",
                "00005e005301",
                "MAC Address: 00:00:5e:00:53:01",
            ],
        ),
        (
            "vin",
            "1M8GDM9AXKP042788",
            ["I1M8GDM9AXKP042788", "1m8gdm9axkp042788", "VIN: 1M8GDM9AXKP042788"],
        ),
        ("vin", "WVGZZZ5NZEW000001", ["IWVGZZZ5NZEW000001"]),
    ],
)
def test_a_number_of_a_device_is_one_in_all_its_writings(
    world: World, scheme: str, one: str, others: list[str]
) -> None:
    world.receive("A-1", identifiers=((scheme, one),))
    for other in others:
        assert world.unit(other)["serial"] == "A-1", other
        for name in (scheme, f"{scheme}2", f"second_{scheme}"):
            (verdict,) = world.receive("B-1", sku="LENS", identifiers=((name, other),))
            assert verdict.code == "DUPLICATE_SERIAL", (name, other)
        assert world.do(Action.MOVE, other, place="WH-A1")[0].accepted
    assert world.receive(one, sku="LENS")[0].code == "DUPLICATE_SERIAL"
    assert world.value("SELECT COUNT(*) FROM unit") == 1


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        ("imei", "490154203237517"),
        ("imei2", "N/A"),
        ("imei", "0"),
        ("meid", "123"),
        ("eid", "89049032123451234512345678901236"),
        ("mac", "00:00:5E:00:53"),
        ("wifi_mac", "00:00:5E:00:53:0G"),
        ("vin", "1M8GDM9AXKP04278"),
    ],
)
def test_a_number_of_a_device_with_a_slip_is_refused(world: World, scheme: str, value: str) -> None:
    assert world.receive("A-1", identifiers=((scheme, value),))[0].code == "INVALID_BARCODE"


def test_a_serial_is_no_other_units_imei_and_an_imei_no_other_units_serial(world: World) -> None:
    world.receive(IMEI, sku="LENS")
    assert world.receive("A-1", identifiers=(("imei", IMEI),))[0].code == "DUPLICATE_SERIAL"
    # Two makers may use one number as a serial, and a unit's serial may be its own IMEI.
    assert world.receive(IMEI, sku="SAW")[0].accepted
    assert world.receive("356938035643809", identifiers=(("imei", "356938035643809"),))[0].accepted
    both = world.receive("C-1", "356938035643817", identifiers=(("imei2", "356938035643817"),))
    assert [each.code for each in both] == [None, "DUPLICATE_SERIAL"]


def test_a_serial_with_its_product_goes_before_further_names(world: World) -> None:
    world.receive("X-1", sku="LENS")
    world.receive("A-1", sku="LENS", identifiers=(("asset", "X-1"),))
    world.receive("B-1", sku="CAM", identifiers=(("asset_tag", "X-1"),))
    unit = world.read(lambda tx: units.find(tx, "X-1", "LENS"))
    assert unit["serial"] == "X-1"
    unit = world.read(lambda tx: units.find(tx, "X-1", "CAM"))
    assert unit["serial"] == "B-1"


@pytest.mark.parametrize(
    ("scheme", "space"),
    [("imei", "imei"), ("imei2", "imei"), ("imei_2", "imei"), ("wifi_mac", "mac"), ("mac1", "mac"),
     ("macro", "macro"), ("vin", "vin"), ("asset", "asset"), ("asset2", "asset2")],
)  # fmt: skip
def test_schemes_of_one_meaning_share_a_name_space(scheme: str, space: str) -> None:
    assert space_of(scheme) == space


# --- Labels of medical devices, envelopes, short codes -------------------------------------------

PRIMARY = hibc("+A123BJC5D6E71")


def test_a_secondary_label_has_a_link_character_that_is_no_part_of_its_serial() -> None:
    for body, serial, lot, expiry in (
        ("+$+SN0001", "SN0001", None, None),
        ("+$LOT7", None, "LOT7", None),
        ("+$$+0928SN1", "SN1", None, "2028-09-30"),
        ("+$$3280930LOT7", None, "LOT7", "2028-09-30"),
        ("+28274LOT7", None, "LOT7", "2028-09-30"),
    ):
        udi = read_hibc(hibc(body + PRIMARY[-1]))
        assert (udi.serial, udi.lot, udi.link) == (serial, lot, PRIMARY[-1])
        assert (udi.expiry.isoformat() if udi.expiry else None) == expiry
        joined = read_hibc(hibc(PRIMARY[:-1] + "/" + body[1:]))
        assert (joined.serial, joined.lot, joined.link) == (serial, lot, None)


@pytest.mark.parametrize("quantity", ["/Q1", "/Q500"])
def test_a_quantity_is_read_over(quantity: str) -> None:
    udi = read_hibc(hibc(f"+A123BJC5D6E71/$+SN0001{quantity}"))
    assert udi.serial == "SN0001"


@given(st.text(st.sampled_from(HIBC_LETTERS), min_size=1, max_size=18))
def test_a_serial_on_a_joined_label_is_read_back(serial: str) -> None:
    if "/" not in serial:
        assert read_hibc(hibc(f"+A123BJC5D6E71/$+{serial}")).serial == serial


@pytest.mark.parametrize(
    "raw", ["]d270072112252112", "]d22421234562112", "]d201040063813339312421234562112"]
)
def test_digits_behind_a_full_element_are_no_serial(raw: str) -> None:
    with pytest.raises(InvalidBarcode, match="separator is missing"):
        barcodes.read(raw)


@pytest.mark.parametrize(
    "raw", ["]d2800304006381333932SER", "(414)4006381333932", "]d28018400638133393100001"]
)
def test_check_digits_of_other_keys_are_checked(raw: str) -> None:
    with pytest.raises(InvalidBarcode, match="check digit"):
        barcodes.read(raw)


@pytest.mark.parametrize(
    ("short", "whole"),
    [("07838604", "00078000003864"), ("01234565", "00012345000065"), ("12345670", "00123456000070"),
     ("07838605", None), ("27838604", None), ("0783860", None)],
)  # fmt: skip
def test_a_upc_e_stands_for_a_gtin(short: str, whole: str | None) -> None:
    assert upc_a(short) == whole


def test_an_envelope_without_its_separators_says_so() -> None:
    with pytest.raises(InvalidBarcode, match="separators"):
        barcodes.read("[)>061PWS-C2960SFOC1234X1Y2")
    read = barcodes.read("[)>\x1e06\x1d1PWS-C2960\x1dSFOC1234X1Y2\x1d16D20260131\x1e\x04")
    assert read.values(Kind.SERIAL, Kind.PRODUCTION_DATE) == ["FOC1234X1Y2", "2026-01-31"]


@pytest.mark.parametrize(
    "raw", ["(10)0(|10)0", "(01)04006381333931(2x)7(21)S1", "(10)A(21", "x(01)04006381333931\x1d"]
)
def test_what_is_no_element_is_passed_over_in_no_code(raw: str) -> None:
    with pytest.raises(InvalidBarcode):
        barcodes._gs1(raw, raw)


@pytest.mark.parametrize(
    "raw",
    [
        "&,10",  # a lot of nothing but what fills it up
        "=/A9999XYZ100T0944=>025366",  # 2025 has 365 days
        "=/A9999XYZ100T0944=>025000",
        "[)>\x1e06\x1dSFOC1\x1d16D2026111\x1e\x04",
        "[)>\x1e06\x1dSFOC1\x1d16D٢٠٢٦١١٣٠\x1e\x04",
        "[)>\x1e06\x1dSFOC1\x1d14D20261301\x1e\x04",
    ],
)
def test_a_date_or_lot_that_is_none_is_refused(raw: str) -> None:
    with pytest.raises(InvalidBarcode):
        barcodes.read(raw)


@pytest.mark.parametrize("raw", ["(10)<GS>0", f"(01){CAM}(21)67<fnc1>89"])
def test_a_separator_inside_an_element_is_refused(raw: str) -> None:
    with pytest.raises(InvalidBarcode, match="separator"):
        barcodes.read(raw)


@pytest.mark.parametrize("secondary", ["+A123BJC5D6E71/$$5281", "+A123BJC5D6E71/$$312311"])
def test_a_date_of_a_hibc_label_has_all_its_digits(secondary: str) -> None:
    with pytest.raises(InvalidBarcode, match="no date"):
        read_hibc(hibc(secondary))


# --- No parser fails, and what is taken prints back to the same content ---------------------------


HEADS = (
    "",
    "]C1",
    "]d2",
    "01" + CAM,
    "(01)" + CAM,
    "+A123",
    "+$",
    "[)>\x1e06\x1d",
    "urn:epc:id:",
    "https://id.gs1.org/01/" + CAM,
    "30",
    "=/",
    "IMEI ",
    "89",
)
TEXTS = st.builds(
    lambda head, rest: head + rest,
    st.sampled_from(HEADS),
    st.text(st.sampled_from("0123456789ABCSQabc()/$+.:-|^{}\x1d\x1e \u20ac\ud7ff"), max_size=30),
)


@given(TEXTS)
def test_no_reading_makes_a_parser_fail(text: str) -> None:
    for parse in (barcodes.read, unit_of, names_of):
        read: Any = parse
        try:
            read(text)
        except InvalidBarcode:
            continue
    keys_of(text)
    for check in (is_imei, is_meid, is_eid, is_mac, is_vin):
        check(text)
    for scheme in ("imei", "mac2", "vin", "eid", "meid", "asset"):
        try:
            form = normalized(scheme, text)
        except InvalidBarcode:
            continue
        assert normalized(scheme, form) == form


SET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


@given(st.text(st.sampled_from(SET_82), min_size=1, max_size=20))
def test_a_serial_of_any_letters_is_read_as_it_was_printed(serial: str) -> None:
    code = unit_of(f"]d201{CAM}21{serial}")
    assert code is not None
    if not re.search(r"<GS>|<FNC1>", serial, re.IGNORECASE):
        assert (code.gtin, code.serial) == (CAM, serial)
    tag = unit_of(epc.of_gtin(CAM, serial, 7).uri)
    assert tag is not None
    assert (tag.gtin, tag.serial) == (CAM, serial)


# --- Other writings of one serial, which nobody announced -----------------------------------------

SAME = (
    ("00:00:5E:00:53:01", "00-00-5e-00-53-01", "0000.5e00.5301", "MAC: 00:00:5e:00:53:01"),
    ("00:00:5E:FF:FE:00:53:01", "0000.5eff.fe00.5301", "00-00-5e-ff-fe-00-53-01"),
    (IMEI, "49015420323751", "49-015420-323751-8",
     f"IMEI (slot 1): {IMEI}", f"IMEI/MEID {IMEI}"),
    ("1M8GDM9AXKP042788", "I1M8GDM9AXKP042788", "*1M8GDM9AXKP042788*", "VIN: 1M8GDM9AXKP042788"),
    ("S80", "S/N S80", "Serial No S80", "SN:S80", "*S80*", "s-80"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("first", "again"),
    [(first, again) for same in SAME for first in same for again in same if first != again],
)
def test_a_serial_in_another_writing_is_no_second_record(
    world: World, first: str, again: str
) -> None:
    (made,) = world.receive(first, sku="LENS")
    assert made.accepted, made
    (refused,) = world.receive(again, sku="LENS")
    assert refused.code == "DUPLICATE_SERIAL"
    assert world.unit(again)["id"] == made.unit_id


@pytest.mark.parametrize(
    "serials",
    [
        ("1000000000000001", "1000000000000002"),  # as an IMEI with its version, they are one
        ("S/NA-1", "NA-1"),
        ("EAN-7", "7"),
        ("A*1", "A1"),
        ("00:00:5E:00:53", "0000 5E00 53"),
    ],
)
def test_serials_that_only_look_like_two_writings_are_two(
    world: World, serials: tuple[str, str]
) -> None:
    assert [each.accepted for each in world.receive(*serials, sku="LENS")] == [True, True]


def test_a_shown_separator_in_front_of_an_element_string_is_none_of_its_signs(world: World) -> None:
    world.receive("S80")
    for lead in ("{GS}", "~1", "|", "<FNC1>", "␝", "{GS}{GS}"):
        (verdict,) = world.receive(f"{lead}01{CAM}21S80", sku="CAM")
        assert verdict.code == "DUPLICATE_SERIAL"
    (plain,) = world.receive("|01-7", sku="CAM")
    assert plain.accepted


@pytest.mark.parametrize(
    "raw",
    ["EAN: 4006381333931", "GTIN-14 04006381333931", "UPC-A: 614141000036", "ean 4006381333931"],
)
def test_a_trade_number_with_its_label_is_no_serial(raw: str) -> None:
    assert barcodes.read(raw).values(Kind.GTIN)
    assert not barcodes.read(raw).values(Kind.TEXT)
    assert barcodes.read("EAN: 4006381333932").values(Kind.TEXT)


@pytest.mark.parametrize(
    "raw", ["(253)4006381333932", "(255)4006381333932123", "(8026)040063813339320102"]
)
def test_check_digits_of_coupons_documents_and_pieces_are_checked(raw: str) -> None:
    with pytest.raises(InvalidBarcode, match="check digit"):
        barcodes.read(raw)


def test_a_broken_number_of_a_device_is_one_broken_reading_of_several(world: World) -> None:
    readings = ["(8002)490154203237517", f"01{CAM}21S9"]
    answer = world.read(lambda tx: capture(tx, readings, purpose=Purpose.RECEIVE))
    assert answer.signal == "warn"  # the other reading is whole
    assert any("IMEI" in each.message for each in answer.findings)
    meid = barcodes.read("(8002)A0000000002329")
    assert meid.values(Kind.MEID) == ["A0000000002329"]
