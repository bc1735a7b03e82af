"""Labels with several codes in one reading: every way in reads all of them, and loses none."""

import itertools
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import imports
from hub.capture import capture
from hub.capture.answers import Capture, CaptureCode, Purpose
from hub.capture.bulk import read_tags
from hub.errors import InvalidBarcode
from hub.identifiers import barcodes
from hub.identifiers.names import names_of, unit_of
from hub.imports import Plan
from hub.lifecycle import Action
from world import World

CAM = "04006381333931"
ONE, TWO = "490154203237518", "353879234252633"
VIN = "1M8GDM9AXKP042788"
MAC = "00:00:5E:00:53:01"
PARTS = (f"IMEI1: {ONE}", f"imei2: {TWO}", "S/N: AB-12", f"Wi-Fi MAC: {MAC}")
LABELS = (
    "\n".join(PARTS),
    "; ".join(PARTS[::-1]),
    ",".join(PARTS),
    " ".join(PARTS),
    "|".join(each.upper() for each in PARTS),
    f"]Q1{';'.join(PARTS)};MODEL: X-1;Colour: black",
    f'{{"imei1":"{ONE}","imei2":"{TWO}","serial":"AB-12","WLAN_MAC":"{MAC}"}}'.replace(
        "WLAN_", "WLAN "
    ),
    f"(01){CAM}(21)AB-12\nIMEI1: {ONE}\nIMEI2: {TWO}\nWLAN MAC: {MAC}",
    f"EAN: 4006381333931 SN: AB-12 IMEI: 49-015420-323751-8 IMEI 2: {TWO} WIFI MAC: 0000.5e00.5301",
)
NUMBERS = {("imei", ONE), ("imei2", TWO), ("wifi_mac", "00005E005301")}


def judged(world: World, *readings: str, **more: Any) -> Capture:
    return world.read(lambda tx: capture(tx, readings, **more))


def names(world: World) -> set[tuple[str, str]]:
    rows = world.rows("SELECT scheme, canonical FROM identifier")
    return {(row["scheme"], row["canonical"]) for row in rows}


@pytest.mark.parametrize("label", LABELS)
def test_a_label_is_received_with_all_its_numbers(world: World, label: str) -> None:
    said = judged(world, label, purpose=Purpose.RECEIVE, product="CAM")
    assert (said.code, said.parts.serial) == (CaptureCode.OK, "AB-12")
    assert {each[0] for each in said.parts.identifiers} == {"imei", "imei2", "wifi_mac"}
    (verdict,) = world.receive(label)
    assert verdict.accepted, verdict.message
    assert world.value("SELECT serial FROM unit") == "AB-12"
    assert names(world) == NUMBERS


@pytest.mark.parametrize("label", LABELS)
def test_every_way_in_finds_the_unit_of_a_label(world: World, label: str) -> None:
    world.receive("AB-12", identifiers=tuple(NUMBERS))
    assert world.unit(label)["serial"] == "AB-12"
    found = judged(world, label, purpose=Purpose.FIND)
    assert (found.code, found.unit and found.unit["serial"]) == (CaptureCode.OK, "AB-12")
    (tag,) = world.read(lambda tx: read_tags(tx, [label]))
    assert tag.code == "ok"
    assert world.receive(label)[0].code == "DUPLICATE_SERIAL"
    assert world.do(Action.MOVE, label, place="WH-A1")[0].accepted
    assert world.value("SELECT COUNT(*) FROM unit") == 1


def test_any_number_of_a_label_finds_the_unit(world: World) -> None:
    world.receive("K-1", identifiers=(("imei", TWO),))
    assert world.unit(f"IMEI1: {ONE}, IMEI2: {TWO}")["serial"] == "K-1"
    assert world.unit(f"{TWO}\n{ONE}")["serial"] == "K-1"


@pytest.mark.parametrize(
    ("label", "serial", "further"),
    [
        (f"VIN:{VIN},IMEI:{ONE}", VIN, {("imei", ONE)}),
        (f"imei {ONE} vin {VIN}", VIN, {("imei", ONE)}),
        (f"{ONE}\t{VIN}", VIN, {("imei", ONE)}),
        (f"{ONE} / {TWO}", TWO, {("imei", ONE)}),
        (f"IMEI1:{ONE};IMEI2:{TWO}", ONE, {("imei2", TWO)}),
        (f"MEID: {ONE[:14]} IMEI: {ONE} SN: Q", "Q", {("imei", ONE)}),
        (f"ICCID: 8944 5001 0203 0405 069, IMEI: {ONE}", ONE, {("iccid", "8944500102030405069")}),
        (f"01{CAM}21S90\x1d8002{ONE}", "S90", {("imei", ONE)}),
    ],
)
def test_without_a_serial_the_surest_number_is_it(
    world: World, label: str, serial: str, further: set[tuple[str, str]]
) -> None:
    assert world.receive(label)[0].accepted
    assert world.value("SELECT serial FROM unit") == serial
    assert names(world) == further
    assert world.unit(label)["serial"] == serial


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (f"IMEI1:{ONE};IMEI1:{TWO}", "two numbers 1"),
        (f"SN:A1;SN:A2;IMEI:{ONE}", "two of one kind"),
        (f"VIN:{VIN} VIN:WVGZZZ5NZEW000001", "two of one kind"),
        (f"(01){CAM}(21)S90\nS/N: S91", "two of one kind"),
        ("EAN: 4006381333931, EAN: 12345670, SN: 1", "two of one kind"),
        ("IMEI:490154203237517;SN:A", "is no IMEI"),
        (f"SN: A,B; IMEI: {ONE}", "cannot be read"),
        (f"GALAXY IMEI: {ONE} SN: 7", "cannot be read"),
        (f"IMEI: {ONE}, ICCID: 12345", "is no ICCID"),
        (f"IMEI: {ONE} SN: ", "nothing was read"),
    ],
)
def test_a_label_that_contradicts_itself_is_refused_whole(
    world: World, label: str, why: str
) -> None:
    (verdict,) = world.receive(label)
    assert (verdict.code, why in str(verdict.message)) == ("INVALID_BARCODE", True), verdict.message
    with pytest.raises(InvalidBarcode, match=why):
        world.unit(label)
    said = judged(world, label, purpose=Purpose.RECEIVE, product="CAM")
    assert (said.signal, said.code) == ("refuse", CaptureCode.BROKEN_BARCODE)
    assert world.value("SELECT COUNT(*) FROM unit") == 0


def test_numbers_of_two_units_on_one_label_are_refused_everywhere(world: World) -> None:
    world.receive("A-1", identifiers=(("imei", ONE),))
    world.receive("B-1", identifiers=(("imei", TWO),))
    label = f"SN: A-1; IMEI: {TWO}"
    with pytest.raises(InvalidBarcode, match=r"of several units, A-1 .*, B-1"):
        world.unit(label)
    assert judged(world, label, purpose=Purpose.FIND).signal == "refuse"
    (tag,) = world.read(lambda tx: read_tags(tx, [label]))
    assert (tag.code, tag.unit) == (CaptureCode.CONTRADICTION, None)
    assert world.do(Action.MOVE, label, place="WH-A1")[0].code == "INVALID_BARCODE"
    assert world.receive(label)[0].code == "DUPLICATE_SERIAL"


def test_a_serial_that_is_not_the_units_is_no_name_of_it(world: World) -> None:
    world.receive("A-1", identifiers=(("imei", ONE),))
    label = f"SN: A-2; IMEI: {ONE}"
    with pytest.raises(InvalidBarcode, match="the unit with its other numbers is A-1"):
        world.unit(label)
    found = judged(world, label, purpose=Purpose.FIND)
    assert (found.signal, found.code) == ("refuse", CaptureCode.CONTRADICTION)


def test_a_number_settles_which_of_two_serials_alike_is_meant(world: World) -> None:
    world.receive("0001")
    world.receive("0001", sku="LENS", identifiers=(("imei", ONE),))
    assert world.unit(f"S/N: 0001, IMEI: {ONE}")["sku"] == "LENS"


@pytest.mark.parametrize(
    "stated", [{"lot": "L-2"}, {"identifiers": (("vin", "WVGZZZ5NZEW000001"),)}]
)
def test_what_is_stated_beside_a_label_must_not_contradict_it(
    world: World, stated: dict[str, Any]
) -> None:
    (verdict,) = world.receive(f"SN: A-1; LOT: L-1; VIN: {VIN}", **stated)
    assert verdict.code == "INVALID_BARCODE"
    assert "is stated" in str(verdict.message)


def test_what_only_one_of_both_says_is_kept(world: World) -> None:
    day = date(2027, 3, 1)
    assert world.receive(f"01{CAM}21S-1", lot="L-1", expires_on=day)[0].accepted
    assert world.receive(f"01{CAM}10L-2\x1d21S-2")[0].accepted
    assert world.receive(f"01{CAM}10L-3\x1d21S-3", lot="L-3")[0].accepted
    assert [world.unit(f"S-{each}")["lot"] for each in (1, 2, 3)] == ["L-1", "L-2", "L-3"]
    assert world.unit("S-1")["expires_on"] == "2027-03-01"


def test_two_readings_that_contradict_each_other_are_refused(world: World) -> None:
    vins = (f"VIN: {VIN}", "VIN: 1HGCM82633A004352")
    said = judged(world, "S/N: A-1", *vins, purpose=Purpose.RECEIVE, product="CAM")
    assert (said.signal, said.code) == ("refuse", CaptureCode.CONTRADICTION)


def test_an_import_reads_labels_and_keeps_one_number_to_one_row(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f'serial,sku\n"IMEI: {ONE}; SN: A-1",CAM\n"SN: A-2; IMEI: {ONE}",CAM\n')
    context = world.context()
    run = imports.begin(world.database, context, path, Plan(location="WH"))
    run = imports.carry_out(world.database, context, run)
    assert (run.accepted, run.refused) == (1, 1)
    codes = world.read(lambda tx: imports.rows_of(tx, run.id, first=9, after=None))
    assert [row["code"] for row in codes] == [None, "DUPLICATE_IN_FILE"]


@pytest.mark.parametrize(
    "serial",
    [
        "SN 12, rev 3",
        "TYPE 7 MODEL X",
        "12345670 12345670",
        "VMware-56 4d 00 00",
        "A,B;C",
        "VIN DIESEL 7",
    ],
)
def test_a_text_without_two_codes_is_a_serial_like_others(world: World, serial: str) -> None:
    assert world.receive(serial, sku="LENS")[0].accepted
    assert world.value("SELECT COUNT(*) FROM identifier") == 0
    assert world.unit(serial)["sku"] == "LENS"


WORDS = st.sampled_from(["IMEI", "imei2", "S/N", "VIN", "Mac", "Color", "EID", "meid", "LOT"])
VALUES = st.sampled_from([ONE, TWO, VIN, MAC, "AB-12", "", " ", "35 387923 425263 3", CAM])
SIGNS = st.sampled_from([":", " ", "=", ": ", "#", ""])
BREAKS = st.sampled_from([",", ";", "\n", " ", "|", ", ", "/"])


@given(st.lists(st.tuples(WORDS, SIGNS, VALUES, BREAKS), min_size=1, max_size=5))
def test_no_label_makes_the_parsers_fail_and_its_order_does_not_count(
    parts: list[tuple[str, str, str, str]],
) -> None:
    try:
        one = unit_of("".join(itertools.chain.from_iterable(parts)))
        names_of("".join(itertools.chain.from_iterable(parts)))
    except InvalidBarcode:
        return
    whole = all(each[1].strip() and each[2].strip() and each[3].strip(" /") for each in parts)
    if whole and one is not None and one.identifiers:
        turned = unit_of("".join(itertools.chain.from_iterable(parts[::-1])))
        assert turned is not None
        assert (turned.serial, turned.identifiers) == (one.serial, one.identifiers)


def test_a_whole_label_is_read_once() -> None:
    barcode = barcodes.read(LABELS[0])
    assert (barcode.form, len(barcode.elements)) == ("composite", 4)
