"""Licenses: software and digital rights that are bound to one unit at a time."""

from datetime import date, datetime

import strawberry

from hub.clock import moment
from hub.storage.sql import Row
from hub.unit_records import licenses as licenses


@strawberry.type(description="A license that a unit has or had.")
class UnitLicense:
    reference: str
    provider: str
    starts_on: date | None
    ends_on: date | None
    linked_at: datetime
    ended_at: datetime | None = strawberry.field(description="Null: it runs on the unit.")

    @classmethod
    def of(cls, row: Row) -> "UnitLicense":
        """Show a row."""
        return cls(
            reference=row["reference"],
            provider=row["provider"],
            starts_on=date.fromisoformat(row["starts_on"]) if row["starts_on"] else None,
            ends_on=date.fromisoformat(row["ends_on"]) if row["ends_on"] else None,
            linked_at=moment(row["granted_at"]),
            ended_at=moment(row["revoked_at"]) if row["revoked_at"] else None,
        )
