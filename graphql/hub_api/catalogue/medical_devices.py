"""Medical devices, as a registry outside knows them."""

from datetime import date, datetime

import strawberry

from hub.access.keys import Scope
from hub.catalogue import medical_devices
from hub.catalogue.medical_devices import Known
from hub_api.common.context import Info


@strawberry.type(description="Registry entry of a medical device: the model, never the unit.")
class MedicalDevice:
    """What is registered of a device."""

    brand: str
    company: str
    model: str = strawberry.field(description="Version or model number.")
    catalogue_number: str
    description: str
    status: str = strawberry.field(description="Of its distribution, in the registry's own words.")
    implantable: bool | None
    single_use: bool | None
    prescription: bool | None
    sterile: bool | None
    bears_serial: bool | None = strawberry.field(
        description="Whether its label bears a serial; null: the registry does not say."
    )
    bears_lot: bool | None
    bears_expiry: bool | None
    mri_safety: str
    terms: list[str] = strawberry.field(description="Of the GMDN.")
    product_codes: list[str]
    published_on: date | None


@strawberry.type(description="Answer of a registry about a device identifier, and its age.")
class MedicalDeviceAnswer:
    identifier: str = strawberry.field(description="The DI; a GTIN has 14 digits here.")
    device: MedicalDevice | None = strawberry.field(description="Null: it is not registered.")
    source: str = strawberry.field(description="The channel that said it.")
    observed_at: datetime
    is_stale: bool = strawberry.field(description="It is old; it is asked again meanwhile.")

    @classmethod
    def of(cls, known: Known) -> "MedicalDeviceAnswer":
        """Show an answer."""
        found = known.device
        return cls(
            identifier=known.identifier,
            source=known.source,
            observed_at=known.observed_at,
            is_stale=known.is_stale,
            device=None
            if found is None
            else MedicalDevice(
                brand=found.brand,
                company=found.company,
                model=found.model,
                catalogue_number=found.catalogue_number,
                description=found.description,
                status=found.status,
                implantable=found.implantable,
                single_use=found.single_use,
                prescription=found.prescription,
                sterile=found.sterile,
                bears_serial=found.bears_serial,
                bears_lot=found.bears_lot,
                bears_expiry=found.bears_expiry,
                mri_safety=found.mri_safety,
                terms=list(found.terms),
                product_codes=list(found.product_codes),
                published_on=found.published_on,
            ),
        )


@strawberry.type
class DeviceQuery:
    """Reading devices."""

    @strawberry.field(
        description="Registry entry (of the FDA, with the connector gudid) of a device "
        "identifier: a GTIN or the number of another agency. Null: no registry "
        "answered.",
        metadata={"cost": 20},
    )
    async def medical_device(self, info: Info, identifier: str) -> MedicalDeviceAnswer | None:
        """Look a device up, in two seconds or from memory."""
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        known = await info.context.services.device(medical_devices.identifier_of(identifier))
        return None if known is None else MedicalDeviceAnswer.of(known)
