"""Envelopes of ISO/IEC 15434: the elements of GS1 (format 05) or of ASC MH10.8.2 (format 06).

The data identifiers that are read: P and 1P (items), S (serial), T and 1T (lots), 14D and 16D
(last day and day of production), 8P (a GTIN); others are of no use for finding a unit.
"""

import re
from dataclasses import dataclass

from hub.errors import InvalidBarcode

RS, GS, EOT = "\x1e", "\x1d", "\x04"
_START = re.compile(r"^\[\)>")
_SHOWN = (
    (re.compile(r"\{RS\}|<RS>|\[RS\]|\\x1e|\^\^|␞", re.IGNORECASE), RS),
    (re.compile(r"\{GS\}|<GS>|\[GS\]|\\x1d|\^\]|␝", re.IGNORECASE), GS),
    (re.compile(r"\{EOT\}|<EOT>|\[EOT\]|\\x04|\^D|␄", re.IGNORECASE), EOT),
)
_IDENTIFIER = re.compile(r"(\d{0,3}[A-Z])(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an envelope holds: GS1 element strings, and fields as identifier and value."""

    gs1: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]


def is_envelope(text: str) -> bool:
    """Return whether a text is an envelope."""
    return _START.match(text) is not None


def read_envelope(text: str) -> Envelope:
    """Parse an envelope; raises InvalidBarcode for one without its separators."""
    for shown, control in _SHOWN:
        text = shown.sub(control, text)
    gs1, fields = [], []
    formats = [each for each in text[3:].strip(RS + EOT).split(RS) if each.strip(EOT)]
    for each in formats:
        head, _, body = each.partition(GS)
        if head == "05":
            gs1.append(body.strip(EOT))
        elif head == "06":
            found = (_IDENTIFIER.fullmatch(part) for part in body.strip(EOT).split(GS) if part)
            fields += [(match[1], match[2].strip()) for match in found if match]
    if not gs1 and not fields:
        raise InvalidBarcode(
            "the scanner sent no separators of this code (ISO/IEC 15434): set it to send them",
            read=text[:100],
        )
    return Envelope(tuple(gs1), tuple(fields))
