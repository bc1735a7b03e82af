"""Results of the capture firewall: a signal for the device, a stable code, the parsed readings."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from hub.lifecycle import Action
from hub.storage.sql import Row


class Signal(StrEnum):
    """Signal of a device: continue, check, or stop."""

    ACCEPT = "accept"
    WARN = "warn"
    REFUSE = "refuse"


class Purpose(StrEnum):
    """Purpose of a capture: a new unit, or a known one."""

    RECEIVE = "receive"
    FIND = "find"


class CaptureCode(StrEnum):
    """Reason of a signal. Of several reasons the first in this order is reported."""

    SEVERAL_PRODUCTS = "several_products"  # barcodes of different products at once
    PRODUCT_MISMATCH = "product_mismatch"  # another product than the one that is expected
    UNKNOWN_PRODUCT = "unknown_product"  # no known product was read or named
    DUPLICATE = "duplicate"  # the unit that arrives is known already
    WRONG_BARCODE = "wrong_barcode"  # GTIN, SKU or model number in place of the serial
    TRANSPOSED = "transposed"  # two neighbours exchanged, against a known or expected serial
    LOOK_ALIKE = "look_alike"  # 0 for O, 1 for I: would be taken for a known serial
    TRUNCATED = "truncated"  # a piece of a serial
    RULE_BROKEN = "rule_broken"  # against the manufacturer's rule
    SEVERAL_SERIALS = "several_serials"  # labels of more than one unit, or of two units of a name
    AMBIGUOUS_SEPARATORS = "ambiguous_separators"  # a GS1 barcode that lost its separators
    NO_SERIAL = "no_serial"
    LOT_MISSING = "lot_missing"  # the product is tracked by lot
    UNKNOWN_UNIT = "unknown_unit"
    NOT_EXPECTED = "not_expected"  # a good serial, but none of those that are expected
    CONTRADICTION = "contradiction"  # lot, date or identifier against what is read or known
    BROKEN_BARCODE = "broken_barcode"  # one of the barcodes can not be read
    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation, with a message for the operator."""

    signal: Signal
    code: CaptureCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A probably intended serial."""

    serial: str
    why: CaptureCode
    unit_id: str | None = None  # None: expected, not yet known


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The readings by meaning."""

    serial: str | None = None  # verbatim
    identifiers: tuple[tuple[str, str], ...] = ()  # scheme and value
    lot: str | None = None
    expires_on: date | None = None
    produced_on: date | None = None
    ssccs: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # irrelevant readings: a postcode, an article's text


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """The result of a capture; the first of `findings` determines the signal."""

    findings: tuple[Finding, ...]
    parts: Parts = field(default_factory=Parts)
    product: Row | None = None
    unit: Row | None = None  # as `hub.ledger.units.UNITS` shows it
    allowed: tuple[Action, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def signal(self) -> Signal:
        """Return the signal of the first finding."""
        return self.findings[0].signal

    @property
    def code(self) -> CaptureCode:
        """Return the code of the first finding."""
        return self.findings[0].code

    @property
    def message(self) -> str:
        """Return the message of the first finding."""
        return self.findings[0].message


_SIGNALS = [Signal.REFUSE, Signal.WARN, Signal.ACCEPT]
_CODES = list(CaptureCode)


def ranked(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return distinct findings, the most severe first; OK if there are none."""
    if not findings:
        findings = [Finding(signal=Signal.ACCEPT, code=CaptureCode.OK, message="ok")]
    return tuple(
        sorted(
            set(findings),
            key=lambda each: (_SIGNALS.index(each.signal), _CODES.index(each.code), each.message),
        )
    )
