"""Ledger events, for those outside who keep histories too."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventError:
    """An event was recorded in error: which one, since when that is known, and why.

    `reason` is one of EPCIS's two: ``did_not_occur`` or ``incorrect_data``.
    """

    event: str
    declared_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUnit:
    """A unit by what it is named: serial, SKU, and GTIN of 14 digits where it has one."""

    serial: str
    sku: str
    gtin: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEvent:
    """One thing that happened to one unit, for those outside who keep histories too.

    A correction shows the event that was in error as it was recorded, names it in `error`, and
    tells in `restated` what was right instead, if anything happened at all. `read_point` is where
    it happened, `location` where the unit is afterwards (None: on its way, or with a customer);
    both are codes of ours.
    """

    id: str
    serial: str
    sku: str
    gtin: str | None  # 14 digits
    action: str  # the ledger's own word
    biz_step: str
    disposition: str
    occurred_at: datetime
    read_point: str
    location: str | None = None
    document_type: str | None = None  # CBV
    document_ref: str | None = None
    # The unit that this one becomes a part of, or stops being a part of (EPCIS aggregation).
    parent: NamedUnit | None = None
    error: EventError | None = None
    restated: "LedgerEvent | None" = None
