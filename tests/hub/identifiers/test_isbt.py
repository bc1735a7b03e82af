"""ISBT 128: donations, products and their divisions, compound messages; read whole or refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.capture import capture
from hub.capture.answers import Purpose
from hub.capture.bulk import read_tags
from hub.errors import InvalidBarcode
from hub.identifiers import barcodes
from hub.identifiers.isbt import check_character, read_isbt
from hub.identifiers.names import names_of, unit_of
from world import World

DIN = "W000019123456"
CHECK = check_character(DIN)
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
FLAGS = f"{60 + ALPHABET.index(CHECK)}"


def said(raw: str) -> dict[str, str]:
    return {str(each.kind): each.value for each in barcodes.read(raw).elements}


def test_the_check_character_is_that_of_iso_7064() -> None:
    assert check_character("G123498654321") == "H"
    assert check_character("A999914123458") == "J"


@pytest.mark.parametrize(
    "label",
    [f"={DIN}00", f"={DIN}{FLAGS}", f"W0000 19 123456 {CHECK}", f"W0000 19 123456 00 {CHECK}"],
)
def test_a_donation_is_one_serial_in_all_its_writings(world: World, label: str) -> None:
    assert world.receive(label)[0].accepted
    assert world.value("SELECT serial FROM unit") == DIN
    for other in (f"={DIN}00", DIN, "W0000 19 123456", f"={DIN}{FLAGS}"):
        assert world.unit(other)["serial"] == DIN
        assert world.receive(other)[0].code == "DUPLICATE_SERIAL"
        (tag,) = world.read(lambda tx, other=other: read_tags(tx, [other]))  # type: ignore[misc]
        assert tag.code == "ok"


def test_a_component_is_named_by_donation_and_division(world: World) -> None:
    one, two = f"={DIN}00=<E0791VA0=>026341", f"={DIN}00=<E0791VB0=>026341"
    assert said(one) == {
        "serial": f"{DIN}-A0",
        "device": "ICCBBA:E0791",
        "expiry": "2026-12-07",
    }
    assert all(world.receive(each)[0].accepted for each in (one, two))
    assert world.unit(one)["expires_on"] == "2026-12-07"
    assert world.unit(two)["serial"] == f"{DIN}-B0"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (f"={DIN}00=<E0791V00", {"serial": DIN, "device": "ICCBBA:E0791"}),
        (f"=+03000={DIN}00=%5100=<E0791V00&>0263412359",
         {"serial": DIN, "device": "ICCBBA:E0791", "expiry": "2026-12-07"}),
        (f"={DIN}00&*0260010800=}}026001", {"serial": DIN, "production_date": "2026-01-01"}),
        (f"={DIN}00=,000002", {"serial": f"{DIN}-000002"}),
        ("=<E0791V00", {"device": "ICCBBA:E0791"}),
    ],
)  # fmt: skip
def test_messages_are_read_to_their_end(label: str, expected: dict[str, str]) -> None:
    if label.startswith("=+"):
        label = label.replace("=+03", "=+04")
    assert said(label) == expected


@pytest.mark.parametrize(
    "label",
    [
        f"={DIN}0",  # a flag is missing
        f"={DIN}00=<E0791",
        f"={DIN}00=(123",  # a structure that is not read
        f"={DIN}00 ",  # ... is not this: blanks around are cut
        f"={DIN}00=>026366",  # 2026 has 365 days
        f"={DIN}00&>0263412460",
        f"=+03000={DIN}00=<E0791V00",  # one part was lost
        f"={DIN}00=W00001912345700",  # of two donations
        f"={DIN}{int(FLAGS) - 1 if int(FLAGS) > 60 else int(FLAGS) + 1}",
    ],
)
def test_what_is_not_whole_is_refused(label: str) -> None:
    if label.endswith(" "):
        assert said(label) == {"serial": DIN}
        return
    with pytest.raises(InvalidBarcode):
        barcodes.read(label)


def test_a_printed_number_with_a_wrong_check_character_is_no_donation(world: World) -> None:
    wrong = ALPHABET[(ALPHABET.index(CHECK) + 1) % 37]
    text = f"W0000 19 123456 {wrong}"
    assert unit_of(text) is None
    answer: Any = world.read(
        lambda tx: capture(tx, [text], purpose=Purpose.RECEIVE, product="LENS")
    )
    assert answer.parts.serial == text  # a serial like others, of whoever writes so


SIGNS = st.sampled_from(["=", "&", ">", "<", "+", ",", "/", "}", "*", "1", "0", "E", DIN, "000"])


@given(st.lists(SIGNS, max_size=9).map("".join))
def test_nothing_makes_the_parser_fail(text: str) -> None:
    for read in (read_isbt, names_of, barcodes.read):
        try:
            read(text)
        except InvalidBarcode:
            continue
