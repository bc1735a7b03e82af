"""Capture: what a scanner read is judged before it is recorded; custom fields, labels, counts."""

from datetime import date, datetime

import strawberry

from hub import capture
from hub.access.keys import Scope
from hub.capture import bulk
from hub.capture.answers import Capture as Answer
from hub.capture.answers import CaptureCode, Purpose, Signal
from hub.capture.answers import Suggestion as Meant
from hub.capture.bulk import Tag
from hub.capture.statistics import count_captures
from hub.errors import InvalidInput
from hub.identifiers import labels
from hub.identifiers.labels import LabelFormat
from hub.ledger import unit_views, units
from hub.storage.sql import Row, Transaction
from hub.unit_records import custom_fields
from hub.vocabulary import CaptureMethod
from hub_api.catalogue import Product
from hub_api.context import Context
from hub_api.labels import UnitLabel
from hub_api.problems import answer
from hub_api.units import Identifier, Unit, UnitFieldInput

Info = strawberry.Info[Context, None]

strawberry.enum(Signal, name="CaptureSignal", description="Go on, look twice, or stop.")
strawberry.enum(Purpose, name="CapturePurpose", description="A unit that arrives, or a known one.")
strawberry.enum(CaptureCode, description="Why a device signals what it does; it never changes.")


@strawberry.type(description="One thing that was noticed in what was read.")
class CaptureFinding:
    """One thing that was noticed."""

    signal: Signal
    code: CaptureCode
    message: str


@strawberry.type(description="A unit or an expected serial that was probably meant.")
class CaptureSuggestion:
    """What was probably meant."""

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
        """Load the unit."""
        row = await info.context.units(self.unit_id) if self.unit_id else None
        return Unit.of(row) if row else None


@strawberry.type(description="What a scanner read, sorted out and judged. Nothing was changed.")
class Capture:
    """What a scanner read, sorted out and judged."""

    signal: Signal = strawberry.field(description="What the device shows or sounds.")
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
            suggestions=[CaptureSuggestion.of(each) for each in found.suggestions],
        )


@strawberry.type(description="How many events were captured in one way.")
class CaptureCount:
    """How many events were captured in one way."""

    captured_by: CaptureMethod
    events: int


@strawberry.type(description="How units were captured in a period.")
class CaptureStatistics:
    """How units were captured in a period."""

    events: int
    scanned_share: float | None = strawberry.field(
        description="Scanned (or RFID) of all that was scanned or typed; null if nothing was."
    )
    by_method: list[CaptureCount]


@strawberry.type(description="One tag of a sweep.")
class ReadTag:
    """One tag of a sweep."""

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


@strawberry.type(description="What an RFID reader saw in one sweep.")
class TagReading:
    """What a reader saw in one sweep."""

    reads: int
    known: int = strawberry.field(description="Tags whose unit is known, and of the product.")
    tags: list[ReadTag] = strawberry.field(description="Each tag once.")


@strawberry.type
class CaptureQuery:
    """Reading what was captured, and what is printed to be captured."""

    @strawberry.field(
        description="Judge all that a scanner read at once. Nothing is changed by it.",
        metadata={"cost": 5},
    )
    async def capture(
        self,
        info: Info,
        readings: list[str],
        purpose: Purpose,
        product: str | None = None,
        expected: list[str] | None = None,
    ) -> Capture:
        """Judge readings; `product` is a SKU or GTIN, `expected` are serials or ids of units."""
        info.context.require(Scope.SCANNER, Scope.POS)
        found = await info.context.read(
            lambda tx: capture.capture(
                tx, readings, purpose=purpose, product=product, expected=expected or ()
            )
        )
        return Capture.of(found)

    @strawberry.field(
        description="Tell the tags of one sweep, up to 20,000 reads at once: EPCs as URIs or as a "
        "tag's hexadecimal digits, GS1 Digital Links, any names of units. Nothing is changed.",
        metadata={"cost": 200},
    )
    async def read_tags(
        self, info: Info, reads: list[str], product: str | None = None
    ) -> TagReading:
        """Tell tags; `product` is the SKU or GTIN of which all should be."""
        info.context.require(Scope.SCANNER, Scope.POS)
        tags = await info.context.database.report(
            lambda tx: bulk.read_tags(tx, reads, product=product)
        )
        return TagReading(
            reads=len(reads),
            known=sum(tag.code is CaptureCode.OK for tag in tags),
            tags=[ReadTag.of(tag) for tag in tags],
        )

    @strawberry.field(
        description="How units were captured from `since` on and before `until`, at one place or "
        "everywhere: what was scanned and what was typed.",
        metadata={"cost": 200},
    )
    async def capture_statistics(
        self, info: Info, since: datetime, until: datetime, location: str | None = None
    ) -> CaptureStatistics:
        """Count events in which somebody had the unit in hand."""
        info.context.require(Scope.OPS)
        if since.tzinfo is None or until.tzinfo is None:
            raise InvalidInput("say the time zone of since and until", field="since")
        counts = await info.context.database.report(
            lambda tx: count_captures(tx, since, until, location)
        )
        return CaptureStatistics(
            events=counts.events,
            scanned_share=counts.scanned_share,
            by_method=[
                CaptureCount(captured_by=method, events=events)
                for method, events in counts.by_method.items()
            ],
        )

    @strawberry.field(
        description="The label of a unit, for a printer or a page.", metadata={"cost": 10}
    )
    async def unit_label(
        self,
        info: Info,
        identifier: str,
        format: LabelFormat = LabelFormat.ZPL,
        sku: str | None = None,
    ) -> UnitLabel:
        """Draw the label; no unit is made or changed by it."""
        info.context.require(Scope.SCANNER, Scope.POS)
        unit = await info.context.read(lambda tx: units.find(tx, identifier, sku))
        return UnitLabel.of(unit, format)

    @strawberry.field(
        description="New serials for units that bear none, to be labelled and received.",
        metadata={"cost": 5},
    )
    async def new_serials(self, info: Info, count: int = 1) -> list[str]:
        """Make serials; nothing is reserved by it."""
        info.context.require(Scope.SCANNER)
        return labels.own_serials(count)


@strawberry.type
class CaptureMutation:
    """Describing units."""

    @strawberry.mutation(
        description="Set custom fields of a unit; a value of null takes its field away.",
        graphql_type=answer("SetUnitFieldsResult", Unit),
    )
    async def set_unit_fields(
        self, info: Info, identifier: str, fields: list[UnitFieldInput], sku: str | None = None
    ) -> Unit:
        """Set fields. Repeating it changes nothing."""
        info.context.require(Scope.SCANNER)
        context = info.context.command_context()
        wanted = {each.name: each.value for each in fields}

        def work(tx: Transaction) -> Row:
            unit = custom_fields.set_fields(tx, context, identifier, wanted, sku=sku)
            return unit_views.units_by_id(tx, [unit["id"]])[unit["id"]]

        return Unit.of(await info.context.write(work))
