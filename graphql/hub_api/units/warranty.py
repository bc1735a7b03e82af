"""What a manufacturer says of the warranty of a unit."""

from datetime import date, datetime

import strawberry

from hub.after_sales.warranty_answers import Known
from hub.vocabulary import WarrantyStatus


@strawberry.type(description="One entitlement of a unit; both days belong to it.")
class Coverage:
    name: str
    starts_on: date | None
    ends_on: date | None


@strawberry.type(description="Answer of a manufacturer about a unit, with its source and age.")
class Warranty:
    """A remembered answer of the manufacturer."""

    status: WarrantyStatus
    registered: bool = strawberry.field(description="Whether the sale is on record there.")
    starts_on: date | None
    ends_on: date | None
    coverages: list[Coverage]
    source: str = strawberry.field(description="The channel that said it.")
    observed_at: datetime
    is_stale: bool = strawberry.field(description="It is old; it is asked again meanwhile.")

    @classmethod
    def of(cls, known: Known) -> "Warranty":
        """Show an answer."""
        return cls(
            status=known.warranty.status,
            registered=known.warranty.registered,
            starts_on=known.warranty.starts_on,
            ends_on=known.warranty.ends_on,
            coverages=[
                Coverage(name=each.name, starts_on=each.starts_on, ends_on=each.ends_on)
                for each in known.warranty.coverages
            ],
            source=known.source,
            observed_at=known.observed_at,
            is_stale=known.is_stale,
        )
