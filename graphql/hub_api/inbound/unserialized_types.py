"""Serialization: serial tracking for products that have stock already, phase by phase."""

from datetime import datetime
from typing import Any

import strawberry

from hub.catalogue import Tracking, Trait
from hub.clock import moment
from hub.inbound import unserialized_stock as unserialized_stock
from hub.storage.documents import values
from hub.storage.sql import Row


@strawberry.input(description="How much of a product is at a place, without its serials.")
class UnserializedStockInput:
    """How much there is at a place."""

    location: str
    quantity: int


@strawberry.input(description="How much of one product is at a place, without its serials.")
class ProductStockInput:
    """How much there is of a product at a place."""

    sku: str
    location: str
    quantity: int


@strawberry.type(description="Units of a product at a place whose serials were not read yet.")
class UnserializedStock:
    id: strawberry.ID
    sku: str
    name: str
    location: str
    quantity: int = strawberry.field(
        description="Counted apart: none of them is available before its serial is read."
    )
    reason: str
    changed_at: datetime
    tracked_since: datetime | None

    @classmethod
    def of(cls, row: Row) -> "UnserializedStock":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            sku=row["sku"],
            name=row["name"],
            location=row["code"],
            quantity=row["quantity"],
            reason=row["reason"],
            changed_at=moment(row["changed_at"]),
            tracked_since=_moment(row["tracked_since"]),
        )


@strawberry.type(description="A product whose serials are still to be read.")
class SerializationPriority:
    sku: str
    name: str
    category: str | None
    value: int | None = strawberry.field(description="Of one unit, in the smallest part.")
    currency: str | None
    traits: list[Trait]
    unread: int = strawberry.field(description="Units without a serial, as far as stated.")
    tracking: Tracking
    tracked_since: datetime | None = strawberry.field(
        description="Null: its serials are not kept yet."
    )

    @classmethod
    def of(cls, row: Row) -> "SerializationPriority":
        """Show a row."""
        return cls(
            sku=row["sku"],
            name=row["name"],
            category=row["category"],
            value=row["value"],
            currency=row["currency"],
            traits=[Trait(each) for each in values(row["traits"])],
            unread=int(row["unread"]),
            tracking=Tracking(row["tracking"]),
            tracked_since=_moment(row["tracked_since"]),
        )


@strawberry.type(description="Products whose serials are kept from now on.")
class TrackingStarted:
    skus: list[str]
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )


def _moment(value: Any) -> datetime | None:
    return None if value is None else moment(value)
