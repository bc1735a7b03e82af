"""Serials and trade numbers: one canonical form for every way of writing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import new_id
from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers.numbers import (
    SERIAL_CHARS_MAX,
    canonical,
    check_digit,
    gtin14,
    is_id,
    verbatim,
)

PRINTED = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="]-_:#/"), min_size=3
).filter(lambda text: 3 <= len(text) <= 40 and not text.upper().startswith(("SN", "SERIAL")))


@given(PRINTED)
def test_the_canonical_form_is_its_own_canonical_form(serial: str) -> None:
    assert canonical(canonical(serial)) == canonical(serial)


@pytest.mark.parametrize(
    "text", ["S N: 7", "-]C1100", "ser-ial no: 7", "ΐ-1", "s/n: s/n: 7", "SN: ŉ"]
)
def test_what_folding_lays_bare_is_folded_too(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


def test_a_serial_behind_labels_without_end_is_refused() -> None:
    with pytest.raises(InvalidBarcode, match="labels"):
        canonical("-" + "]C1" * 20 + "7")


@given(PRINTED, st.sampled_from(["{}", " {} ", "S/N: {}", "SN:{}", "Serial No: {}", "]d2{}"]))
def test_case_blanks_labels_and_scanner_prefixes_do_not_matter(serial: str, way: str) -> None:
    assert canonical(way.format(serial.lower())) == canonical(serial.upper())


def test_dashes_and_blanks_inside_do_not_matter_but_the_label_is_kept() -> None:
    assert canonical("ab-12 34") == canonical("AB‑1234") == "AB1234"  # a real dash
    assert verbatim(" ab-12 34 ") == "ab-12 34"


@pytest.mark.parametrize(
    "read", ["", "   ", "---", "S/N:", "A\x1dB", "A\x00", "A\u200bB", "x" * (SERIAL_CHARS_MAX + 1)]
)
def test_what_can_not_be_a_serial_is_refused(read: str) -> None:
    with pytest.raises(InvalidBarcode):
        canonical(read)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("4006381333931", "04006381333931"),
        ("036000291452", "00036000291452"),
        ("40170725", "00000040170725"),
        (" 10614141543219 ", "10614141543219"),
    ],
)
def test_trade_numbers_become_fourteen_digits(text: str, digits: str) -> None:
    assert gtin14(text) == digits


@pytest.mark.parametrize("text", ["4006381333932", "123", "", "40063813339３1", "CAM-X1"])
def test_what_is_no_trade_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        gtin14(text)


@given(st.text("0123456789", min_size=13, max_size=13))
def test_one_wrong_digit_is_always_noticed(digits: str) -> None:
    whole = digits + check_digit(digits)
    wrong = str((int(whole[0]) + 1) % 10) + whole[1:]
    with pytest.raises(InvalidInput):
        gtin14(wrong)


def test_our_own_ids_are_told_from_serials() -> None:
    assert is_id(new_id())
    assert not is_id("SN-0001")
