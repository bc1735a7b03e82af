"""Medical devices as registries know them."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceQuestion:
    """A medical device that a registry is asked about, by the number on its label."""

    identifier: str  # the DI: a GTIN of 14 digits, or another issuing agency's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a registry says of a medical device: the model, never the single unit."""

    identifier: str
    brand: str
    company: str
    model: str = ""  # version or model number
    catalogue_number: str = ""
    description: str = ""
    status: str = ""  # of its distribution, in the registry's own words
    implantable: bool | None = None
    single_use: bool | None = None
    prescription: bool | None = None
    sterile: bool | None = None
    # What its label has to bear beside the DI; None: the registry does not say.
    bears_serial: bool | None = None
    bears_lot: bool | None = None
    bears_expiry: bool | None = None
    mri_safety: str = ""
    terms: tuple[str, ...] = ()  # GMDN
    product_codes: tuple[str, ...] = ()
    published_on: date | None = None
