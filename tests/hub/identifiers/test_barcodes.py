"""Barcodes: the symbology first, then the form, application identifiers last."""

import json
import os
from pathlib import Path

import pytest

from hub.errors import InvalidBarcode
from hub.identifiers import barcodes
from hub.identifiers.barcodes import Barcode, Kind
from hub.identifiers.medical import hibc_check

EXAMPLES = Path(
    os.environ.get("SERIAL_HUB_EXAMPLES", Path(__file__).parents[4] / "shared/examples")
)
GTIN = "09501101020917"


def said(raw: str) -> dict[str, str]:
    return {str(each.kind): each.value for each in barcodes.read(raw).elements}


@pytest.mark.req("R11")
@pytest.mark.req("R12")
@pytest.mark.parametrize(
    "raw",
    [
        f"]C101{GTIN}21SN-1\x1d10LOT",
        f"]d201{GTIN}10LOT\x1d21SN-1",
        f"]Q301{GTIN}10LOT\x1d21SN-1",
        f"\x1d01{GTIN}10LOT\x1d21SN-1",
        f"(01){GTIN}(10)LOT(21)SN-1",
        f"https://id.example.com/01/{GTIN}/10/LOT/21/SN-1",
        f"]Q3https://id.example.com/some/path/01/{GTIN}/10/LOT/21/SN-1?17=271231",
    ],
)
def test_gs1_in_every_carrier_says_the_same(raw: str) -> None:
    told = said(raw)
    assert (told["gtin"], told["serial"], told["lot"]) == (GTIN, "SN-1", "LOT")
    assert barcodes.read(raw).doubt is None


def test_a_gs1_string_without_separators_is_in_doubt() -> None:
    """Trap (a): the lot would be swallowed by the serial, and nobody would notice."""
    assert barcodes.read(f"01{GTIN}21ABC10XYZ").doubt is not None
    assert barcodes.read(f"]C101{GTIN}21ABC10XYZ").doubt is None
    assert barcodes.read(f"]C101{GTIN}").doubt is None


def test_a_plain_ean_is_a_trade_number_and_never_an_application_identifier() -> None:
    """Trap (b): it parses as AI 400, a customer's purchase order number."""
    assert said("4006381333931") == {"gtin": "04006381333931"}
    assert said("]E04006381333931") == {"gtin": "04006381333931"}
    assert said("036000291452") == {"gtin": "00036000291452"}


def test_dates_are_days_and_the_zeroth_is_the_last_of_the_month() -> None:
    assert said(f"]d201{GTIN}17270200")["expiry"] == "2027-02-28"
    assert said(f"]d201{GTIN}11260115")["production_date"] == "2026-01-15"


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        ("490154203237518", Kind.IMEI, "490154203237518"),
        ("IMEI: 49-015420-323751-8", Kind.IMEI, "490154203237518"),
        ("A10000009296F2", Kind.MEID, "A10000009296F2"),
        ("1M8GDM9AXKP042788", Kind.VIN, "1M8GDM9AXKP042788"),
        ("00340123450000000000", Kind.SSCC, "340123450000000000"),
        ("]C100340123450000000000", Kind.SSCC, "340123450000000000"),
        ("]C1800212345678901234", Kind.IMEI, "12345678901234"),
        ("]C18004ASSET-1", Kind.ASSET, "ASSET-1"),
        ("]C1235THIRD-PARTY", Kind.SERIAL, "THIRD-PARTY"),
        ("SN-0001", Kind.TEXT, "SN-0001"),
        ("]C0SN-0001", Kind.TEXT, "SN-0001"),
        ("490154203237519", Kind.TEXT, "490154203237519"),
        ("1M8GDM9A1KP042788", Kind.TEXT, "1M8GDM9A1KP042788"),
    ],
)
def test_every_kind_is_told_from_the_others(raw: str, kind: Kind, value: str) -> None:
    (element,) = barcodes.read(raw).elements
    assert (element.kind, element.value) == (kind, value)


@pytest.mark.req("R156")
def test_a_medical_device_in_the_form_of_hibcc() -> None:
    label = "+A123BJC5D6E71/$$+3271231SN98765/16D20260115"
    told = said(label + hibc_check(label))
    assert told == {
        "device": "HIBCC:A123BJC5D6E71",
        "serial": "SN98765",
        "expiry": "2027-12-31",
        "production_date": "2026-01-15",
    }
    lot = "+A123BJC5D6E71/$$52736510X3"
    assert said(lot + hibc_check(lot))["lot"] == "10X3"
    with pytest.raises(InvalidBarcode, match="check character"):
        barcodes.read(label + ("A" if hibc_check(label) != "A" else "B"))


@pytest.mark.req("R156")
def test_the_published_hibc_example_has_the_published_check_character() -> None:
    assert hibc_check("+A123BJC5D6E71") == "G"
    assert said("+A123BJC5D6E71G") == {"device": "HIBCC:A123BJC5D6E71"}


@pytest.mark.req("R156")
def test_a_medical_device_in_the_form_of_iccbba() -> None:
    label = "=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123"
    assert said(label) == {
        "device": "ICCBBA:A9999XYZ100T0944",
        "serial": "000025",
        "lot": "XYZ123",
        "expiry": "2014-02-01",
        "production_date": "2013-02-01",
        "note": "A999713123456",  # of the donation, which several pieces share
    }


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "   ",
        "]C1",
        "]~1A",
        "]",
        f"]C101{GTIN[:-1]}9",
        "]E04006381333932",
        f"]d201{GTIN}17271332",
        "(01)12345",
        "https://example.com/",
        "=/SHORT",
        "+",
        "x" * 2_001,
    ],
)
def test_what_is_broken_is_refused(raw: str) -> None:
    with pytest.raises(InvalidBarcode):
        barcodes.read(raw)


def vectors(name: str) -> list[dict[str, object]]:
    path = EXAMPLES / "gs1-identifiers" / f"{name}-vectors.json"
    if not path.exists():
        return []
    return [each for each in json.loads(path.read_text()) if each["ok"] and each["expect"]]


def same(read: Barcode, expect: str) -> bool:
    """Compare with the vector's unbracketed string, read as GS1-128 would bring it."""
    return read.elements == barcodes.read("]C1" + expect.strip("^").replace("^", "\x1d")).elements


needs_vectors = pytest.mark.skipif(
    not vectors("digital-link-uri"),
    reason=f"no GS1 vectors in {EXAMPLES}: set SERIAL_HUB_EXAMPLES",
)


# What the vectors allow and this hub refuses, so that nobody takes it for something else.
NOT_TAKEN = {
    "https://a/gtin/12312312312333/ser/ABC123": "words for identifiers left the standard with 1.2",
    "https://a/8004/9520614141234567?01=2112345678900": "a GTIN of 13 digits behind the mark",
    "https://a/8004/9520614141234567?01=02345673": "a GTIN of 8 digits behind the mark",
    "https://example.com/01/09520123456788?99=XYZ&89=ABC123": "AI 89 is not assigned",
}


@needs_vectors
@pytest.mark.parametrize(
    "vector",
    [each for each in vectors("digital-link-uri") if each["input"] not in NOT_TAKEN],
    ids=lambda each: each["input"],
)
def test_the_open_vectors_of_digital_links(vector: dict[str, str]) -> None:
    assert same(barcodes.read(vector["input"]), vector["expect"])


@needs_vectors
@pytest.mark.parametrize(
    "vector",
    # An escaped bracket is no part of what is printed under a barcode.
    [each for each in vectors("bracketed-ai") if "\\" not in str(each["input"])],
    ids=lambda each: each["input"],
)
def test_the_open_vectors_of_bracketed_strings(vector: dict[str, str]) -> None:
    assert same(barcodes.read(vector["input"]), vector["expect"])
