"""The FDA's Global Unique Device Identification Database: what is registered of a medical device.

Two sources hold the same records: AccessGUDID of the National Library of Medicine, which needs no
key, and openFDA, where a key raises the limits. A device is looked up by the DI of its label; the
answer is about the model, never about the single unit.

It cannot: say anything of a serial or a lot, read what a label says (the hub does that itself), or
register a device.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contract import Connector, LookupDevice
from connectors.errors import Rejected, Unknown
from connectors.remote import Remote
from connectors.toolkit.warranty_status import dict_items, expect_object, parse_day
from hub.vocabulary import Device, DeviceQuestion

CHECK_IDENTIFIER = "00000000000000"
_IDENTIFIER = re.compile(r"[0-9A-Z]{6,23}")  # GS1: 14 digits; HIBCC and ICCBBA: up to 23
NOWHERE = (404, 410)


class Source(StrEnum):
    """By which service the database is read."""

    ACCESSGUDID = "accessgudid"
    OPENFDA = "openfda"


ADDRESSES = {
    Source.ACCESSGUDID: "https://accessgudid.nlm.nih.gov",
    Source.OPENFDA: "https://api.fda.gov",
}


class GudidSettings(BaseModel):
    """One way to the database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source = Source.ACCESSGUDID
    api_key: SecretStr | None = Field(None, description="Of openFDA; without it 1,000 calls a day")
    base_url: HttpUrl | None = Field(None, description="Another address of the same service")
    calls_per_second: float = Field(2.0, gt=0, le=4)


class Gudid(Connector[GudidSettings], LookupDevice):
    """One way to the database."""

    key: ClassVar[str] = "gudid"
    settings_model: ClassVar[type[BaseModel]] = GudidSettings

    @classmethod
    def remote(cls, settings: GudidSettings) -> Remote:
        """Describe the service."""
        key = settings.api_key.get_secret_value() if settings.api_key else None
        return Remote(
            base_url=str(settings.base_url or ADDRESSES[settings.source]).rstrip("/"),
            auth=(key, "") if key else None,  # openFDA takes its key as the user of basic auth
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Look up a device that nobody has: that it is not known is an answer."""
        await self._record(CHECK_IDENTIFIER)

    async def lookup_device(self, question: DeviceQuestion) -> Device | None:
        """Look up one device by the DI of its label."""
        if not _IDENTIFIER.fullmatch(question.identifier):
            raise Rejected("a device identifier has 6 to 23 capital letters and digits")
        record = await self._record(question.identifier)
        if record is None:
            return None
        by_openfda = self.settings.source is Source.OPENFDA
        names = _names_of(record, by_openfda)
        if question.identifier not in names:
            return None  # a search may find what only resembles it
        return _of_openfda(record, question) if by_openfda else _of_accessgudid(record, question)

    async def _record(self, identifier: str) -> Mapping[str, Any] | None:
        if self.settings.source is Source.OPENFDA:
            path = "/device/udi.json"
            params = {"search": f'identifiers.id:"{identifier}"', "limit": "1"}
        else:
            path, params = "/api/v3/devices/lookup.json", {"di": identifier}
        response = await self.api.request("GET", path, params=params, accept=NOWHERE)
        if response.status_code in NOWHERE:
            return None
        try:
            answer = expect_object(response.json(), "the device")
        except ValueError as error:
            raise Unknown("the answer is not JSON") from error
        if self.settings.source is Source.OPENFDA:
            found = dict_items(answer.get("results"))
            if "results" not in answer:
                raise Unknown("the answer holds no results")
            return found[0] if found else None
        gudid = answer.get("gudid")
        record = gudid.get("device") if isinstance(gudid, dict) else None
        return expect_object(record, "the device")


def _names_of(record: Mapping[str, Any], by_openfda: bool) -> set[str]:
    """Return every DI of a record: of the device itself, and of its packages."""
    if by_openfda:
        return {str(each.get("id")) for each in dict_items(record.get("identifiers"))}
    return {str(each.get("deviceId")) for each in _inside(record, "identifiers", "identifier")}


def _of_accessgudid(record: Mapping[str, Any], question: DeviceQuestion) -> Device:
    sterilization = record.get("sterilization")
    terms = _inside(record, "gmdnTerms", "gmdn")
    implantable = [_flag(each.get("implantable")) for each in terms]
    return Device(
        identifier=question.identifier,
        brand=_text(record, "brandName"),
        company=_text(record, "companyName"),
        model=_text(record, "versionModelNumber"),
        catalogue_number=_text(record, "catalogNumber"),
        description=_text(record, "deviceDescription"),
        status=_text(record, "deviceCommDistributionStatus"),
        implantable=_any(implantable),
        single_use=_flag(record.get("singleUse")),
        prescription=_flag(record.get("rx")),
        sterile=_flag(_in(sterilization, "deviceSterile")),
        bears_serial=_flag(record.get("serialNumber")),
        bears_lot=_flag(record.get("lotBatch")),
        bears_expiry=_flag(record.get("expirationDate")),
        mri_safety=_text(record, "MRISafetyStatus"),
        terms=tuple(_text(each, "gmdnPTName") for each in terms),
        product_codes=tuple(
            _text(each, "productCode") for each in _inside(record, "productCodes", "fdaProductCode")
        ),
        published_on=parse_day(record.get("devicePublishDate")),
    )


def _of_openfda(record: Mapping[str, Any], question: DeviceQuestion) -> Device:
    terms = dict_items(record.get("gmdn_terms"))
    return Device(
        identifier=question.identifier,
        brand=_text(record, "brand_name"),
        company=_text(record, "company_name"),
        model=_text(record, "version_or_model_number"),
        catalogue_number=_text(record, "catalog_number"),
        description=_text(record, "device_description"),
        status=_text(record, "commercial_distribution_status"),
        implantable=_any([_flag(each.get("implantable")) for each in terms]),
        single_use=_flag(record.get("is_single_use")),
        prescription=_flag(record.get("is_rx")),
        sterile=_flag(_in(record.get("sterilization"), "is_sterile")),
        bears_serial=_flag(record.get("has_serial_number")),
        bears_lot=_flag(record.get("has_lot_or_batch_number")),
        bears_expiry=_flag(record.get("has_expiration_date")),
        mri_safety=_text(record, "mri_safety"),
        terms=tuple(_text(each, "name") for each in terms),
        product_codes=tuple(
            _text(each, "code") for each in dict_items(record.get("product_codes"))
        ),
        published_on=parse_day(record.get("publish_date")),
    )


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return "" if value is None else str(value)


def _in(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, dict) else None


def _inside(record: Mapping[str, Any], outer: str, inner: str) -> list[Mapping[str, Any]]:
    """Return a list that AccessGUDID wraps; a single item comes without the list."""
    found = _in(record.get(outer), inner)
    return dict_items([found] if isinstance(found, dict) else found)


def _flag(said: Any) -> bool | None:
    """Read a flag, as a word or as itself; what is neither is not said."""
    return {"true": True, "false": False}.get(str(said).casefold())


def _any(flags: list[bool | None]) -> bool | None:
    if any(flags):
        return True
    return False if False in flags else None
