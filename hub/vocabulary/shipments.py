"""Shipments: which units of an order left together."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentLine:
    """Which units of one order line left."""

    order_line_ref: str
    serials: tuple[str, ...] = ()
    quantity: int = 0  # of goods that have no serials; 0: as many as there are serials

    @property
    def units(self) -> int:
        """Return how many units left, with serials or without."""
        return max(self.quantity, len(self.serials))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What of an order left together, under our reference, which never changes."""

    reference: str
    lines: tuple[FulfillmentLine, ...]
    shipped_at: datetime
    carrier: str | None = None
    tracking: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfillment:
    """One shipment of an order. `reference` is ours and never changes between repeats.

    `other_line_refs` are the lines that take no units: gift cards, services, goods whose stock the
    channel keeps. The hub never ships them, and an order is done without them. `other_parcels` are
    what else of the order has left, for connectors that report an order as a whole.
    """

    reference: str
    order_ref: str
    lines: tuple[FulfillmentLine, ...]
    shipped_at: datetime
    carrier: str | None = None
    tracking: str | None = None
    other_line_refs: tuple[str, ...] = ()
    other_parcels: tuple[Parcel, ...] = ()
