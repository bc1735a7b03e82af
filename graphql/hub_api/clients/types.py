"""Clients of a third-party warehouse: who they are, how title passes, and what each may read."""

from datetime import datetime

import strawberry

from hub.clock import moment
from hub.storage.sql import Row

MIDDLE = "\x1f"  # between a SKU and a place's code in a cursor: it is in neither


@strawberry.type(description="Whose goods are kept here.")
class Client:
    code: str
    name: str
    created_at: datetime

    @classmethod
    def of(cls, row: Row) -> "Client":
        """Show a row."""
        return cls(code=row["code"], name=row["name"], created_at=moment(row["created_at"]))


@strawberry.type(description="The units of one product of a client at one place.")
class ClientStockLine:
    """One line of a client's stock."""

    sku: str
    location: str
    units: int = strawberry.field(description="All that are there.")
    available: int = strawberry.field(description="In stock, unpromised, unblocked.")
    promised: int
    blocked: int
    cursor: str = strawberry.field(description="Give the last one as `after` to go on.")

    @classmethod
    def of(cls, row: Row) -> "ClientStockLine":
        """Show a row."""
        return cls(
            sku=row["sku"],
            location=row["code"],
            units=row["units"],
            available=row["available"],
            promised=row["promised"],
            blocked=row["blocked"],
            cursor=f"{row['sku']}{MIDDLE}{row['code']}",
        )


@strawberry.type(description="One page of a report on a client's units, one row for each.")
class ClientReport:
    header: list[str] = strawberry.field(description="The columns, then the custom fields.")
    rows: list[list[str]] = strawberry.field(
        description="Rows of the report; an unknown value is an empty text."
    )
    after: str | None = strawberry.field(description="Where the next page begins; null: the end.")
