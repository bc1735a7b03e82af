"""Capture: what a scanner read is judged before it is recorded; custom fields, labels, counts."""

from datetime import date

import strawberry

from hub.capture.answers import Capture as Answer
from hub.capture.answers import CaptureCode, Signal
from hub.capture.answers import Suggestion as Meant
from hub.capture.bulk import Tag
from hub.vocabulary import CaptureMethod
from hub_api.catalogue.types import Product
from hub_api.common.context import Info
from hub_api.engine.stored import each
from hub_api.units.types import Identifier, Unit


@strawberry.type(description="One thing that was noticed in what was read.")
class CaptureFinding:
    signal: Signal
    code: CaptureCode
    message: str


@strawberry.type(description="A unit or an expected serial that was probably meant.")
class CaptureSuggestion:
    serial: str
    why: CaptureCode
    unit_id: strawberry.ID | None

    @classmethod
    def of(cls, meant: Meant) -> "CaptureSuggestion":
        """Show a suggestion."""
        unit_id = strawberry.ID(meant.unit_id) if meant.unit_id else None
        return cls(serial=meant.serial, why=meant.why, unit_id=unit_id)

    @strawberry.field(description="The unit; null if it is expected and not yet known.")
    async def unit(self, info: Info) -> Unit | None:
        row = await info.context.units(self.unit_id) if self.unit_id else None
        return Unit.of(row) if row else None


@strawberry.type(description="Interpretation of a reading with its findings. Nothing was changed.")
class Capture:
    """What a scanner read, sorted out and judged."""

    signal: Signal = strawberry.field(description="Signal that the device shows or sounds.")
    code: CaptureCode = strawberry.field(description="The reason that leads.")
    message: str = strawberry.field(description="The same for the person who holds the device.")
    findings: list[CaptureFinding]
    product: Product | None
    unit: Unit | None = strawberry.field(description="If it is known, with what it permits next.")
    serial: str | None = strawberry.field(description="As it stands on the label.")
    identifiers: list[Identifier]
    lot: str | None
    produced_on: date | None
    expires_on: date | None
    ssccs: list[str] = strawberry.field(description="Of pallets and parcels.")
    others: list[str] = strawberry.field(description="Read, and neither of these.")
    suggestions: list[CaptureSuggestion]

    @classmethod
    def of(cls, found: Answer) -> "Capture":
        """Show an answer."""
        unit = Unit.of(found.unit) if found.unit else None
        product = Product.of(found.product) if found.product else None
        parts = found.parts
        return cls(
            signal=found.signal,
            code=found.code,
            message=found.message,
            findings=[
                CaptureFinding(signal=each.signal, code=each.code, message=each.message)
                for each in found.findings
            ],
            product=product or (unit.product if unit else None),
            unit=unit,
            serial=parts.serial,
            identifiers=[Identifier(scheme=each[0], value=each[1]) for each in parts.identifiers],
            lot=parts.lot,
            produced_on=parts.produced_on,
            expires_on=parts.expires_on,
            ssccs=list(parts.ssccs),
            others=list(parts.others),
            suggestions=each(CaptureSuggestion.of, found.suggestions),
        )


@strawberry.type(description="How many events were captured in one way.")
class CaptureCount:
    captured_by: CaptureMethod
    events: int


@strawberry.type(description="How units were captured in a period.")
class CaptureStatistics:
    events: int
    scanned_share: float | None = strawberry.field(
        description="Scanned (or RFID) of all that was scanned or typed; null if nothing was."
    )
    by_method: list[CaptureCount]


@strawberry.type(description="One tag of a sweep.")
class ReadTag:
    read: str = strawberry.field(
        description="As it was first read; commands take it as an identifier."
    )
    times: int = strawberry.field(description="How often it was read.")
    code: CaptureCode = strawberry.field(
        description="OK, UNKNOWN_UNIT, UNKNOWN_PRODUCT, PRODUCT_MISMATCH, SEVERAL_SERIALS or "
        "BROKEN_BARCODE."
    )
    gtin: str | None
    serial: str | None
    sku: str | None = strawberry.field(description="The product of the unit, or of the GTIN.")
    unit: Unit | None

    @classmethod
    def of(cls, tag: Tag) -> "ReadTag":
        """Show a tag."""
        return cls(
            read=tag.read,
            times=tag.times,
            code=tag.code,
            gtin=tag.gtin,
            serial=tag.serial,
            sku=tag.sku,
            unit=Unit.of(tag.unit) if tag.unit else None,
        )


@strawberry.type(description="Tags that an RFID reader saw in one sweep.")
class TagReading:
    reads: int
    known: int = strawberry.field(description="Tags whose unit is known, and of the product.")
    tags: list[ReadTag] = strawberry.field(description="Each tag once.")
