"""Labels: what we print is what our own firewall reads."""

import base64
import struct
import zlib
from datetime import date
from typing import Any
from xml.etree import ElementTree

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from hub import catalogue
from hub.capture import capture
from hub.capture.answers import Purpose, Signal
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.identifiers import labels
from hub.identifiers.barcodes import read
from hub.identifiers.labels import LabelFormat, unit_label
from hub.identifiers.numbers import canonical, skeleton
from hub.inbound.receiving import Arrival, receive
from hub.storage.sql import Row, Transaction
from world import World

GTIN = "04006381333931"


def arrive(world: World, serial: str, sku: str = "CAM", lot: str | None = None) -> Row:
    def work(tx: Transaction) -> None:
        arrival = Arrival(serial=serial, product=sku, lot=lot, expires_on=date(2030, 1, 31))
        place = catalogue.location(tx, "WH")
        (verdict,) = receive(Work(tx, world.context(), new_id()), [arrival], place)
        assert verdict.accepted

    world.write(work)
    return world.unit(serial)


@pytest.mark.req("R32")
@pytest.mark.parametrize("serial", ["SN-1", "A/1%2", "x_y(z)", "L" * 21, "GRÖẞE-1", "A~B^C"])
@pytest.mark.parametrize("sku", ["CAM", "LENS"])
def test_the_code_on_a_label_finds_its_unit(world: World, serial: str, sku: str) -> None:
    unit = arrive(world, serial, sku, lot="L-7")
    label = unit_label(unit, LabelFormat.SVG_QR)
    answer = world.read(lambda tx: capture(tx, [label.content], purpose=Purpose.FIND))
    assert answer.signal is Signal.ACCEPT
    assert answer.unit is not None
    assert answer.unit["id"] == unit["id"]


@pytest.mark.req("R32")
def test_a_unit_with_a_gtin_is_labelled_as_gs1_says(world: World) -> None:
    label = unit_label(arrive(world, "SN-1", lot="L7"), LabelFormat.ZPL_DATAMATRIX)
    assert label.content == f"https://id.gs1.org/01/{GTIN}/10/L7/21/SN-1?17=300131"
    assert label.element_string == f"(01){GTIN}(10)L7(21)SN-1(17)300131"
    assert f"^FD_101{GTIN}1730013110L7_121SN-1^FS" in label.body
    printed = f"\x1d01{GTIN}1730013110L7\x1d21SN-1"
    assert {each.value for each in read(printed).elements} == {GTIN, "L7", "SN-1", "2030-01-31"}


@pytest.mark.req("R32")
def test_a_unit_without_a_gtin_is_labelled_with_its_internal_id(world: World) -> None:
    unit = arrive(world, "SN-1", "LENS")
    label = unit_label(unit, LabelFormat.ZPL_DATAMATRIX)
    assert (label.content, label.element_string) == (unit["id"], None)
    assert f"^FD{unit['id']}^FS" in label.body
    assert label.lines == ("Lens", "SKU LENS", "S/N SN-1")


@pytest.mark.req("R32", "R212")
@pytest.mark.parametrize(("serial", "sku"), [("SN-1", "CAM"), ("x_y(z)", "CAM"), ("SN-1", "LENS")])
def test_a_datamatrix_is_read_by_a_scanner_that_is_not_ours(
    world: World, serial: str, sku: str
) -> None:
    unit = arrive(world, serial, sku, lot="L7")
    label = unit_label(unit, LabelFormat.PNG_DATAMATRIX)
    png = base64.b64decode(label.body.partition(",")[2])
    (seen,) = zxingcpp.read_barcodes(picture(png))
    is_gs1 = sku == "CAM" and "(" not in serial
    assert seen.symbology_identifier == ("]d2" if is_gs1 else "]d1")
    text = seen.bytes.decode() if is_gs1 else label.content
    assert seen.bytes.decode() == text
    answer = world.read(
        lambda tx: capture(tx, [f"{seen.symbology_identifier}{text}"], purpose=Purpose.FIND)
    )
    assert answer.unit is not None
    assert answer.unit["id"] == unit["id"]
    svg = ElementTree.fromstring(unit_label(unit, LabelFormat.SVG_DATAMATRIX).body)
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"


def picture(png: bytes) -> Any:
    """Read a grey PNG as an array of bytes, chunk by chunk, checking each sum."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + data)
        chunks[kind] = data
        at += 12 + length
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    lines = zlib.decompress(chunks[b"IDAT"])
    rows = [lines[n * (width + 1) + 1 : (n + 1) * (width + 1)] for n in range(height)]
    return memoryview(b"".join(rows)).cast("B", (height, width))


@pytest.mark.req("R33")
def test_a_label_is_printed_again_without_a_new_unit_or_event(world: World) -> None:
    unit = arrive(world, "SN-1")
    events = len(world.history("SN-1"))
    first = [unit_label(unit, form) for form in LabelFormat]
    assert [unit_label(world.unit("SN-1"), form) for form in LabelFormat] == first
    assert world.value("SELECT COUNT(*) FROM unit") == 1
    assert len(world.history("SN-1")) == events


def test_every_format_is_what_it_says(world: World) -> None:
    unit = arrive(world, "SN_1^")
    drawn = {form: unit_label(unit, form) for form in LabelFormat}
    svg = ElementTree.fromstring(drawn[LabelFormat.SVG_QR].body)
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawn[LabelFormat.PNG_QR].body.startswith("data:image/png;base64,iVBOR")
    zpl = drawn[LabelFormat.ZPL]
    assert (zpl.body[:3], zpl.body[-3:], zpl.media_type) == ("^XA", "^XZ", "application/zpl")
    assert "S/N SN_5F1_5E^FS" in zpl.body


def test_a_long_name_is_cut_for_the_printer() -> None:
    unit = {
        "id": new_id(), "gtin": None, "serial": "~" * 60, "sku": "S", "lot": None,
        "product_name": "N" * 60, "expires_on": None,
    }  # fmt: skip
    label = unit_label(unit, LabelFormat.ZPL)
    assert [len(line) for line in label.lines] == [40, 5, 40]
    assert "_7E_7E" in label.body


@pytest.mark.req("R32")
@given(st.integers(1, 50))
def test_own_serials_are_plain_and_nobodys_look_alikes(count: int) -> None:
    made = labels.own_serials(count)
    assert len(set(made)) == count
    for serial in made:
        assert skeleton(serial) == canonical(serial) == serial
        assert read(serial).form == "plain"


def test_own_serials_are_counted() -> None:
    for count in (0, labels.SERIALS_MAX + 1):
        with pytest.raises(InvalidInput):
            labels.own_serials(count)
