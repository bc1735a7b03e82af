"""Labels with several codes in one reading: ``IMEI1: …; IMEI2: …; S/N: …``, as phones' boxes have.

The parts stand in any order and case, behind words that name their kind, or bare where each is
certain by its check digit. Line breaks, tabs, commas, semicolons, bars or blanks part them. A
reading is only taken apart here; `hub.identifiers.barcodes` reads the parts.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

CHARS_MIN = 8
_MAY_BE = re.compile(r"[\s,;|]")

# Each with the scheme of the identifier that it is; more words may name its place or kind.
_WORDS = {
    "serial": r"S[/.]?N\.?|SERIAL(?:[ _]?(?:NO|NUMBER|NR)\.?)?|SER\.? ?NO\.?|SERIENNUMMER",
    "imei": r"IMEI(?:[ /]?(?:SV|MEID))?",
    "meid": r"MEID(?: ?\(?(?:DEC|HEX)\)?)?",
    "eid": r"EID|EUICC(?: ?ID)?",
    "iccid": r"ICCID",
    "mac": r"(?:(?:WI-?FI|WLAN|LAN|ETH(?:ERNET)?|BT|BLUETOOTH|BLE)[ _-]?)?"
    r"MAC(?:[ _]?(?:ADDR(?:ESS)?|ID))?",
    "vin": r"VIN(?: ?(?:NO|NUMBER)\.?)?|CHASSIS(?: ?(?:NO|NUMBER)\.?)?",
    "gtin": r"(?:EAN|UPC|GTIN|JAN)(?:-?(?:8|12|13|14|A))?",
    "lot": r"LOT(?: ?NO\.?)?|BATCH(?: ?NO\.?)?",
    "note": r"MODEL(?: ?(?:NO|NAME))?\.?|P/?N|PART ?(?:NO|NUMBER)\.?|SKU|COLOU?R|REV|HW|FW|SW|TYPE"
    r"|MFG(?: ?DATE)?|MFD|DATE|MADE IN|QTY|REF|CAPACITY|STORAGE|VERSION|PRODUCT|FCC ?ID",
}
_PLACED = ("imei", "meid", "eid", "iccid", "mac")  # a device may have several of these
_PLACE = r"(?:[ _]?\(?(?:SLOT|SIM|ESIM)? ?(?P<place>\d)\)?| ?\(ESIM\))?"
_ONE = "|".join(f"(?P<{word}>{form})" for word, form in _WORDS.items() if word not in _PLACED)
_SEVERAL = "|".join(f"(?P<{word}>{_WORDS[word]})" for word in _PLACED)
_LABEL = re.compile(
    rf"(?:^|(?<=[\s,;|{{/&]))[\"']?(?:{_ONE}|(?:{_SEVERAL}){_PLACE})[\"']?"
    r"(?:\s*[:=#]\s*|[ \t]+)[\"']?",
    re.IGNORECASE,
)
_NEEDS_SIGN = frozenset(
    {"lot", "gtin", "note"}
)  # words of plain texts too, without a colon behind them
_ENDS = " \t\r\n,;|/&{}\"'"
_BREAK = re.compile(r"[\r\n\t,;|]+")
_LINES = re.compile(r"[\r\n\t]+")
_ANY_BREAK = re.compile(r"\s+/\s+|[\s,;|]+")
_NOTE = re.compile(r"[\"']?[^\W\d][\w ./()-]{0,30}[\"']?\s*[:=]\s*\S.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `word` is the kind that its label names, or one of the three below.

    `scheme` is what an identifier of this part is called: ``imei2`` of the second slot.
    """

    word: str
    text: str
    scheme: str = ""
    place: str = ""  # the number behind the label's word: "1" of ``IMEI1``


CODE = "code"  # a code by itself, without a label
NOTE = "note"  # behind a word that names no code: a colour, a model
UNREADABLE = ""
_NO_CODE = frozenset({NOTE, UNREADABLE})


@dataclass(frozen=True, slots=True)
class Splitter:
    """How readings are taken apart.

    `is_device` says whether a text is the number of a device, `is_trade` whether it is that of a
    trade item, `is_code` whether it is one of them or a code with elements of its own.
    """

    is_device: Callable[[str], bool]
    is_trade: Callable[[str], bool]
    is_code: Callable[[str], bool]

    def split(self, text: str) -> tuple[Part, ...] | None:
        """Take a reading apart; return None if it holds no two codes and no label with notes."""
        if len(text) < CHARS_MIN or _MAY_BE.search(text) is None:
            return None
        labels = [each for each in _LABEL.finditer(text) if _is_label(each)]
        parts = self._labelled(text, labels) if labels else self._bare(text)
        if len(parts) < 2 and not (parts and labels and text[:1] == "{"):
            return None
        codes = [each for each in parts if each.word not in _NO_CODE]
        unread = any(each.word == UNREADABLE for each in parts)
        return None if len(codes) < 2 and unread else tuple(parts)

    def _labelled(self, text: str, labels: list[re.Match[str]]) -> list[Part]:
        parts = self._loose(text[: labels[0].start()])
        ends = [*(each.start() for each in labels[1:]), len(text)]
        for label, end in zip(labels, ends, strict=True):
            value = text[label.end() : end].strip(_ENDS)
            first = _BREAK.search(value)
            own, rest = (value[: first.start()], value[first.end() :]) if first else (value, "")
            parts += [_part(label, own.strip(_ENDS)), *self._loose(rest)]
        return parts

    def _loose(self, text: str) -> list[Part]:
        """Return the parts of a text without a label of ours: codes, and notes such as a colour."""
        text = text.strip(_ENDS)
        if text and self.is_code(text):
            return [Part(CODE, text)]
        parts = [each.strip(_ENDS) for each in _BREAK.split(text)]
        return [Part(self._word_of(each), each) for each in parts if each]

    def _word_of(self, text: str) -> str:
        if self.is_code(text):
            return CODE
        return NOTE if _NOTE.fullmatch(text) else UNREADABLE

    def _bare(self, text: str) -> list[Part]:
        """Return the parts of a reading without a label, all of which are codes by themselves."""
        if self.is_code(text):
            return []  # written in groups
        for between, is_part in ((_LINES, self.is_code), (_ANY_BREAK, self._is_number)):
            parts = [each for each in between.split(text.strip(_ENDS)) if each]
            # One in ten numbers of eight digits is a trade number by chance.
            if all(map(is_part, parts)) and not all(map(self.is_trade, parts)):
                return [Part(CODE, each) for each in parts]
        return []

    def _is_number(self, text: str) -> bool:
        return self.is_device(text) or self.is_trade(text)


def _is_label(match: re.Match[str]) -> bool:
    has_sign = match[0].rstrip(" \t\"'")[-1:] in {":", "=", "#"}
    return has_sign or _word(match) not in _NEEDS_SIGN


def _word(match: re.Match[str]) -> str:
    return next(word for word in _WORDS if match[word] is not None)


def _part(label: re.Match[str], text: str) -> Part:
    word, place = _word(label), label["place"] or ""
    if word == NOTE:
        return Part(NOTE, f"{label['note']}: {text}")
    scheme = _mac_of(label["mac"].upper().replace("-", "")) + word if word == "mac" else word
    return Part(word, text, scheme if place in {"", "0", "1"} else f"{scheme}{place}", place)


def _mac_of(words: str) -> str:
    """Return the first word of the scheme of a MAC address, such as ``wifi_``."""
    if words.startswith(("WIFI", "WLAN")):
        return "wifi_"
    if words.startswith(("LAN", "ETH")):
        return "lan_"
    return "bt_" if words.startswith(("BT", "BL")) else ""
