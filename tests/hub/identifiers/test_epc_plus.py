"""Tags of the newer kind (SGTIN+, DSGTIN+) and raw URIs: read whole or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.capture.bulk import read_tags
from hub.errors import InvalidBarcode
from hub.identifiers import barcodes, epc, epc_plus
from hub.identifiers.names import names_of, unit_of
from world import World

CAM = "04006381333931"
CODE40 = "\x00ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:0123456789"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def word40(word: str) -> int:
    one, two, three = (CODE40.index(sign) for sign in word)
    return one * 1600 + two * 40 + three + 1


def text_bits(text: str, encoding: int) -> str:
    """Write a text as section 14.5.6 of the standard has it."""
    if encoding == 0:
        width = len(bin(10 ** len(text) - 1)) - 2
        body = f"{int(text):0{width}b}"
    elif encoding in {1, 2}:
        body = "".join(f"{int(each, 16):04b}" for each in text)
    elif encoding == 3:
        body = "".join(f"{BASE64.index(each):06b}" for each in text)
    elif encoding == 4:
        body = "".join(f"{ord(each):07b}" for each in text)
    else:
        padded = text + "\x00" * (-len(text) % 3)
        words = [padded[place : place + 3] for place in range(0, len(padded), 3)]
        body = "".join(f"{word40(word):016b}" for word in words)
    return f"{encoding:03b}{len(text):05b}{body}"


def tag(
    serial: str,
    encoding: int,
    *,
    gtin: str = CAM,
    more: str = "",
    dated: str = "",
    filter_: int = 1,
) -> str:
    header = f"{0xFB if dated else 0xF7:08b}{int(bool(more))}{filter_:03b}{dated}"
    bits = (
        header + "".join(f"{int(each):04b}" for each in gtin) + text_bits(serial, encoding) + more
    )
    bits += "0" * (-len(bits) % 16)
    return f"{int(bits, 2):0{len(bits) // 4}X}"


def day(year: int, month: int, day_: int) -> str:
    return f"{year:07b}{month:04b}{day_:05b}"


TAGS = [
    tag("6789", 0), tag("6789", 1), tag("6789", 2), tag("6789", 3), tag("6789", 4), tag("6789", 5),
    tag("6789", 0).lower(),
    tag("6789", 0, dated="0100" + day(27, 12, 31)),
    tag("6789", 0, more=f"00010111{day(27, 12, 31)}00010000{text_bits('LOT-7', 5)}"),
]  # fmt: skip


@pytest.mark.parametrize("digits", TAGS)
def test_every_encoding_is_the_same_unit(world: World, digits: str) -> None:
    assert world.receive(digits, sku="")[0].accepted
    unit = world.unit(digits)
    assert (unit["serial"], unit["sku"]) == ("6789", "CAM")
    (seen,) = world.read(lambda tx: read_tags(tx, [digits]))
    assert (seen.code, seen.serial, seen.gtin) == ("ok", "6789", CAM)
    assert world.receive("6789")[0].code == "DUPLICATE_SERIAL"
    assert world.unit(f"https://id.gs1.org/01/{CAM}/21/6789")["id"] == unit["id"]


def test_what_stands_behind_the_epc_is_read_too(world: World) -> None:
    world.receive(TAGS[-1])
    unit = world.unit("6789")
    assert (unit["lot"], unit["expires_on"]) == ("LOT-7", "2027-12-31")
    dated = unit_of(tag("1", 0, dated="0100" + day(27, 12, 31)))
    assert dated is not None
    assert dated.expires_on == "2027-12-31"


@pytest.mark.parametrize(
    ("digits", "why"),
    [
        (tag("6789", 0, gtin="04006381333932"), "check digit"),
        (tag("6789", 0, more="00110001" + "1" * 24), "element 31"),
        (tag("6789", 0)[:-4] + "FFFF", "ends too soon|behind its serial|length"),
        (tag("6789", 0, dated="0100" + day(27, 13, 31)), "date"),
        (tag("6789", 0, more=f"00010111{day(27, 12, 31)}00010111{day(27, 12, 30)}"), "twice"),
        (tag("A" * 20, 5)[:-4], "ends too soon|of another length"),
    ],
)
def test_a_tag_that_is_not_whole_is_refused(world: World, digits: str, why: str) -> None:
    with pytest.raises(InvalidBarcode, match=why):
        epc_plus.decode(digits)
    with pytest.raises(InvalidBarcode):
        unit_of(digits)
    # ... but the same digits are a serial like others of a product that is named.
    assert world.receive(digits, sku="LENS")[0].accepted
    assert world.unit(digits)["serial"] == digits


def test_a_raw_uri_is_the_tag_that_it_holds() -> None:
    digits = epc.encode(epc.of_gtin(CAM, "6789", 7))
    for form in (f"urn:epc:raw:96.x{digits}", f"URN:EPC:RAW:96.X{digits.lower()}"):
        code = unit_of(form)
        assert code is not None
        assert (code.gtin, code.serial, code.is_certain) == (CAM, "6789", True)
        assert barcodes.read(form).form == "epc"
    plus = tag("6789", 4)
    assert unit_of(f"urn:epc:raw:{len(plus) * 4}.x{plus}") is not None
    with pytest.raises(InvalidBarcode, match="another length"):
        unit_of(f"urn:epc:raw:64.x{digits}")


def test_a_tag_of_198_bits_holds_nothing_behind_its_serial() -> None:
    digits = epc.encode(epc.of_gtin(CAM, "6789", 7))
    head = f"{int(digits, 16):096b}"[8:58]
    serial = "".join(f"{ord(each):07b}" for each in "A-1").ljust(140, "0")
    bits = f"{0x36:08b}{head}{serial}"
    whole = f"{int(bits.ljust(208, '0'), 2):052X}"
    code = unit_of(whole)
    assert code is not None
    assert (code.gtin, code.serial) == (CAM, "A-1")
    with pytest.raises(InvalidBarcode, match="more than a serial"):
        epc.decode(f"{int(bits.ljust(208, '1'), 2):052X}")


@given(st.text("0123456789ABCDEF", min_size=12, max_size=40))
def test_no_digits_make_the_parser_fail(rest: str) -> None:
    for header in ("F7", "FB"):
        digits = (header + rest)[: (len(rest) + 2) // 4 * 4]
        try:
            found = unit_of(digits)
            names_of(digits)
        except InvalidBarcode:
            continue
        assert found is None or found.gtin is not None
