"""EPCs of units: what an RFID tag says, as a URI or as the bits that a reader sends.

Only the SGTIN is read, a GTIN with a serial (GS1 EPC Tag Data Standard, sections 6.3.1, 14.6.1);
tags of SGTIN+ have a module of their own, `epc_plus`.
An EPC tells where the company prefix ends and a GTIN does not: to write one, say how long it is.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from hub.errors import InvalidBarcode
from hub.identifiers import epc_plus
from hub.identifiers.numbers import check_digit

# Partition: bits and digits of the company prefix, bits and digits of indicator and item
# (Tag Data Standard, table 14-2).
PARTITIONS = (
    (40, 12, 4, 1),
    (37, 11, 7, 2),
    (34, 10, 10, 3),
    (30, 9, 14, 4),
    (27, 8, 17, 5),
    (24, 7, 20, 6),
    (20, 6, 24, 7),
)
FILTER_MAX = 7
SERIAL_96_BITS = 38
SERIAL_198_CHARS = 20

_PURE = re.compile(r"urn:epc:id:sgtin:(\d{6,12})\.(\d{1,7})\.(\S+)", re.IGNORECASE)
_TAG = re.compile(
    r"urn:epc:tag:sgtin-(96|198):([0-7])\.(\d{6,12})\.(\d{1,7})\.(\S+)", re.IGNORECASE
)
_RAW = re.compile(r"urn:epc:raw:(\d{2,3})\.x([0-9A-F]{2,})", re.IGNORECASE)
_HEX = re.compile(r"30[0-9A-F]{22}|36[0-9A-F]{48}(?:[0-9A-F]{2})?", re.IGNORECASE)
# What may stand in a serial: GS1 character set 82, as in application identifier 21.
_SERIAL = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}")


@dataclass(frozen=True, slots=True)
class Sgtin:
    """One unit: company prefix, indicator digit with item reference, serial; the tag's filter."""

    prefix: str
    item: str
    serial: str
    filter: int = 0

    @property
    def gtin(self) -> str:
        """Return the GTIN of fourteen digits."""
        digits = f"{self.item[0]}{self.prefix}{self.item[1:]}"
        return digits + check_digit(digits)

    @property
    def uri(self) -> str:
        """Return the pure identity URI."""
        return f"urn:epc:id:sgtin:{self.prefix}.{self.item}.{quote(self.serial, safe=_SAFE)}"


# In a URI of an EPC these stand for themselves; the others of the set are escaped.
_SAFE = "!'()*+,-.:;=_"


def bare(text: str) -> str:
    """Return the hexadecimal digits of a raw URI (``urn:epc:raw:96.x30…``); another text as it is.

    Raises InvalidBarcode where the digits are not as many bits as the URI states.
    """
    found = _RAW.fullmatch(text)
    if found is None:
        return text
    if not 0 <= len(found[2]) * 4 - int(found[1]) < 16:  # zeros fill the last word
        raise InvalidBarcode("the raw EPC has another length than it states", read=text)
    return found[2]


def is_epc(text: str) -> bool:
    """Return whether a text has the form of an EPC: a URI, or the hexadecimal digits of a tag."""
    if text[:8].lower() == "urn:epc:":
        return True
    right_form = text[:2] in {"30", "36"} and _HEX.fullmatch(text) is not None
    return right_form or epc_plus.is_plus(text)


def read(text: str) -> Sgtin:
    """Parse an EPC in any of its forms but SGTIN+; raises InvalidBarcode."""
    text = bare(text)
    if text[:8].lower() != "urn:epc:":
        return decode(text)
    if found := _PURE.fullmatch(text):
        prefix, item, serial = found.groups()
        return _checked(Sgtin(prefix, item, unquote(serial)))
    if found := _TAG.fullmatch(text):
        bits, value, prefix, item, serial = found.groups()
        sgtin = _checked(Sgtin(prefix, item, unquote(serial), int(value)))
        if bits == "96":
            _number(sgtin)
        return sgtin
    raise InvalidBarcode("this EPC names no unit: only an SGTIN does", read=text)


def decode(digits: str) -> Sgtin:
    """Read the bits of an SGTIN-96 or SGTIN-198, written as hexadecimal digits."""
    if not _HEX.fullmatch(digits):
        raise InvalidBarcode("this is no tag of a unit", read=digits)
    bits = f"{int(digits, 16):0{len(digits) * 4}b}"
    partition = int(bits[11:14], 2)
    if partition >= len(PARTITIONS):
        raise InvalidBarcode("the tag's partition is none: program it again", read=digits)
    prefix_bits, prefix_digits, item_bits, item_digits = PARTITIONS[partition]
    end = 14 + prefix_bits
    prefix = f"{int(bits[14:end], 2):0{prefix_digits}}"
    item = f"{int(bits[end : end + item_bits], 2):0{item_digits}}"
    if len(prefix) > prefix_digits or len(item) > item_digits:
        raise InvalidBarcode("the tag's numbers are too large: program it again", read=digits)
    rest = bits[58:]
    if "1" in rest[SERIAL_198_CHARS * 7 :]:
        raise InvalidBarcode("the tag holds more than a serial: program it again", read=digits)
    serial = str(int(rest[:SERIAL_96_BITS], 2)) if digits[:2] == "30" else _letters(rest)
    return _checked(Sgtin(prefix, item, serial, int(bits[8:11], 2)))


def encode(sgtin: Sgtin) -> str:
    """Write the bits of an SGTIN-96, as 24 hexadecimal digits.

    Raises InvalidBarcode where the serial is no number below 2^38, or begins with a zero.
    """
    if not 0 <= sgtin.filter <= FILTER_MAX:
        raise InvalidBarcode(f"a filter is 0 to {FILTER_MAX}", read=str(sgtin.filter))
    partition = 12 - len(_checked(sgtin).prefix)
    prefix_bits, _, item_bits, _ = PARTITIONS[partition]
    bits = (
        f"{0x30:08b}{sgtin.filter:03b}{partition:03b}{int(sgtin.prefix):0{prefix_bits}b}"
        f"{int(sgtin.item):0{item_bits}b}{_number(sgtin):0{SERIAL_96_BITS}b}"
    )
    return f"{int(bits, 2):024X}"


def of_gtin(gtin: str, serial: str, prefix_digits: int) -> Sgtin:
    """Divide a GTIN of fourteen digits behind a company prefix of so many digits."""
    if not 6 <= prefix_digits <= 12:
        raise InvalidBarcode("a company prefix has 6 to 12 digits", read=gtin)
    prefix, item = gtin[1 : 1 + prefix_digits], gtin[0] + gtin[1 + prefix_digits : 13]
    return _checked(Sgtin(prefix, item, serial))


def _checked(sgtin: Sgtin) -> Sgtin:
    if len(sgtin.prefix) + len(sgtin.item) != 13:
        raise InvalidBarcode("prefix and item of an EPC have 13 digits together", read=sgtin.uri)
    if not _SERIAL.fullmatch(sgtin.serial):
        raise InvalidBarcode("the EPC holds no serial", read=sgtin.uri)
    return sgtin


def _number(sgtin: Sgtin) -> int:
    serial = sgtin.serial
    right_form = serial.isascii() and serial.isdigit() and str(int(serial)) == serial
    if not right_form or int(serial) >= 1 << SERIAL_96_BITS:
        raise InvalidBarcode("an SGTIN-96 holds a number without leading zeros", read=serial)
    return int(serial)


def _letters(bits: str) -> str:
    """Read letters of seven bits up to the first that is empty."""
    codes = [int(bits[place : place + 7], 2) for place in range(0, SERIAL_198_CHARS * 7, 7)]
    text = "".join(chr(code) for code in codes)
    serial, _, rest = text.partition("\x00")
    if rest.strip("\x00"):
        raise InvalidBarcode("the tag's serial has a gap: program it again", read=serial)
    return serial
