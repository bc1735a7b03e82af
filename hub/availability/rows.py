"""Shapes of the rows that availability reads."""

from typing import TypedDict

from hub.storage.rows import ChannelRow
from hub.storage.sql import Row

# Inside a function its columns are checked; a caller may still pass a channel of any read.
ChannelLike = ChannelRow | Row


class ProductUnits(TypedDict):
    """A number of units of a product."""

    product_id: str
    units: int


class AnnouncedLine(TypedDict):
    """Units of a product that one delivery announces, and those of them that have serials."""

    product_id: str
    announced: int
    known: int


class ChannelBackOrders(TypedDict):
    """Units of a product that open orders of a channel lack."""

    product_id: str
    channel_id: str
    units: int


class ListingPolicy(TypedDict):
    """The policy of a product's listing."""

    product_id: str
    policy: str | None


class ReasonCount(TypedDict):
    """The units that have the same reason."""

    reason: str
    units: int


class ExplainedUnitRow(TypedDict):
    """A unit with the reason why it counts for a channel or does not."""

    id: str
    serial: str
    status: str
    grade: str | None
    condition: str
    expires_on: str | None
    location: str
    client: str | None
    promised_to: str | None
    reason: str


class BlockRow(TypedDict):
    """The kind of a block of a unit."""

    unit_id: str
    kind: str
