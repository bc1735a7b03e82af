"""Warranties: questions to manufacturers, their answers, and registrations."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class WarrantyStatus(StrEnum):
    """What a manufacturer says about a serial. Unknown never turns into "not covered"."""

    COVERED = "covered"
    EXPIRED = "expired"
    NOT_COVERED = "not_covered"
    UNKNOWN = "unknown"  # the manufacturer does not know the serial, or could not say
    INVALID = "invalid"  # the manufacturer says that this can not be one of its serials


@dataclass(frozen=True, slots=True, kw_only=True)
class WarrantyQuestion:
    """One serial to look up. The manufacturer comes from the product, never from the serial."""

    serial: str
    product: str  # the manufacturer's own product number where known, else the SKU


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """One entitlement of a unit; both days belong to it."""

    name: str
    starts_on: date | None
    ends_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warranty:
    """A manufacturer's answer about one serial."""

    serial: str
    status: WarrantyStatus
    registered: bool = False  # a sale or an owner is on record there
    starts_on: date | None = None
    ends_on: date | None = None
    coverages: tuple[Coverage, ...] = field(default=())
    sold_on: date | None = None  # the day of the sale on record; None: not stated
    product: str = ""  # its own number of the product that has the serial; empty: not stated
    reference: str = ""  # of the registration on record, as it was given; empty: not stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A unit was sold: the manufacturer is told, so that its warranty starts on the right day."""

    reference: str  # ours; the same for every repeat
    serial: str
    product: str
    sold_on: date
