"""EPCs: the same unit as a URI, as a tag's bits and as a GTIN with a serial; sweeps of tags."""

import pytest

from hub import catalogue
from hub.capture.bulk import READS_MAX, Tag, read_tags
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import InvalidBarcode, InvalidInput, UnknownReference
from hub.identifiers import barcodes, epc
from hub.identifiers.barcodes import Kind
from hub.identifiers.epc import Sgtin
from hub.identifiers.names import unit_of
from hub.inbound import receiving
from hub.ledger.arrivals import Arrival
from hub.lifecycle import Action
from hub.vocabulary import CaptureMethod
from world import World

CAM = "04006381333931"  # company prefix 4006381
# Tag Data Standard, sections 6.3.1 and E.3, and a tag of each partition.
VECTORS = [
    ("3074257BF7194E4000001A85", "0614141", "812345", "6789", 3, "80614141123458"),
    *(
        (None, prefix, item, "1", 1, None)
        for prefix, item in (
            ("123456", "0123456"),
            ("1234567", "012345"),
            ("12345678", "01234"),
            ("123456789", "0123"),
            ("1234567890", "012"),
            ("12345678901", "01"),
            ("123456789012", "0"),
        )
    ),
]


def uri(serial: str) -> str:
    return epc.of_gtin(CAM, serial, 7).uri


def tag(serial: str) -> str:
    return epc.encode(epc.of_gtin(CAM, serial, 7))


@pytest.mark.req("R13")
@pytest.mark.parametrize(("digits", "prefix", "item", "serial", "filter_value", "gtin"), VECTORS)
def test_a_tag_says_the_same_in_bits_and_as_a_uri(
    digits: str | None, prefix: str, item: str, serial: str, filter_value: int, gtin: str | None
) -> None:
    sgtin = Sgtin(prefix, item, serial, filter_value)
    written = epc.encode(sgtin)
    assert digits in {None, written}
    assert epc.read(written) == epc.read(written.lower()) == sgtin
    assert epc.read(f"urn:epc:tag:sgtin-96:{filter_value}.{prefix}.{item}.{serial}") == sgtin
    pure = epc.read(sgtin.uri)
    assert (pure.prefix, pure.item, pure.serial) == (prefix, item, serial)
    assert gtin in {None, sgtin.gtin}
    assert epc.of_gtin(sgtin.gtin, serial, len(prefix)) == pure


@pytest.mark.req("R13")
def test_a_tag_of_198_bits_holds_letters() -> None:
    # Tag Data Standard, section E.3: SGTIN-198 of 0614141.712345.32a/b.
    sgtin = epc.read("3674257BF6B7A659B2C2BF1000000000000000000000000000")
    assert (sgtin.prefix, sgtin.item, sgtin.serial, sgtin.filter) == (
        "0614141", "712345", "32a/b", 3,
    )  # fmt: skip
    assert sgtin.uri == "urn:epc:id:sgtin:0614141.712345.32a%2Fb"
    assert epc.read(sgtin.uri).serial == "32a/b"
    assert epc.read("urn:epc:tag:sgtin-198:3.0614141.712345.32a%2Fb") == sgtin


@pytest.mark.parametrize(
    "text",
    [
        "urn:epc:id:sscc:0614141.1234567890",
        "urn:epc:id:sgtin:0614141.81234.6789",  # twelve digits
        "urn:epc:id:sgtin:0614141.812345.",
        "urn:epc:id:sgtin:0614141.812345.%00",
        "urn:epc:tag:sgtin-96:3.0614141.812345.0001",
        "urn:epc:tag:sgtin-96:3.0614141.812345.274877906944",
        "305C257BF7194E4000001A85",  # partition 7
        f"{int('001100000000000' + '1' * 81, 2):024X}",  # a prefix of thirteen digits
    ],
)
def test_an_epc_that_names_no_unit_is_refused(text: str) -> None:
    with pytest.raises(InvalidBarcode):
        epc.read(text)


def test_what_no_tag_can_hold_is_not_written() -> None:
    for sgtin in (
        Sgtin("0614141", "812345", "A1"),
        Sgtin("0614141", "812345", "1", 8),
        Sgtin("0614141", "81234", "1"),
    ):
        with pytest.raises(InvalidBarcode):
            epc.encode(sgtin)
    with pytest.raises(InvalidBarcode):
        epc.of_gtin(CAM, "1", 5)
    with pytest.raises(InvalidBarcode):
        epc.decode("no tag")


@pytest.mark.req("R11", "R12", "R13")
def test_a_barcode_a_two_dimensional_code_and_a_tag_say_the_same() -> None:
    for read in (
        f"]C101{CAM}216789",  # GS1-128
        f"]d201{CAM}216789",  # GS1 DataMatrix
        f"]Q301{CAM}216789",  # GS1 QR code
        f"https://id.gs1.org/01/{CAM}/21/6789",
        uri("6789"),
        tag("6789"),
    ):
        barcode = barcodes.read(read)
        assert (barcode.values(Kind.GTIN), barcode.values(Kind.SERIAL)) == ([CAM], ["6789"])
    assert unit_of("https://example.com/page") is None
    assert unit_of(f"https://id.gs1.org/01/{CAM}") is None


def swept(world: World, *reads: str, product: str | None = None) -> list[Tag]:
    return world.read(lambda tx: read_tags(tx, reads, product=product))


@pytest.mark.req("R13")
def test_a_sweep_tells_every_tag_once(world: World) -> None:
    world.receive("6789", "77")
    world.receive("LENS-1", sku="LENS")
    other = "urn:epc:id:sgtin:0614141.812345.6789"
    broken = "urn:epc:id:sgtin:1"
    tags = swept(
        world, tag("6789"), uri("6789"), tag("6789"), uri("5"), other, broken, "lens 1", "NOBODY"
    )
    assert [(each.read, each.times, each.code, each.sku) for each in tags] == [
        (tag("6789"), 3, "ok", "CAM"),
        (uri("5"), 1, "unknown_unit", "CAM"),
        (other, 1, "unknown_product", None),
        (broken, 1, "broken_barcode", None),
        ("lens 1", 1, "ok", "LENS"),
        ("NOBODY", 1, "unknown_unit", None),
    ]
    wrong = swept(world, uri("6789"), "LENS-1", product="LENS")
    assert [each.code for each in wrong] == ["product_mismatch", "ok"]
    world.receive("77", sku="SAW")
    assert [each.code for each in swept(world, "77", uri("77"))] == ["several_serials", "ok"]
    with pytest.raises(UnknownReference):
        swept(world, "77", product="NONE")
    for reads in ([], ["77"] * (READS_MAX + 1)):
        with pytest.raises(InvalidInput):
            swept(world, *reads)


@pytest.mark.req("R13", "R9")
def test_a_tag_is_received_and_moved_as_it_was_read(world: World) -> None:
    arrivals = [
        Arrival(serial=tag("6789")),
        Arrival(serial=uri("5"), product="CAM"),
        Arrival(serial=uri("6"), product="LENS"),
        Arrival(serial="urn:epc:id:sgtin:0614141.812345.6789"),
        Arrival(serial="urn:epc:id:sgtin:1"),
        Arrival(serial=uri("6789"), product=CAM),
    ]
    verdicts = world.write(
        lambda tx: receiving.receive(
            Work(tx, world.context(captured_by=CaptureMethod.RFID), new_id()), arrivals,
            catalogue.location(tx, "WH"), put_away=True,
        )
    )  # fmt: skip
    assert [each.code for each in verdicts] == [
        None, None, "INVALID_BARCODE", "UNKNOWN_REFERENCE", "INVALID_BARCODE", "DUPLICATE_SERIAL",
    ]  # fmt: skip
    assert world.unit("6789")["id"] == world.unit(uri("6789"))["id"] == verdicts[0].unit_id
    assert [event["captured_by"] for event in world.history("6789")] == ["rfid", "rfid"]
    world.receive("6789", sku="SAW")  # a saw of the same serial: the tag names the product
    moved = world.do(Action.MOVE, tag("6789"), uri("9"), "urn:epc:id:sgtin:1", place="WH-A1")
    assert [each.code for each in moved] == [None, "UNKNOWN_UNIT", "INVALID_BARCODE"]
    assert world.unit(tag("6789"))["location_code"] == "WH-A1"


@pytest.mark.req("R13")
def test_a_sweep_of_twenty_thousand_reads_is_told(world: World) -> None:
    world.receive(*(str(number) for number in range(1, 1_001)))
    reads = [tag(str(number % 2_000 + 1)) for number in range(READS_MAX)]
    tags = swept(world, *reads)
    assert (len(tags), {each.times for each in tags}) == (2_000, {10})
    assert sum(each.code == "ok" for each in tags) == 1_000
