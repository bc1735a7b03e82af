"""Labels of units: what the code on them says, and how it is printed.

A label is made from the unit's record each time it is asked for: printing it again changes
nothing. A code that we print is one that our own firewall reads.
"""

import base64
import io
import re
import secrets
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import segno
import zxingcpp

from hub.errors import InvalidInput
from hub.storage.sql import Row

RESOLVER = "https://id.gs1.org"  # GS1's own: it leads on to the brand, whoever prints
TEXT_CHARS_MAX = 40
SERIALS_MAX = 1_000
SERIAL_CHARS = 15

# GS1 character set 82 (General Specifications, figure 7.11-1): what AI 10 and 21 may hold.
_GS1_VALUE = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}")
# No character is another's look-alike: each is its own skeleton.
_SERIAL_LETTERS = "0123456789ACEFGHJKMNPRTUVWXY"


class LabelFormat(StrEnum):
    """How a label is drawn."""

    ZPL = "zpl"  # a whole label with a QR code, for a Zebra printer
    ZPL_DATAMATRIX = "zpl_datamatrix"  # the same with a (GS1) DataMatrix
    SVG_QR = "svg_qr"  # the code alone
    PNG_QR = "png_qr"  # the code alone, as a data URI
    SVG_DATAMATRIX = "svg_datamatrix"
    PNG_DATAMATRIX = "png_datamatrix"


MEDIA_TYPES = {
    LabelFormat.ZPL: "application/zpl",
    LabelFormat.ZPL_DATAMATRIX: "application/zpl",
    LabelFormat.SVG_QR: "image/svg+xml",
    LabelFormat.PNG_QR: "image/png",
    LabelFormat.SVG_DATAMATRIX: "image/svg+xml",
    LabelFormat.PNG_DATAMATRIX: "image/png",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label; `content` is what its code says, `lines` what a person reads on it."""

    content: str
    element_string: str | None  # GS1, for people: (01)…(21)…; None without a GTIN
    lines: tuple[str, ...]
    media_type: str
    body: str


def unit_label(unit: Row, form: LabelFormat) -> Label:
    """Draw the label of a unit, a row of `hub.ledger.units.UNITS`.

    The code is a GS1 Digital Link where the product has a GTIN and the serial can stand in one,
    else the unit's internal id.
    """
    elements = _elements(unit)
    content = _digital_link(elements) if elements else str(unit["id"])
    lines = (
        _short(unit["product_name"]),
        _short(f"SKU {unit['sku']}"),
        _short(f"S/N {unit['serial']}"),
        *([_short(f"LOT {unit['lot']}")] if unit["lot"] else []),
    )
    return Label(
        content=content,
        element_string="".join(f"({ai}){value}" for ai, value in elements) or None,
        lines=lines,
        media_type=MEDIA_TYPES[form],
        body=_draw(form, content, elements, lines),
    )


def own_serials(count: int) -> list[str]:
    """Make serials for units that bear none, at random, of characters that nobody confuses.

    Two alike are improbable among a billion units, and the ledger refuses the second.
    """
    if not 0 < count <= SERIALS_MAX:
        raise InvalidInput(f"1 to {SERIALS_MAX} serials at once", field="count")
    return [
        # A letter in front: no scanner takes it for a number of trade.
        "H" + "".join(secrets.choice(_SERIAL_LETTERS) for _ in range(SERIAL_CHARS))
        for _ in range(count)
    ]


def _elements(unit: Row) -> list[tuple[str, str]]:
    serial, lot = unit["serial"], unit["lot"]
    if not unit["gtin"] or not _GS1_VALUE.fullmatch(serial):
        return []
    elements = [("01", unit["gtin"])]
    if lot and _GS1_VALUE.fullmatch(lot):
        elements.append(("10", lot))
    elements.append(("21", serial))
    if unit["expires_on"]:
        elements.append(("17", unit["expires_on"].replace("-", "")[2:]))
    return elements


def _digital_link(elements: list[tuple[str, str]]) -> str:
    path = "".join(f"/{ai}/{quote(value, safe='')}" for ai, value in elements if ai != "17")
    query = "".join(f"?17={value}" for ai, value in elements if ai == "17")
    return f"{RESOLVER}{path}{query}"


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[: TEXT_CHARS_MAX - 1]}…"


def _draw(
    form: LabelFormat, content: str, elements: list[tuple[str, str]], lines: tuple[str, ...]
) -> str:
    match form:
        case LabelFormat.ZPL:
            return _zpl(f"^BQN,2,5^FH_^FDQA,{_escaped(content)}^FS", lines)
        case LabelFormat.ZPL_DATAMATRIX:
            # In ^BX an underscore leads on to FNC1 ("_1"), and two stand for itself.
            data = _gs1_data(elements).replace("_", "__").replace("\x1d", "_1") or content
            return _zpl(f"^BXN,8,200,,,,_^FD{data}^FS", lines)
        case LabelFormat.SVG_DATAMATRIX:
            drawing = _datamatrix(content, elements).to_svg(scale=4, add_quiet_zones=True)
            return drawing[drawing.index("<svg") :].strip()
        case LabelFormat.PNG_DATAMATRIX:
            return _png(_datamatrix(content, elements).to_image(scale=4, add_quiet_zones=True))
    code = segno.make(content, error="m", micro=False)
    drawn = io.BytesIO()
    if form is LabelFormat.SVG_QR:
        code.save(drawn, kind="svg", scale=4, xmldecl=False)
        return drawn.getvalue().decode().strip()
    code.save(drawn, kind="png", scale=4)
    return _data_uri(drawn.getvalue())


def _datamatrix(content: str, elements: list[tuple[str, str]]) -> zxingcpp.Barcode:
    """Make a GS1 DataMatrix (ISO/IEC 16022 with FNC1 first), or a plain one of the content.

    A parenthesis in a serial can not be told from that of an AI: the Digital Link stands in then.
    """
    plain = not elements or any(letter in value for _, value in elements for letter in "()")
    if plain:
        return zxingcpp.create_barcode(
            content, zxingcpp.BarcodeFormat.DataMatrix, force_square=True
        )
    text = "".join(f"({ai}){value}" for ai, value in elements)
    return zxingcpp.create_barcode(
        text, zxingcpp.BarcodeFormat.DataMatrix, gs1=True, force_square=True
    )


def _png(image: zxingcpp.Image) -> str:
    """Write a picture of eight grey bits as PNG (ISO/IEC 15948), and that as a data URI."""
    buffer: Any = image  # it can be read as one, though its types do not say so
    height, width = image.shape[:2]
    pixels = memoryview(buffer).tobytes()
    lines = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return _data_uri(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in parts))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _gs1_data(elements: list[tuple[str, str]]) -> str:
    """Write elements as a GS1 barcode holds them: FNC1 first, and after what has no fixed end."""
    if not elements:
        return ""
    fixed = [f"{ai}{value}" for ai, value in elements if ai in {"01", "17"}]
    open_ended = [f"{ai}{value}" for ai, value in elements if ai not in {"01", "17"}]
    return "\x1d" + "".join(fixed) + "\x1d".join(open_ended)


def _zpl(code: str, lines: tuple[str, ...]) -> str:
    text = "".join(
        f"^FO250,{40 + 45 * place}^A0N,30,30^FH_^FD{_escaped(line)}^FS"
        for place, line in enumerate(lines)
    )
    return f"^XA^CI28^FO30,30{code}{text}^XZ"


def _escaped(text: str) -> str:
    """Hide what a printer takes for a command."""
    return "".join(
        "".join(f"_{byte:02X}" for byte in letter.encode())
        if letter in "^~_" or not letter.isprintable()
        else letter
        for letter in text
    )
