"""What is fuzzed: each target takes one example, and asserts what always has to hold.

Nothing but a refusal is raised. What is accepted prints back: the parts that were read, printed as
the standard prints them, are read as the same parts; and a code of GS1 is read to its last sign.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers import barcodes, device_numbers, epc, gs1
from hub.identifiers.barcodes import Barcode, Kind
from hub.identifiers.names import names_of, unit_of
from hub.identifiers.numbers import canonical, gtin14, skeleton, upc_a
from hub.imports.reading import look
from hub.proof import certificate
from hub.recalls import serial_periods, serial_ranges
from tests.fuzz import grammar

Check = Callable[[Any], None]
SCHEMES = ("imei", "imei2", "meid", "eid", "wifi_mac", "vin", "asset")


def readings(text: str) -> None:
    """Check one reading of a scanner, by every function that takes one."""
    try:
        barcode = barcodes.read(text)
    except InvalidBarcode:
        pass
    else:
        prints_back(barcode)
    try:
        code = unit_of(text)
        names_of(text)
    except InvalidBarcode:
        return
    if code is not None and code.gtin is not None:
        again = unit_of(f"https://id.gs1.org/01/{code.gtin}/21/{_escaped(code.serial)}")
        assert again is None or (again.serial, again.gtin) == (code.serial, code.gtin)
        assert gtin14(code.gtin) == code.gtin


def _escaped(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def prints_back(barcode: Barcode) -> None:
    """Assert that what was read of a code is what stands in it."""
    assert all(element.value for element in barcode.elements) or barcode.form == "plain"
    if barcode.form == "gs1":
        _element_string_prints_back(barcode)
    if barcode.form == "epc":
        _tag_prints_back(barcode)
    written = _signs(barcode.raw)
    for element in barcode.elements:
        if element.kind in {Kind.SERIAL, Kind.LOT, Kind.TEXT} and barcode.form not in {
            "epc", "digital_link",
        }:  # fmt: skip
            assert _signs(element.value) in written, element
        if element.kind is Kind.GTIN and barcode.form in {"gs1", "envelope"}:
            assert element.value.lstrip("0") in written, element
        if element.kind in {Kind.EXPIRY, Kind.PRODUCTION_DATE} and barcode.form == "envelope":
            assert element.value.replace("-", "") in written or "[)>" in barcode.raw[1:]
    if barcode.form in device_numbers.SPACES:
        (element,) = barcode.elements
        assert device_numbers.normalized(barcode.form, element.value) == element.value


def _signs(text: str) -> str:
    return "".join(sign for sign in text.upper() if sign.isalnum())


def _element_string_prints_back(barcode: Barcode) -> None:
    text = barcode.raw.strip(" \r\n\t")
    text = text[3:] if text.startswith("]") else text
    found, _ = gs1.elements(barcode.raw, text)
    if not any("(" in each.value for each in found):  # in print it looks like an identifier
        printed = "".join(f"({each.ai.ai}){each.value}" for each in found)
        again, _ = gs1.elements(printed, printed)
        assert [(each.ai.ai, each.value) for each in again] == [
            (each.ai.ai, each.value) for each in found
        ]
    coded = "".join(f"{each.ai.ai}{each.value}{gs1.FNC1}" for each in found)
    machine, _ = gs1.elements(coded, coded)
    assert [each.value for each in machine] == [each.value for each in found]
    # Each sign of the code is in an element: nothing of it was passed over.
    plain = text if text.startswith("(") else gs1.with_separators(text)
    whole = "".join(f"{each.ai.ai}{each.value}" for each in found)
    assert _signs(whole) == _signs(plain), (whole, plain)


def _tag_prints_back(barcode: Barcode) -> None:
    tag = epc.read(barcode.raw.strip(" \r\n\t"))
    again = epc.read(tag.uri)
    assert (again.gtin, again.serial) == (tag.gtin, tag.serial)
    if len(barcode.raw.strip()) == 24 and barcode.raw.strip()[:2] == "30":
        assert epc.encode(tag) == barcode.raw.strip().upper()


def names(given: tuple[str, str]) -> None:
    """Check one further identifier, and what a text is as the number of a device."""
    scheme, text = given
    for space, key in device_numbers.device_names(text):
        assert device_numbers.normalized(space, key) == key
    for take in (canonical, skeleton):
        try:
            once = take(text)
        except InvalidBarcode:
            continue
        assert take(once) == once
    try:
        form = device_numbers.normalized(scheme, text)
    except InvalidBarcode:
        return
    assert device_numbers.normalized(scheme, form) == form
    if (number := upc_a(text)) is not None:
        assert gtin14(number) == number


def recalls(given: Any) -> None:
    """Check one part of a recall's description; what is accepted is SQL with bound values."""
    for parse, compile_ in (
        (serial_ranges.parse_ranges, serial_ranges.within),
        (serial_ranges.parse_prefixes, serial_ranges.begins),
        (serial_ranges.parse_patterns, serial_ranges.fits_pattern),
        (serial_ranges.parse_segments, serial_ranges.has_segment),
    ):
        try:
            kept = parse("serials", given)
        except (InvalidInput, InvalidBarcode):
            continue
        assert parse("serials", orjson.loads(orjson.dumps(kept))) == kept
        for each in kept:
            values: dict[str, Any] = {}
            assert compile_(each, "serial", "n", values).count("(") > 0  # type: ignore[arg-type]
    with suppress(InvalidInput):
        serial_periods.parse("periods", given)
    for each in given if isinstance(given, list) else ():
        if isinstance(each, str):
            try:
                rule = serial_periods.check_rule(each)
            except InvalidInput:
                continue
            assert serial_periods.check_rule(rule) == rule


def files(content: bytes) -> None:
    """Check one file: each line of it is part of a row, or is blank; rows count from 1."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        try:
            source = look(path)
        except InvalidInput:
            return
        numbers = []
        try:
            for row in source.rows():
                numbers.append(row.number)
                assert row.wrong is not None or len(row.cells) == len(source.columns)
        except InvalidInput:
            return
        assert numbers == list(range(1, len(numbers) + 1))


def papers(given: Any) -> None:
    """Check one certificate; nothing that we did not sign verifies."""
    assert certificate.problems(given, "A" * 44)


def _rows(cell: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Return files with a header and some rows, in one encoding or another."""
    ends = st.sampled_from(("\n", "\r\n", "\r"))
    encodings = st.sampled_from(("utf-8", "utf-8-sig", "cp1252", "cp1251", "shift_jis", "utf-16"))
    delimiters = st.sampled_from((",", ";", "\t", "|"))
    table = st.lists(st.lists(cell, min_size=1, max_size=5), max_size=12)

    def write(drawn: tuple[list[list[str]], str, str, str]) -> bytes:
        rows, end, encoding, delimiter = drawn
        lines = [delimiter.join(("serial", "sku")), *(delimiter.join(each) for each in rows)]
        return end.join(lines).encode(encoding, "replace")

    return st.tuples(table, ends, encodings, delimiters).map(write)


_CELLS = st.one_of(
    grammar.spoilt(),
    st.sampled_from(('"', '""', '"a', 'b"', '"a\nb"', "=1+1", "'-x", "", " ", "\x00", "５")),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
_PAPER = st.fixed_dictionaries(
    {
        "format": st.just(certificate.FORMAT) | _JSON,
        "unit": st.fixed_dictionaries({"id": _JSON, "status": _JSON, "disposition": _JSON}) | _JSON,
        "events": st.lists(_JSON, max_size=2) | _JSON,
        "checkpoints": st.lists(_JSON, max_size=2) | _JSON,
        "signature": _JSON,
    }
)
_SPAN = st.one_of(
    st.fixed_dictionaries({"first": grammar.serials(), "last": grammar.serials()}),
    st.tuples(grammar.serials(), grammar.digits(1, 6), grammar.digits(1, 6)).map(
        lambda given: {"first": given[0] + given[1], "last": given[0] + given[2]}
    ),
    st.fixed_dictionaries(
        {"index": st.integers(-1, 9), "first": grammar.serials(), "last": grammar.serials()}
    ),
    st.fixed_dictionaries(
        {"manufacturer": st.just("ACME"), "first": st.just("2025-W09"), "last": grammar.digits(4)}
    ),
    st.text("LT-?#@*0yymw", max_size=20),
    grammar.serials(),
    _JSON,
)

TARGETS: dict[str, tuple[Check, st.SearchStrategy[Any]]] = {
    "readings": (readings, grammar.READINGS),
    "names": (names, st.tuples(st.sampled_from(SCHEMES), grammar.READINGS)),
    "recalls": (recalls, st.lists(_SPAN, max_size=3) | _JSON),
    "files": (files, _rows(_CELLS) | st.binary(max_size=200)),
    "papers": (papers, _PAPER | _JSON),
}
