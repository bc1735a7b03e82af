"""Elements of barcodes: the kinds of what a code can hold, and a code taken apart."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Meaning of one part of a barcode."""

    GTIN = "gtin"
    SERIAL = "serial"
    SECONDARY_SERIAL = "secondary_serial"
    LOT = "lot"
    EXPIRY = "expiry"
    PRODUCTION_DATE = "production_date"
    IMEI = "imei"
    MEID = "meid"
    EID = "eid"
    MAC = "mac"
    VIN = "vin"
    ICCID = "iccid"  # of a SIM card
    NOTE = "note"  # of a label with several parts: a colour, a model
    SSCC = "sscc"
    ASSET = "asset"  # GIAI or GRAI
    DEVICE = "device"  # a UDI device identifier that is no GTIN
    TEXT = "text"  # plain: a serial, a model number, an internal label


@dataclass(frozen=True, slots=True)
class Element:
    """One part; dates are written as ISO days.

    `scheme` is that of a further identifier, where the label itself names it: ``imei2``.
    """

    kind: Kind
    value: str
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class Barcode:
    """One barcode, taken apart. `doubt` says why it could be read in another way too."""

    raw: str
    form: str  # gs1, digital_link, epc, retail, hibc, iccbba, imei, meid, vin, sscc, composite …
    elements: tuple[Element, ...]
    symbology: str | None = None
    doubt: str | None = None
    link: str | None = None  # of a HIBC secondary label: the check character of its primary
    check: str | None = None  # of a HIBC primary label: its check character

    def values(self, *kinds: Kind) -> list[str]:
        """Return the values of these kinds, in order."""
        return [element.value for element in self.elements if element.kind in kinds]


DEVICE_KINDS = frozenset({Kind.IMEI, Kind.MEID, Kind.EID, Kind.MAC, Kind.VIN})
"""Numbers that name one device in the whole world."""
