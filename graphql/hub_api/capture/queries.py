"""Queries for capture."""

from datetime import datetime

import strawberry

from hub import capture
from hub.access.keys import Scope
from hub.capture import bulk
from hub.capture.answers import CaptureCode, Purpose
from hub.capture.statistics import count_captures
from hub.errors import InvalidInput
from hub.identifiers import labels
from hub.identifiers.labels import LabelFormat
from hub.ledger import units
from hub_api.capture.types import Capture, CaptureCount, CaptureStatistics, ReadTag, TagReading
from hub_api.common.context import Info
from hub_api.engine.stored import each
from hub_api.units.labels import UnitLabel


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
                tx,
                readings,
                purpose=purpose,
                product=product,
                expected=expected or (),
                today=info.context.clock().date(),
            )
        )
        return Capture.of(found)

    @strawberry.field(
        description="Decode the tags of one sweep, up to 20,000 reads at once: EPCs as URIs or "
        "hexadecimal digits, GS1 Digital Links, any identifiers of units. Nothing is "
        "changed.",
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
            tags=each(ReadTag.of, tags),
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
